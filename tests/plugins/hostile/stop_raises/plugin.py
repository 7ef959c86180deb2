"""Vice: stop() raises a TypeError that is not about its arguments."""

import os


class Plugin:
    def run(self, action, params, context):
        return {"status": "ok", "pid": os.getpid()}

    def stop(self, context):
        print("stop was called once", flush=True)
        raise TypeError("not about the arguments")
