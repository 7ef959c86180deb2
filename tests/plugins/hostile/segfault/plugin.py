"""Vice: a segmentation fault inside run()."""

import ctypes
import os
import threading


class Plugin:
    def run(self, action, params, context):
        if action == "crash":
            print("about to read address zero", flush=True)
            ctypes.string_at(0)
        elif action == "crash_in_thread":
            threading.Timer(0.05, ctypes.string_at, [0]).start()
        return {"status": "ok", "pid": os.getpid()}
