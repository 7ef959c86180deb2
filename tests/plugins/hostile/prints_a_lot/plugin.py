"""Vice: floods standard output, standard error and the log, 10 MB at a time."""

import sys

LINES = 100_000


class Plugin:
    def run(self, action, params, context):
        if action in ("flood", "flood_error"):
            stream = sys.stdout if action == "flood" else sys.stderr
            for number in range(LINES):
                print(f"line {number} {'.' * 90}", file=stream)
            stream.flush()
        elif action == "flood_log":
            for number in range(LINES):
                context["logger"].info("line %d %s", number, "." * 90)
        return {"status": "ok"}
