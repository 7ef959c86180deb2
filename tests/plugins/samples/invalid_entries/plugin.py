"""Loads and runs although its manifest has wrong entries."""


class Plugin:
    def run(self, action, params, context):
        return {"settings": context["settings"], "actions": context["actions"]}
