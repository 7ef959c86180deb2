"""The class says only its version; the manifest fills the rest, and the class wins there."""


class Plugin:
    name = ""
    version = "5.0"
    fields = []

    def run(self, action, params, context):
        return {
            "settings": context["settings"],
            "actions": sorted(context["actions"]),
            "plugin": context["plugin"],
        }
