"""A worker as one would write it with grpcio alone: a unary method on a thread pool."""

import json
import os
import sys
from concurrent import futures

sys.path.insert(0, sys.argv[1])
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import grpc
from plugin_supervisor.v1 import worker_link_pb2
from trivial.plugin import Plugin

plugin = Plugin()


def run(invoke, _context):
    """Answers one call."""
    value = plugin.run(invoke.name, json.loads(invoke.params_json), {})
    return worker_link_pb2.Result(
        call_id=invoke.call_id, result_json=json.dumps(value).encode()
    )


server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
server.add_generic_rpc_handlers(
    (
        grpc.method_handlers_generic_handler(
            "bench.Unary",
            {
                "Run": grpc.unary_unary_rpc_method_handler(
                    run,
                    request_deserializer=worker_link_pb2.Invoke.FromString,
                    response_serializer=worker_link_pb2.Result.SerializeToString,
                )
            },
        ),
    )
)
server.add_insecure_port(sys.argv[2])
server.start()
server.wait_for_termination()
