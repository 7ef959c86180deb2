"""Vice: stop() does not return for 10 minutes, and SIGTERM is ignored."""

import os
import signal
import threading


class Plugin:
    def __init__(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def run(self, action, params, context):
        return {"status": "ok", "pid": os.getpid()}

    def stop(self, context):
        threading.Event().wait(600)
