"""One call into the plugin, and what went wrong with it as a failure tuple.

A failure tuple is (reason, step, message, hint, evidence); the native module
makes the link's Failure of it.
"""

import errno
import inspect
import traceback

from . import _native
from .json_values import NotJson, to_json

_MAX_EVIDENCE = 40
_MAX_TEXT = 4000
# What only the host's own interpreter can import.
_HOST_MODULES = {"django", "apps", "core", "celery", "dispatcharr", "rest_framework", "channels"}

# What to do when nothing is known of the error but the step.
_HINTS = {
    "import": "The traceback shows the line; it is tried again when the plugin's files change.",
    "construct": "Plugin() raised: the traceback shows where. It is tried again when the plugin's "
    "files or settings change.",
}


class CallCancelled(BaseException):
    """Raised in a call that goes on although nobody waits for it any more."""


def failure(reason, step, message, hint="", evidence=()):
    """A failure tuple."""
    return (reason, step, message, hint, list(evidence))


def failure_of(error, reason, step, skip_frames=0):
    """The failure tuple of an exception; its first `skip_frames` frames are ours."""
    hint = _hint(error) or _HINTS.get(step, "")
    return failure(reason, step, describe(error), hint, traceback_lines(error, skip_frames))


def describe(error):
    """ "ValueError: text", whatever the exception's own methods do."""
    try:
        text = str(error)
    except BaseException:
        text = "(its text cannot be had)"
    name = type(error).__name__
    return (f"{name}: {text}" if text else name)[:_MAX_TEXT]


def traceback_lines(error, skip_frames=0):
    """The last lines of the traceback."""
    where = error.__traceback__
    while skip_frames and where is not None and where.tb_next is not None:
        where = where.tb_next
        skip_frames -= 1
    try:
        text = "".join(traceback.format_exception(type(error), error, where))
    except BaseException:
        return [describe(error)]
    return [line[:_MAX_TEXT] for line in text.splitlines()][-_MAX_EVIDENCE:]


_NEEDS_HOST = (
    "This plugin needs the Dispatcharr (Django) runtime profile; this worker runs without Django."
)


_NO_ROOM = (
    "Its files may not grow: its data directory is full, or one file would be larger than that may "
    "be. Remove what it does not need, or raise the limit with pluginctl limits --disk."
)


def _hint(error):
    hint = getattr(error, "hint", None)  # Of what our own code raised.
    if isinstance(hint, str) and hint and type(error).__module__.startswith("plugin_worker."):
        return hint
    if type(error).__name__ in ("ImproperlyConfigured", "AppRegistryNotReady"):
        return _NEEDS_HOST  # Django is installed here, but nobody has set it up.
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        return _NO_ROOM
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return ""
    missing = error.name.partition(".")[0]
    if missing in _HOST_MODULES:
        return _NEEDS_HOST
    return f'Install "{missing}" for the Python of this worker, or put it beside the plugin.'


def result_bytes(value, limit):
    """The JSON of what a plugin returned, or a failure tuple."""
    try:
        text = to_json(value, "result")
    except NotJson as error:
        return failure(_native.REASON_RESULT_NOT_JSON, "result", str(error))
    except BaseException as error:  # A dict of the plugin's own making.
        return failure_of(error, _native.REASON_RESULT_NOT_JSON, "result")
    if not isinstance(value, dict):
        text = b'{"status":"ok","result":' + text + b"}"
    if len(text) > limit:
        return failure(
            _native.REASON_RESULT_TOO_LARGE,
            "result",
            f"The result has {len(text)} bytes; the limit is {limit}.",
            "Write large data to a file and return its path, or answer in parts.",
        )
    return text


def takes_an_argument(method):
    """Whether a stop method is called with the context, by its signature."""
    try:
        signature = inspect.signature(method)
    except (TypeError, ValueError):  # Not written in Python.
        return True
    try:
        signature.bind(None)
        return True
    except TypeError:
        pass
    try:
        signature.bind()
        return False
    except TypeError:
        return True  # Let the call say what it misses.
