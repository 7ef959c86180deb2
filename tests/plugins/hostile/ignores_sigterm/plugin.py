"""Vice: ignores SIGTERM, SIGINT and SIGHUP, and holds on."""

import os
import signal
import threading


class Plugin:
    def __init__(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)

    def run(self, action, params, context):
        if action == "hold":
            threading.Event().wait(600)
        return {"status": "ok", "pid": os.getpid()}
