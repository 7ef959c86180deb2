"""What a runtime profile does to an interpreter before any plugin is loaded."""

import importlib
import os
import sys

# Stands for the host's modules; beside the package.
_COMPAT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "compat")


def add_options(parser):
    """The options that start_spawner.py and start_worker.py have in common."""
    parser.add_argument("--path", action="append", default=[], metavar="DIR",
                        help="directory to import from, before all others")
    parser.add_argument("--preload", action="append", default=[], metavar="MODULE",
                        help="module that the plugin finds imported")
    parser.add_argument("--setup", action="append", default=[], metavar="MODULE:FUNCTION",
                        help="called once, after the preloads")
    parser.add_argument("--compat", action="store_true", help="stand in for the host's modules")
    parser.add_argument("--gevent", action="store_true", help="monkey.patch_all() before all else")


def prepare(options):
    """Raises what an import or a set-up function raises."""
    sys.path[:0] = options.path
    if options.gevent:
        importlib.import_module("gevent.monkey").patch_all()
    if options.compat and _COMPAT not in sys.path:
        # Behind what is installed, before the plugins' directory: it shadows no installed module,
        # and a plugin's folder called "core" does not shadow it.
        sys.path.append(_COMPAT)


def set_up(options):
    """After prepare() and whatever else is imported early."""
    for name in options.preload:
        importlib.import_module(name)
    for place in options.setup:
        module, _, function = place.partition(":")
        target = importlib.import_module(module)
        for part in function.split(".") if function else ():
            target = getattr(target, part)
        if function:
            target()


def idle_wait():
    """How an idle main thread waits for a descriptor, when not simply by blocking; else None.

    Under gevent what a plugin takes for threads runs on the main thread, while it waits.
    """
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return None
    return importlib.import_module("gevent.socket").wait_read


def after_fork():
    """In a worker, before anything else: what was prepared in the spawner goes on here."""
    gevent = sys.modules.get("gevent")
    if gevent is not None:
        gevent.reinit()
