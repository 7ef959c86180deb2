"""Has no class named Plugin, so the package is tried next."""

GREETING = "from plugin.py"
