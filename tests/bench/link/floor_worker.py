"""The floor's worker: length-prefixed protobuf on descriptor 3, no gRPC."""

import json
import os
import socket
import struct
import sys

sys.path.insert(0, sys.argv[1])
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from plugin_supervisor.v1 import worker_link_pb2
from trivial.plugin import Plugin


def read_exactly(connection, size):
    """The next `size` bytes; ends the process at the end of the stream."""
    data = connection.recv(size)
    while data and len(data) < size:
        data += connection.recv(size - len(data))
    if not data:
        sys.exit(0)
    return data


def main():
    """Answers one call after the other."""
    plugin = Plugin()
    connection = socket.socket(fileno=3)
    while True:
        (size,) = struct.unpack("<I", read_exactly(connection, 4))
        frame = worker_link_pb2.SupervisorFrame.FromString(read_exactly(connection, size))
        invoke = frame.invoke
        value = plugin.run(invoke.name, json.loads(invoke.params_json), {})
        answer = worker_link_pb2.WorkerFrame()
        answer.result.call_id = invoke.call_id
        answer.result.result_json = json.dumps(value).encode()
        data = answer.SerializeToString()
        connection.sendall(struct.pack("<I", len(data)) + data)


main()
