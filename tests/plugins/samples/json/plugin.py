"""`import json` must still find the standard library."""

import json


class Plugin:
    def run(self, action, params, context):
        return {"status": "ok", "dumped": json.dumps([1, 2]), "module": __name__}
