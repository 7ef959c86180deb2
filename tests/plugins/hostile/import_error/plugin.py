"""Vice: imports what is not installed."""

import a_module_that_nobody_has  # noqa: F401


class Plugin:
    def run(self, action, params, context):
        return {"status": "ok"}
