"""As much of HTTP/2 and gRPC as it takes to lie in them, by hand."""

import socket
import struct
import time

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_METHOD = "/plugin_supervisor.v1.WorkerLink/Attach"


def frame(kind, flags, stream, payload=b""):
    head = struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream)
    return head + payload


def message(payload, announced=None):
    """A message of gRPC, which may announce another length than it has."""
    return b"\0" + struct.pack(">I", len(payload) if announced is None else announced) + payload


def field(number, value):
    """Of protobuf: bytes, text or a whole number."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _varint(value):
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def connected(path):
    """A connection on which nothing is said; None when it would have to wait for one."""
    client = socket.socket(socket.AF_UNIX)
    client.setblocking(False)
    try:
        client.connect(path)
    except BlockingIOError:
        client.close()
        return None
    return client


class Attach:
    """One call of Attach on a connection of its own. Closed by a `with` block."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(10)
        self._socket.connect(path)
        headers = {
            ":method": "POST", ":scheme": "http", ":path": _METHOD, ":authority": "localhost",
            "te": "trailers", "content-type": "application/grpc",
        }  # fmt: skip
        block = b"".join(
            b"\0" + bytes([len(n)]) + n.encode() + bytes([len(v)]) + v.encode()
            for n, v in headers.items()
        )
        self.send(_PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, _END_HEADERS, 1, block))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def send(self, raw):
        """False when the other side has gone."""
        try:
            self._socket.sendall(raw)
            return True
        except OSError:
            return False

    def say(self, raw, end=False):
        """Data of the stream, in frames that are not too long."""
        pieces = [raw[i : i + 16384] for i in range(0, len(raw), 16384)] or [b""]
        last = len(pieces) - 1
        return self.send(
            b"".join(
                frame(DATA, _END_STREAM if end and i == last else 0, 1, piece)
                for i, piece in enumerate(pieces)
            )
        )

    def outcome(self, within=10):
        """How it ends: {"status": of gRPC, or why there is none, "heard": bytes of messages}."""
        heard, rest, until = 0, b"", time.monotonic() + within
        while time.monotonic() < until:
            try:
                part = self._socket.recv(65536)
            except TimeoutError:
                break
            except OSError:
                part = b""
            if not part:
                return {"status": "closed", "heard": heard}
            rest += part
            while len(rest) >= 9 and len(rest) >= 9 + int.from_bytes(rest[:3], "big"):
                size, kind, flags = int.from_bytes(rest[:3], "big"), rest[3], rest[4]
                payload, rest = rest[9 : 9 + size], rest[9 + size :]
                if kind == DATA:
                    heard += len(payload)
                elif kind == SETTINGS and not flags & _ACK:
                    self.send(frame(SETTINGS, _ACK, 0))
                elif kind in (RST_STREAM, GOAWAY):
                    return {"status": "reset", "heard": heard}
                elif kind == HEADERS and b"grpc-status" in payload:
                    after = payload.split(b"grpc-status", 1)[1]
                    return {"status": after[1 : 1 + after[0]].decode(), "heard": heard}
        return {"status": "none", "heard": heard}
