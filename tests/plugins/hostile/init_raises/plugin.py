"""Vice: Plugin() raises."""


class Plugin:
    def __init__(self):
        raise RuntimeError("the constructor failed on purpose")

    def run(self, action, params, context):
        return {"status": "ok"}
