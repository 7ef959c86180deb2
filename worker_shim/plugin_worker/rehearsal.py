"""Done by a worker before it is given its plugin: a start as it will be, with nobody looking.

Memory that a fork shares is copied page by page as it is first written to, and every object that
Python looks at is written to. A start takes most of its time for that; a spare worker has the time.
"""

import faulthandler
import io
import logging
import os
import sys

from . import _native
from .log_capture import capture_logging
from .plugin_host import PluginHost
from .print_capture import JobMarkedOutput

_NAME = "rehearsed"
_DIRECTORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), _NAME)


class _Nobody:
    """In place of the link."""

    def loaded(self, *_):
        pass

    def load_failed(self, failure):
        pass

    def progress(self, *_):
        pass

    def is_cancelled(self, _call_id):
        return False

    def max_result_bytes(self):
        return 1 << 20


def rehearse():
    """Never raises; leaves nothing that a plugin could find."""
    modules = set(sys.modules)
    loggers = set(logging.Logger.manager.loggerDict)
    try:
        _native.rehearse_link()
        _capture()
        plugin = PluginHost(_Nobody(), _load())
        plugin.load()
        plugin.call(_native.CALL_KIND_RUN, "echo", '{"n": 1}', 1, "")
    except Exception:
        # The start itself will tell what is wrong.
        pass
    for name in set(sys.modules) - modules:
        if _NAME in name:
            del sys.modules[name]
    for name in set(logging.Logger.manager.loggerDict) - loggers:
        del logging.Logger.manager.loggerDict[name]


def _capture():
    faulthandler.enable()
    faulthandler.disable()
    root = logging.getLogger()
    handlers = root.handlers[:]
    capture_logging(_Nobody())
    root.handlers[:] = handlers
    JobMarkedOutput(io.BytesIO(), "strict").write("rehearsed\n")


def _load():
    return {
        "key": _NAME,
        "settings_json": '{"text": "one"}',
        "directory": _DIRECTORY,
        "folder_name": _NAME,
        "plugins_dir": "",
        "manifest": {"name": _NAME},
    }
