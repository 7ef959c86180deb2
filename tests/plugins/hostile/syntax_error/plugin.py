"""Vice: the file does not parse."""

class Plugin
    def run(self, action, params, context):
        return {"status": "ok"}
