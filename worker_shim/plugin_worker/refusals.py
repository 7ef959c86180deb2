"""Says which permission was missing when the sandbox refuses something.

What the system says, "Permission denied", tells neither the author nor the admin what to do. The
calls that a missing permission stops are wrapped; a call that succeeds costs a frame more.
"""

import errno
import functools
import os
import socket
import subprocess

_REFUSED = (errno.EACCES, errno.EPERM)


def explain_refusals():
    """Once per worker, before the plugin is imported."""
    _wrap(socket.socket, "bind", _bind_refused)
    _wrap(socket.socket, "connect", _connect_refused)
    _wrap(socket.socket, "__init__", _socket_refused)
    _wrap(subprocess.Popen, "__init__", _program_refused)


def _wrap(owner, name, explain):
    plain = getattr(owner, name)

    @functools.wraps(plain)
    def explained(self, *arguments, **named):
        try:
            return plain(self, *arguments, **named)
        except OSError as error:
            what = error.errno in _UNREACHABLE and explain(error, arguments, named)
            if not what:
                raise
            raise type(error)(error.errno, what) from error

    setattr(owner, name, explained)


_UNREACHABLE = (*_REFUSED, errno.ENETUNREACH)


def _bind_refused(error, arguments, _named):
    address = arguments[0] if arguments else None
    if error.errno not in _REFUSED or not isinstance(address, tuple):
        return None
    return f"listen on {address[1]} refused: grant network.listen={address[1]}"


def _connect_refused(error, arguments, _named):
    address = arguments[0] if arguments else None
    if not isinstance(address, tuple):
        return None
    host = f"[{address[0]}]" if ":" in str(address[0]) else address[0]
    return (
        f"connection to {host}:{address[1]} refused: grant network.outbound={host}:{address[1]}"
    )


def _socket_refused(error, arguments, named):
    family = named.get("family", arguments[0] if arguments else socket.AF_INET)
    if error.errno not in _REFUSED or family not in (socket.AF_INET, socket.AF_INET6, -1):
        return None
    return "network refused: grant network.outbound or network.listen"


def _program_refused(error, arguments, named):
    command = named.get("args", arguments[0] if arguments else "")
    if error.errno not in _REFUSED:
        return None
    program = command if isinstance(command, (str, bytes)) else command[0] if command else ""
    name = os.path.basename(os.fsdecode(os.fspath(program)).split(" ")[0])
    return f"execution of {name} refused: grant exec={name}"
