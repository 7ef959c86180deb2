"""The least a plugin can do: what is measured is the way to it and back."""


class Plugin:
    """Answers with what it was given."""

    name = "Trivial"

    def run(self, action, params, context):
        """Returns the number it got."""
        return {"status": "ok", "n": params["n"]}
