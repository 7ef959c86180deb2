"""No module name may begin with a digit, so the package gets a prefix."""


class Plugin:
    def run(self, action, params, context):
        return {"status": "ok", "module": __name__}
