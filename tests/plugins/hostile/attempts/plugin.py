"""Tries what a hostile plugin would, one attempt per action, and tells what came of it.

Each attempt is a function of one of the modules beside this; it returns what it got, or raises what
the system refused it with. Run outside a sandbox the same functions succeed.
"""

import errno
import importlib
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
MODULES = ("attempts_files", "attempts_processes", "attempts_kernel", "attempts_network")


def attempt(name, params):
    for module in MODULES:
        function = getattr(importlib.import_module(module), name, None)
        if function is not None:
            break
    else:
        return {"unknown": name}
    try:
        return {"got": function(**params)}
    except OSError as error:
        return {"errno": errno.errorcode.get(error.errno, str(error.errno)), "text": str(error)}


class Plugin:
    def run(self, action, params, context):
        return attempt(action, params or {})
