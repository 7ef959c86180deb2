"""The spawner: imports once what every worker needs, then forks workers.

It stays on one thread, holds nothing open but its control socket and the
program of workers' inits, and runs no plugin's code; whatever it did would be every worker's.
"""

import gc
import importlib
import os
import platform
import select
import signal
import sys

from . import _native, runtime
from .plugin_host import serve_plugin
from .refusals import explain_refusals
from .rehearsal import rehearse

# What nearly every plugin imports, so that no worker has to.
_COMMON = (
    "base64 collections concurrent.futures copy csv dataclasses datetime decimal email.utils enum "
    "functools glob hashlib html http.client http.server importlib.util io itertools json logging "
    "logging.handlers math pathlib queue random re secrets shlex shutil socket socketserver "
    "sqlite3 ssl statistics string struct subprocess tempfile textwrap threading time traceback "
    "types typing unicodedata urllib.parse urllib.request uuid warnings xml.etree.ElementTree "
    "zipfile zoneinfo"
).split()

_EXIT_LINK_LOST = 4
# The program that each worker's init becomes; beside the package.
_INIT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "plugin-init")


def serve_spawner(options):
    """Forks workers until the supervisor is gone. Returns the exit code, also of each worker."""
    # A worker's Python must not answer a Ctrl-C that was meant for the supervisor.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in _COMMON:
        try:
            importlib.import_module(name)
        except ImportError:
            pass  # This interpreter goes without; a plugin that needs it will say so.
    runtime.set_up(options)
    explain_refusals()
    _begin_random_numbers()
    gc.collect()
    # What lives now is never collected: a collection would write to each object
    # and so copy the pages that all workers share.
    gc.freeze()
    forked = _native.spawn_workers(options.control_fd, _INIT, platform.python_version())
    if forked is None:
        return 0
    return _be_worker(*forked)


def _be_worker(assignment_fd, is_spare):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.enable()
    runtime.after_fork()
    _forget_shared_state()
    # A spare waits until it is wanted: what can be done before is done before.
    if is_spare and not select.select([assignment_fd], [], [], 0)[0]:
        rehearse()
    assignment = _native.take_assignment(assignment_fd)
    if assignment is None:
        return _EXIT_LINK_LOST
    plugin, generation, socket_path, token, environment = assignment
    for variable in environment:
        name, _, value = variable.partition("=")
        os.environ[name] = value
    return serve_plugin(socket_path, plugin, generation, token)


def _begin_random_numbers():
    """OpenSSL sets its generator up at the first use, which takes milliseconds: once is enough.

    It sees by its process number that it has been forked, and seeds itself again."""
    ssl = sys.modules.get("ssl")
    if ssl is not None:
        ssl.RAND_bytes(1)


def _forget_shared_state():
    """What one fork may not share with the next.

    The module random seeds itself after a fork (os.register_at_fork).
    """
    seed = os.urandom(32)
    ssl = sys.modules.get("ssl")
    if ssl is not None:
        ssl.RAND_add(seed, 32.0)
    uuid = sys.modules.get("uuid")
    if uuid is not None:
        uuid._node = None
        uuid._last_timestamp = None
