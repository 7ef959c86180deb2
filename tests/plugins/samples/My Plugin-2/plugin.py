"""A folder name with a capital, a space and a hyphen."""

from .part import PART


class Plugin:
    def run(self, action, params, context):
        return {"status": "ok", "module": __name__, "part": PART, "key": context["plugin"]["key"]}
