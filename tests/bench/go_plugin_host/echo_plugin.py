"""The benchmarks' plugin as a Python plugin of a HashiCorp go-plugin host.

    echo_plugin.py DIRECTORY

Serves gRPC on a Unix socket and says so in go-plugin's handshake line.
"""

import importlib.util
import json
import os
import sys
import tempfile
from concurrent import futures

import grpc
from google.protobuf.wrappers_pb2 import BytesValue


def plugin_in(directory):
    spec = importlib.util.spec_from_file_location("bench_plugin", os.path.join(directory, "plugin.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Plugin()


def main():
    plugin = plugin_in(sys.argv[1])

    def run(request, _context):
        result = plugin.run("echo", json.loads(request.value), {})
        return BytesValue(value=json.dumps(result).encode())

    def healthy(_request, _context):
        return b"\x08\x01"  # grpc.health.v1.HealthCheckResponse: SERVING.

    def shut_down(_request, _context):
        server.stop(0)
        return b""  # plugin.Empty

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    server.add_generic_rpc_handlers((
        grpc.method_handlers_generic_handler("bench.Echo", {
            "Run": grpc.unary_unary_rpc_method_handler(
                run, BytesValue.FromString, BytesValue.SerializeToString),
        }),
        grpc.method_handlers_generic_handler("grpc.health.v1.Health", {
            "Check": grpc.unary_unary_rpc_method_handler(healthy),
        }),
        grpc.method_handlers_generic_handler("plugin.GRPCController", {
            "Shutdown": grpc.unary_unary_rpc_method_handler(shut_down),
        }),
    ))  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="bench-go-plugin-") as directory:
        path = os.path.join(directory, "socket")
        server.add_insecure_port("unix:" + path)
        server.start()
        # Core protocol 1, our protocol 1, where, how.
        print(f"1|1|unix|{path}|grpc", flush=True)
        server.wait_for_termination()


if __name__ == "__main__":
    main()
