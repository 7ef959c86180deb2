"""A first plugin.

plugin.json beside this file tells the name, the settings and the actions, so
that the plugin can be listed without running any of this code. The code is
imported only once the plugin is enabled, in a process of its own.
"""

import os


class Plugin:
    # Everything plugin.json says may also be said here; what stands here wins.
    # This plugin leaves it to plugin.json.

    def __init__(self):
        # One object lives as long as the process: what it keeps, it keeps
        # between calls. A restart begins anew.
        self.greetings = 0

    def run(self, action, params, context):
        """Called when somebody presses a button, or by the API."""
        if action == "greet":
            return self.greet(params, context)
        if action == "crash":
            # Not something to do in earnest: no clean-up, no goodbye.
            os._exit(3)
        return {"status": "error", "message": f"Unknown action: {action}"}

    def greet(self, params, context):
        # Stored settings, with the defaults of plugin.json filled in.
        settings = context["settings"]
        words = f"{settings['greeting']}, {params.get('name', 'World')}!"
        message = " ".join([words] * int(settings["repeat"]))
        if settings["loud"]:
            message = message.upper()
        self.greetings += 1

        # Goes to this plugin's log: `pluginctl logs hello`.
        context["logger"].info("greeting number %d: %s", self.greetings, message)

        # Goes to every browser that has the page open.
        context["emit_event"]("greeted", {"message": message, "count": self.greetings})

        return {"status": "ok", "message": message, "count": self.greetings}

    def stop(self, context):
        """Called before the process ends; context["reason"] says why."""
        context["logger"].info(
            "stopped after %d greetings: %s", self.greetings, context.get("reason")
        )
