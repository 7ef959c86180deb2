"""The folder's name is an identifier, so it is a name of the package, too."""

import importlib
import sys

from alias_import.numbers_table import NUMBERS


class Plugin:
    def run(self, action, params, context):
        by_alias = importlib.import_module("alias_import.plugin")
        return {
            "status": "ok",
            "numbers": NUMBERS,
            "module": __name__,
            "same_module": by_alias is sys.modules[__name__],
            "same_class": by_alias.Plugin is type(self),
        }
