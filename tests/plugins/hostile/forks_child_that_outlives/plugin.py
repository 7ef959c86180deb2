"""Vice: child processes that outlive the call, and the plugin. Each ends after 2 minutes."""

import os
import signal
import subprocess
import time

SECONDS = 120


class Plugin:
    def run(self, action, params, context):
        if action == "program":
            child = subprocess.Popen(["sleep", str(SECONDS)], start_new_session=True)
            return {"status": "ok", "pid": child.pid}
        if action in ("fork", "ignoring"):
            pid = os.fork()
            if pid == 0:
                if action == "ignoring":
                    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
                        signal.signal(number, signal.SIG_IGN)
                time.sleep(SECONDS)
                os._exit(0)
            return {"status": "ok", "pid": pid}
        return {"status": "ok", "pid": os.getpid()}
