"""The standard plugin: a manifest, and a class that says the same."""

class Plugin:
    name = "My Plugin"
    version = "0.1.0"
    description = "Does something useful"
    author = "Acme Labs"
    help_url = "https://example.com/docs/my-plugin"

    fields = [
        {"id": "enabled", "label": "Enabled", "type": "boolean", "default": True},
        {"id": "limit", "label": "Item limit", "type": "number", "default": 5},
        {
            "id": "mode",
            "label": "Mode",
            "type": "select",
            "default": "safe",
            "options": [
                {"value": "safe", "label": "Safe"},
                {"value": "fast", "label": "Fast"},
            ],
        },
        {"id": "note", "label": "Note", "type": "string", "default": ""},
    ]

    actions = [
        {
            "id": "do_work",
            "label": "Do Work",
            "description": "Process items",
            "button_label": "Run Job",
            "button_variant": "filled",
            "button_color": "blue",
        }
    ]

    def run(self, action, params, context):
        if action != "do_work":
            return {"status": "error", "message": f"Unknown action {action}"}
        settings = context["settings"]
        limit, mode = int(settings.get("limit", 5)), settings.get("mode", "safe")
        context["logger"].info(f"My Plugin running with limit={limit}, mode={mode}")
        return {"status": "ok", "processed": limit, "mode": mode}
