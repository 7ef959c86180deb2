"""Child processes, some of which outlive the call. Each ends after a minute."""

import os
import subprocess
import time

from .journal import noted

SECONDS = 60
MOST = 20  # That outlive their call.


class Plugin:
    def __init__(self):
        self.left = []

    def run(self, action, params, context):
        with noted(params, context):
            subprocess.run(["true"], check=True)
            self.left = [child for child in self.left if child.poll() is None]
            if len(self.left) < MOST:
                self.left.append(subprocess.Popen(["sleep", str(SECONDS)], start_new_session=True))
                self.daemonize()
            return {"nonce": params["nonce"], "left": len(self.left)}

    def daemonize(self):
        child = os.fork()
        if child == 0:
            os.setsid()
            if os.fork() == 0:
                os.closerange(0, 256)
                time.sleep(SECONDS)
            os._exit(0)
        os.waitpid(child, 0)
