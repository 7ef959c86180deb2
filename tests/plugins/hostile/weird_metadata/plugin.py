"""Vice: metadata of every wrong kind. The plugin loads and runs all the same."""


class Plugin:
    name = 42
    version = 1.5
    author = object()
    help_url = b"bytes"
    actions = "not a list"
    navigation = ["not", "an", "object"]
    pages = {"main": {"not json": {1, 2}}}

    @property
    def description(self):
        raise RuntimeError("description cannot be told")

    @property
    def fields(self):
        raise ValueError("fields cannot be told")

    @property
    def ui(self):
        return {"self": self}

    def run(self, action, params, context):
        return {"status": "ok", "settings": context["settings"], "actions": context["actions"]}
