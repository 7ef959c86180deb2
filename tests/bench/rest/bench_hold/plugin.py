import os
import time


class Plugin:
    """As bench_echo; and an action that lasts until a file is there."""

    name = "Bench hold"
    version = "1.0.0"
    description = "Answers with its params, at once or when it is let."
    fields = []
    actions = [{"id": "echo", "label": "Echo"}, {"id": "hold", "label": "Hold"}]

    def run(self, action, params, context):
        if action == "hold":
            while not os.path.exists(params["until"]):
                time.sleep(0.02)
        return {"status": "ok", "n": params.get("n")}
