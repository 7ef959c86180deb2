"""Vice: one line of 100 MB."""

import sys


class Plugin:
    def run(self, action, params, context):
        if action == "line":
            chunk = "x" * 1_000_000
            for _ in range(100):
                sys.stdout.write(chunk)
            sys.stdout.flush()
        elif action == "log":
            context["logger"].info("x" * 100_000_000)
        return {"status": "ok"}
