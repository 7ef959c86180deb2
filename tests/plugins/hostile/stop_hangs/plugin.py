"""Vice: stop() does not return for 10 minutes."""

import os
import threading


class Plugin:
    def run(self, action, params, context):
        return {"status": "ok", "pid": os.getpid()}

    def stop(self, context):
        print("stop was called and hangs", flush=True)
        threading.Event().wait(600)
