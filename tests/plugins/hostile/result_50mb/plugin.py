"""Vice: results of 50 MB."""


class Plugin:
    def run(self, action, params, context):
        if action == "big":
            return {"status": "ok", "data": "x" * 50_000_000}
        if action == "many":
            return {"status": "ok", "data": [[]] * 12_000_000}
        return {"status": "ok"}
