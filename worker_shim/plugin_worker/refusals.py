"""Says which permission was missing when the sandbox refuses something.

What the system says, "Permission denied", tells neither the author nor the admin what to do. The
calls that a missing permission stops are wrapped; a call that succeeds costs a frame more.
"""

import errno
import functools
import os
import socket
import subprocess

from . import file_refusals

_REFUSED = (errno.EACCES, errno.EPERM)
_TO_NOBODY = ("169.254.", "fe80:")


def explain_refusals():
    """Once per interpreter, before there is a plugin."""
    _wrap(socket.socket, "bind", _bind_refused)
    _wrap(socket.socket, "connect", _connect_refused)
    _wrap(socket.socket, "sendto", _datagram_refused)
    _wrap(socket.socket, "__init__", _socket_refused)
    _wrap(subprocess.Popen, "__init__", _program_refused)
    _explain_lookups()
    file_refusals.explain_file_refusals()


def _wrap(owner, name, explanation):
    plain = getattr(owner, name)

    @functools.wraps(plain)
    def explained(self, *arguments, **named):
        try:
            return plain(self, *arguments, **named)
        except OSError as error:
            if error.errno in _UNREACHABLE:
                file_refusals.explain(error, lambda: explanation(error, arguments, named))
            raise

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
    return _destination_refused("connection", address)


def _datagram_refused(error, arguments, _named):
    address = arguments[-1] if len(arguments) > 1 else None
    return _destination_refused("datagram", address) if isinstance(address, tuple) else None


def _destination_refused(what, address):
    host, port = str(address[0]), address[1]
    if host.startswith(_TO_NOBODY):
        return f"{what} to {host} refused: link-local addresses are open to no plugin"
    host = f"[{host}]" if ":" in host else host
    return f"{what} to {host}:{port} refused: grant network.outbound={host}:{port}"


def _socket_refused(error, arguments, named):
    family = named.get("family", arguments[0] if arguments else socket.AF_INET)
    if error.errno not in _REFUSED or family not in (socket.AF_INET, socket.AF_INET6, -1):
        return None
    return "network refused: grant network.outbound or network.listen"


def _explain_lookups():
    plain = socket.getaddrinfo

    @functools.wraps(plain)
    def explained(host, *arguments, **named):
        try:
            return plain(host, *arguments, **named)
        except socket.gaierror as error:
            if isinstance(host, str) and not _may_ask_for_names():
                error.strerror = f"the name {host} cannot be looked up: grant network.outbound={host}"
            raise

    socket.getaddrinfo = explained


def _may_ask_for_names():
    """Whether a name service is within reach, as far as the sandbox goes."""
    try:
        with open("/etc/resolv.conf") as file:
            words = [line.split() for line in file]
        servers = [word[1] for word in words if len(word) > 1 and word[0] == "nameserver"]
        server = (servers or ["127.0.0.1"])[0]
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((server, 53))
    except OSError as error:
        return error.errno not in _UNREACHABLE
    return True


def _program_refused(error, arguments, named):
    command = named.get("args", arguments[0] if arguments else "")
    if error.errno not in _REFUSED:
        return None
    program = command if isinstance(command, (str, bytes)) else command[0] if command else ""
    name = os.path.basename(os.fsdecode(os.fspath(program)).split(" ")[0])
    return f"execution of {name} refused: grant exec={name}"
