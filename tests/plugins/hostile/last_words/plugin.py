"""Vice: dies in the moment after it has written."""

import os


class Plugin:
    def run(self, action, params, context):
        if action == "abort":
            text = "".join(f"word {number}\n" for number in range(params["lines"]))
            os.write(1, text.encode() + b"and no line end")
            os.abort()
        return {"status": "ok"}
