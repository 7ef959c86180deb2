"""A plugin with a logo.png beside it."""


class Plugin:
    def run(self, action, params, context):
        return {"status": "ok", "message": "pong"}
