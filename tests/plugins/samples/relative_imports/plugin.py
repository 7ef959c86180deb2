"""Imports modules and a package beside plugin.py, without an __init__.py of its own."""

from . import helpers
from .deeper.table import ROWS
from .helpers import greet


class Plugin:
    def run(self, action, params, context):
        from .late import ANSWER

        return {
            "status": "ok",
            "message": greet(params.get("name", "World")),
            "rows": ROWS,
            "answer": ANSWER,
            "module": __name__,
            "helpers": helpers.__name__,
        }
