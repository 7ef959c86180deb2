"""Prints while imported, constructed and run; none of it may disturb the answers."""

import os
import subprocess
import sys

print("printed while imported")


class Plugin:
    def __init__(self):
        print("printed while constructed", file=sys.stderr)

    def run(self, action, params, context):
        text = params.get("text", action)
        if action == "print":
            print(text)
        elif action == "error":
            print(text, file=sys.stderr)
        elif action == "raw":
            os.write(1, b"raw \xff\xfe\x00 bytes\n")
        elif action == "no_newline":
            sys.stdout.write(text)
            sys.stdout.flush()
        elif action == "child":
            subprocess.run(["echo", "printed by a child"], check=True, timeout=10)
        elif action == "escapes":
            print("\x1b[31mred\x1b[0m\roverwritten\tend")
        elif action == "input":
            return {"status": "ok", "input": sys.stdin.read(10)}
        return {"status": "ok", "action": action}
