"""`fields` is a property: one field for each name in the settings, and for each one added."""


class Plugin:
    name = "Dynamic Fields"
    actions = [{"id": "add", "label": "Add"}, {"id": "settings", "label": "Settings"}]

    def __init__(self):
        self.names = ["first"]
        self.evaluations = 0

    @property
    def fields(self):
        self.evaluations += 1
        described = [
            {"id": name, "label": name.title(), "type": "string", "default": f"{name} default"}
            for name in self.names
        ]
        return described + [{"id": "evaluations", "type": "info", "value": str(self.evaluations)}]

    def run(self, action, params, context):
        if action == "add":
            self.names.append(str(params["name"]))
            return {"status": "ok", "names": self.names}
        return {"settings": context["settings"]}
