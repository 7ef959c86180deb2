"""What this worker asks of the host, over the link.

The plugin's identity is the connection's: there is nothing here that would let it be another.
One connection per process, set before the plugin's code runs; usable from any thread.
"""

import json
import time

from . import _native
from .json_values import to_json

# How long a thread waits for the host before it gives up.
_DEADLINE_S = 30.0
# Between waits Python looks whether the call was cancelled.
_SLICE_S = 0.2
# Requests over this are refused before they are sent; the supervisor's limit is the same.
MAX_BYTES = 4 << 20

_REASONS = {
    value: name.removeprefix("REASON_").lower()
    for name, value in vars(_native).items()
    if name.startswith("REASON_")
}


class HostCallFailed(RuntimeError):
    """The host did not do what was asked. `reason` is a code such as "permission_denied"."""

    def __init__(self, reason, message, hint=""):
        super().__init__(message)
        self.reason = reason
        self.hint = hint


class NotSupported(NotImplementedError):
    """The compat package has no such thing; the host's own runtime profile has."""

    def __init__(self, what):
        super().__init__(
            f"{what} is not part of what the standalone runtime profile offers of the host"
        )
        self.hint = (
            "Use what is there (PluginConfig, PluginData, send_websocket_update, shared_task), or "
            "let the plugin run under a profile that has the host itself."
        )


class _Connection:
    link = None
    key = None


def connect(link, key):
    """Called once per process, before the plugin's code is imported."""
    _Connection.link = link
    _Connection.key = key


def plugin_key():
    """The key of the plugin that runs in this process."""
    if _Connection.key is None:
        raise HostCallFailed("internal", "there is no plugin in this process")
    return _Connection.key


def link():
    """The link to the supervisor."""
    plugin_key()
    return _Connection.link


def call(method, params, deadline=_DEADLINE_S):
    """What the host answers, decoded. Raises HostCallFailed; blocks the calling thread."""
    text = to_json(params, "parameters")
    if len(text) > MAX_BYTES:
        raise HostCallFailed(
            "request_too_large",
            f"this is {len(text)} bytes of JSON for the host; the limit is {MAX_BYTES}",
            "Store large data in files, or in parts.",
        )
    to = link()
    until = time.monotonic() + deadline
    number = _begin(to, method, text, until)
    try:
        while True:
            left = until - time.monotonic()
            answer = to.host_answer(number, max(0.0, min(_SLICE_S, left)))
            if answer is not None:
                break
            if left <= 0:
                raise HostCallFailed(
                    "deadline_exceeded", f"the host did not answer within {deadline:g} s"
                )
    except ConnectionError as error:
        raise HostCallFailed("link_lost", str(error)) from None
    except BaseException:
        to.host_forget(number)
        raise
    if isinstance(answer, tuple):
        reason, _step, message, hint, _evidence = answer
        raise HostCallFailed(_REASONS.get(reason, "internal"), message, hint)
    return json.loads(answer) if answer else None


def _begin(to, method, text, until):
    while True:
        try:
            return to.host_call(method, text)
        except ConnectionError as error:
            raise HostCallFailed("link_lost", str(error)) from None
        except BlockingIOError as error:
            if time.monotonic() >= until:
                raise HostCallFailed("queue_full", str(error)) from None
            time.sleep(0.005)
