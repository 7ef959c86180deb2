"""Attempts at the network, and at sockets of others."""

import os
import socket


def connect(host, port):
    with socket.create_connection((host, port), timeout=3):
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


def loopback():
    """To itself, as servers inside of plugins do."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.create_connection(server.getsockname(), timeout=3):
            return True


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


def interfaces():
    return sorted(os.listdir("/sys/class/net")) if os.path.isdir("/sys/class/net") else None
