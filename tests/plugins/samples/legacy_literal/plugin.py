"""Legacy: no plugin.json. Its literal attributes are told before it is enabled."""

import os

VERSION = "0.9.1"

# Visible proof of whether this file was executed.
MARKER = os.environ.get("LEGACY_LITERAL_MARKER")
if MARKER:
    with open(MARKER, "a", encoding="utf-8") as marker:
        marker.write("executed\n")


class Plugin:
    name = "Legacy Literal"
    version = VERSION
    description: str = "Described by its class alone."
    author = "Somebody"
    help_url = "https://example.com/legacy"

    fields = [
        {"id": "limit", "label": "Limit", "type": "number", "default": 7},
        {"id": "secret", "label": "Secret", "type": "string", "input_type": "password"},
    ]
    actions = [{"id": "echo", "label": "Echo", "confirm": True}]

    def run(self, action, params, context):
        return {"action": action, "params": params, "settings": context["settings"]}
