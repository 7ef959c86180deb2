"""Vice: run() does not return. Bounded to 10 minutes, should nobody end it."""

import re
import time


class Plugin:
    def run(self, action, params, context):
        if action == "loop":
            end = time.monotonic() + 600
            while time.monotonic() < end:
                pass
        elif action == "hold_gil":
            # A pattern that backtracks without ever letting another thread run.
            re.match(r"(a+)+$", "a" * 28 + "b")
        return {"status": "ok"}
