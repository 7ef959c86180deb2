"""Vice: leaves a child process that is stopped (SIGSTOP). It ends 2 minutes after it is continued."""

import os
import signal
import subprocess


class Plugin:
    def run(self, action, params, context):
        if action == "leave":
            child = subprocess.Popen(["sleep", "120"], start_new_session=True)
            child.send_signal(signal.SIGSTOP)
        return {"status": "ok", "pid": os.getpid()}
