"""Vice: os._exit in the middle of a call."""

import os
import threading


class Plugin:
    def run(self, action, params, context):
        if action.startswith("exit"):
            print("last words before os._exit", flush=True)
            os._exit(int(params.get("code", 3)))
        if action == "wait":
            threading.Event().wait(60)
        return {"status": "ok", "pid": os.getpid()}
