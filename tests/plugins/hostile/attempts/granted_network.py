"""What only a plugin that was granted some network can try; never part of the battery."""

import os
import socket


def bind_datagrams(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", port))
        return True


def connect_from_child(host, port):
    """The errno that a process below the plugin's gets, or 0."""
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            os.setsid()
        with socket.socket() as client:
            os._exit(client.connect_ex((host, port)))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def connect_mapped(host, port):
    """By an address of IPv6 that stands for one of IPv4."""
    with socket.socket(socket.AF_INET6) as client:
        client.settimeout(3)
        client.connect((f"::ffff:{host}", port))
        return True


def look_up(name):
    return sorted({found[4][0] for found in socket.getaddrinfo(name, None)})
