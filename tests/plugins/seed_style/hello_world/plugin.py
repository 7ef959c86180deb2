"""The basic plugin: no manifest, settings with defaults, one action."""


class Plugin:
    name = "Hello World"
    version = "1.0.0"
    description = "A simple example plugin"

    fields = [
        {
            "id": "greeting",
            "label": "Greeting Message",
            "type": "string",
            "default": "Hello",
            "help_text": "The greeting to display",
        },
        {"id": "enabled", "label": "Enable Greeting", "type": "boolean", "default": True},
    ]

    actions = [
        {"id": "say_hello", "label": "Say Hello", "description": "Prints a greeting message"}
    ]

    def run(self, action: str, params: dict, context: dict):
        if action == "say_hello":
            return self._say_hello(context.get("settings", {}), context.get("logger"))
        return {"status": "error", "message": f"Unknown action: {action}"}

    def _say_hello(self, settings, logger):
        if not settings.get("enabled", True):
            return {"status": "error", "message": "Greeting is disabled in settings"}
        message = f"{settings.get('greeting', 'Hello')}, World!"
        logger.info(f"Hello World Plugin: {message}")
        return {"status": "success", "message": message}
