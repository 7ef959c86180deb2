"""Vice: takes memory until it is stopped, itself or in a process that it starts. At most 2 GiB."""

import os
import subprocess
import sys

MOST = 2048
CHILD = f"""
taken = []
while len(taken) < {MOST}:
    taken.append(bytearray(b'x') * (1 << 20))
"""


class Plugin:
    def run(self, action, params, context):
        if action == "hog":
            print("taking memory", flush=True)
            taken = []
            while len(taken) < MOST:
                taken.append(bytearray(b"x") * (1 << 20))
        elif action == "hog_in_child":
            return {"child": subprocess.run([sys.executable, "-c", CHILD]).returncode}
        return {"status": "ok", "pid": os.getpid()}
