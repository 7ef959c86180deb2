"""Tries what a hostile plugin would, one act per action, and tells what came of it.

The acts are those of the battery that `pluginctl doctor --attack` runs. Each returns what it got, or
raises what the system refused it with; outside of a sandbox the same acts succeed.
"""

import errno
import importlib

MODULES = ("files", "programs", "processes", "kernel", "network")


def attempt(name, params):
    try:
        from . import granted_network
    except ImportError:  # Outside of a plugin.
        granted_network = None
    modules = [importlib.import_module(f"plugin_worker.attacks.{module}") for module in MODULES]
    for module in [*modules, granted_network]:
        function = getattr(module, name, None)
        if function is not None:
            break
    else:
        return {"unknown": name}
    try:
        return {"got": function(**params)}
    except OSError as error:
        return {"errno": errno.errorcode.get(error.errno, str(error.errno)), "text": str(error)}


def battery(values):
    """The rows of all attempts, made on what `values` names."""
    runner = importlib.import_module("plugin_worker.attacks.battery")
    return runner.in_child(values, 50)


class Plugin:
    def run(self, action, params, context):
        if action == "battery":
            return battery(params)
        return attempt(action, params or {})
