"""Keeps the events it is run for; the one whose `events` is no list must get none."""


class Plugin:
    def __init__(self):
        self.events = []

    def run(self, action, params, context):
        if action == "seen":
            return {"status": "ok", "events": self.events}
        self.events.append({"action": action, **params})
        return {"status": "ok"}
