class Plugin:
    name = "Package Only"
    version = "1.0"

    def run(self, action, params, context):
        return {"status": "ok", "module": __name__, "package": __package__}
