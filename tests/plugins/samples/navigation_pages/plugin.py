"""The class says the same as the manifest, with a badge that changes."""


class Plugin:
    def __init__(self):
        self.presses = 0

    @property
    def navigation(self):
        return {"label": "My Page", "icon": "puzzle", "badge": self.presses, "position": "bottom"}

    def run(self, action, params, context):
        self.presses += 1
        return {"status": "ok", "presses": self.presses}
