"""Vice: a daemon that was started with an empty environment, so that nothing in it tells whose it
is. It ends after 2 minutes."""

import os
import subprocess
import sys

DAEMON = """
import os
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
os.execve("/bin/sleep", ["sleep", "120"], {})
"""


class Plugin:
    def run(self, action, params, context):
        if action == "daemon":
            subprocess.run([sys.executable, "-c", DAEMON], env={}, check=True)
        return {"status": "ok", "pid": os.getpid()}
