"""Tries what a hostile plugin would, one act per action, and tells what came of it.

The acts are those of the battery that `pluginctl doctor --attack` runs, and some of these tests'
own. Each returns what it got, or raises what the system refused it with; outside of a sandbox the
same acts succeed.
"""

import errno

from plugin_worker.attacks import files, kernel, network, processes, programs

if __package__:
    from . import granted_network, its_own
else:  # By a test, outside of a plugin.
    import granted_network
    import its_own

MODULES = (files, programs, processes, kernel, network, granted_network, its_own)


def attempt(name, params):
    act = next((getattr(module, name) for module in MODULES if hasattr(module, name)), None)
    if act is None:
        return {"unknown": name}
    try:
        return {"got": act(**params)}
    except OSError as error:
        return {"errno": errno.errorcode.get(error.errno, str(error.errno)), "text": str(error)}


class Plugin:
    def run(self, action, params, context):
        return attempt(action, params or {})
