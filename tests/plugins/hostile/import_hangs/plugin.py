"""Vice: the import takes 10 minutes."""

import threading

print("the import begins to hang", flush=True)
threading.Event().wait(600)


class Plugin:
    def run(self, action, params, context):
        return {"status": "ok"}
