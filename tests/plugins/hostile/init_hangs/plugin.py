"""Vice: the constructor takes 10 minutes."""

import threading


class Plugin:
    def __init__(self):
        threading.Event().wait(600)

    def run(self, action, params, context):
        return {"status": "ok"}
