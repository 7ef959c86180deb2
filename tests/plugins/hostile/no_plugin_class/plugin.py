"""Vice: no class named Plugin, here or in a package."""


class Plugins:
    def run(self, action, params, context):
        return {"status": "ok"}
