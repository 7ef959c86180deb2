"""No plugin: what a spare worker loads and calls once before it is given one (rehearsal.py)."""

import json
import logging
import threading

LOGGER = logging.getLogger("plugin.rehearsed")


class Plugin:
    name = "Rehearsed"
    version = "1"
    description = "Stands for any plugin."
    fields = [{"id": "text", "label": "Text", "type": "string", "default": ""}]
    actions = [{"id": "echo", "label": "Echo", "description": "Answers with its parameters."}]

    def __init__(self):
        self.lock = threading.Lock()
        self.calls = 0

    def run(self, action, params, context):
        with self.lock:
            self.calls += 1
        try:
            settings = dict(context["settings"])
            return {"status": "ok", "action": action, "params": params, "settings": settings}
        except KeyError as error:
            return {"status": "error", "message": json.dumps(str(error))}

    def stop(self, context):
        self.calls = 0
