"""The folder's name is an identifier, so it is a name of the package, too."""

import sys

from alias_import.numbers_table import NUMBERS


class Plugin:
    def run(self, action, params, context):
        import alias_import.plugin

        return {
            "status": "ok",
            "numbers": NUMBERS,
            "module": __name__,
            "same_module": alias_import.plugin is sys.modules[__name__],
            "same_class": alias_import.plugin.Plugin is type(self),
        }
