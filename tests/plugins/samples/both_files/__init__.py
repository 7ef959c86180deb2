"""Exports the class that plugin.py lacks."""


class Plugin:
    name = "Both Files"
    actions = [{"id": "where", "label": "Where am I"}]

    def run(self, action, params, context):
        from .plugin import GREETING

        return {"status": "ok", "from": "__init__.py", "also": GREETING}
