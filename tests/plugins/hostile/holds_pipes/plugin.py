"""Vice: a child in a session of its own that ignores signals and keeps the pipes of the output
open. It ends after 2 minutes."""

import os
import signal
import time

SECONDS = 120


class Plugin:
    def run(self, action, params, context):
        if action == "hold" and os.fork() == 0:
            os.setsid()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
                signal.signal(number, signal.SIG_IGN)
            time.sleep(SECONDS)
            os._exit(0)
        return {"status": "ok", "pid": os.getpid()}
