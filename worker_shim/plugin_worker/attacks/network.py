"""Attempts at the network, and at sockets of others."""

import errno
import os
import socket

from .attempt import Attempt, Untried, barriers


def connect(host, port):
    with socket.create_connection((host, port), timeout=3):
        return True


def begin_to_connect(host, port):
    """Whether a first packet is let out; nobody waits for an answer."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as client:
        client.setblocking(False)
        try:
            client.connect((host, port))
        except BlockingIOError:
            pass
        return True


def listen(port):
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", port))
        server.listen()
        return True


def send_datagram(host, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return sender.sendto(b"x", (host, port))


def connect_unix(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(3)
        client.connect(path)
        return True


def connect_abstract(name):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(3)
        client.connect("\0" + name)
        return True


def speak_to(path):
    """Whether whoever listens there talks to it (HTTP/2), or only the kernel took the connection."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(3)
        client.connect(path)
        try:
            client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\4" + bytes(5))
            heard = client.recv(9)
        except (BrokenPipeError, ConnectionResetError):
            heard = b""
        if not heard:
            raise ConnectionResetError(errno.ECONNRESET, "it was hung up on")
        return True


def _to_service(at, name):
    """The sockets that the supervisor saw on the host: in a root of its own they are not there."""
    for path in at.services:
        if name in path:
            return connect_unix(path)
    raise Untried("the host has none")


_REMOTE = barriers(
    system_calls__internet="EACCES", network="ENETUNREACH", ports="EACCES", hosts="EPERM"
)
_LOCAL = barriers(
    system_calls__internet="EACCES", network="ECONNREFUSED", ports="EACCES", hosts="EPERM"
)
# Landlock has no word on the sockets of others that are files.
_SOCKET_FILE = barriers(root="ENOENT", user="EACCES")
# On its own the supervisor looks at who connects.
_PEER_SEEN = (*_SOCKET_FILE, *barriers(supervisor="ECONNRESET"))

ATTEMPTS = (
    Attempt(40, "connect_loopback", "connect to a service of the host (127.0.0.1)",
            lambda at: connect("127.0.0.1", at.port), _LOCAL, granted_by="outbound"),
    Attempt(40, "connect_loopback6", "connect to a service of the host (::1)",
            lambda at: connect("::1", at.port6), _LOCAL, granted_by="outbound"),
    Attempt(40, "connect_metadata", "connect to the cloud's own service (169.254.169.254)",
            lambda at: begin_to_connect("169.254.169.254", 80), _REMOTE,
            through=(errno.EHOSTUNREACH, errno.ENETUNREACH), granted_by="outbound"),
    Attempt(41, "send_datagram", "send a datagram, as DNS does",
            lambda at: send_datagram("192.0.2.1", 53),
            barriers(system_calls__internet="EACCES", network="ENETUNREACH", hosts="EPERM"),
            through=(errno.ENETUNREACH,), granted_by="network"),
    Attempt(42, "listen", "listen on a port that was not granted",
            lambda at: listen(at.free_port),
            barriers(system_calls__internet="EACCES", ports="EACCES")),
    Attempt(43, "supervisor_socket", "speak to the supervisor by its socket",
            lambda at: speak_to(at.supervisor_socket), _PEER_SEEN),
    Attempt(43, "sibling_socket", "speak on another plugin's link",
            lambda at: speak_to(os.path.join(at.sibling_launch, "link")), _PEER_SEEN),
    Attempt(43, "container_socket", "connect to docker.sock",
            lambda at: _to_service(at, "docker.sock"), _SOCKET_FILE,
            host_may=(errno.EACCES,)),
    Attempt(43, "message_bus", "connect to D-Bus", lambda at: _to_service(at, "dbus"),
            barriers(root="ENOENT")),
    Attempt(43, "database_socket", "connect to PostgreSQL's socket",
            lambda at: _to_service(at, ".s.PGSQL"), barriers(root="ENOENT")),
    Attempt(44, "abstract_socket", "connect to an abstract socket of another process",
            lambda at: connect_abstract(at.abstract),
            barriers(network="ECONNREFUSED", scope="EPERM")),
)  # fmt: skip
