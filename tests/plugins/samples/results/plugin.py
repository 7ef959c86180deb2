"""One action for each kind of result."""

import base64

VALUES = {
    "text": "just text",
    "list": [1, "two", None],
    "none": None,
    "int": 42,
    "big_int": 123456789012345678901234567890,
    "float": 0.1,
    "bool": True,
    "tuple": (1, (2, 3)),
    "dict": {"anything": "goes", "without": "status"},
    "nested": {"status": "ok", "data": [{"a": [{"b": [{"c": [[[]]]}]}]}, {}]},
    "unicode": {"message": "grüße, 日本, 𝄞, \u0000, \u2028, \"quoted\" \\ \n"},
    "numeric_keys": {1: "one", True: "yes", None: "none"},
    "file": {"status": "success", "message": "Export completed", "file": "/data/exports/x.m3u"},
    "queued": {"status": "queued", "message": "started"},
    "error": {"status": "error", "message": "did not work", "error": "did not work"},
}


class Plugin:
    def run(self, action, params, context):
        if action == "echo":
            types = {name: type(value).__name__ for name, value in params.items()}
            return {"status": "ok", "params": params, "types": types}
        if action == "sized":
            return {"status": "ok", "data": "x" * min(int(params["bytes"]), 100_000_000)}
        if action == "download":
            data = base64.b64encode(b"a,b\n1,2\n").decode()
            download = {"filename": "report.csv", "content_type": "text/csv", "data": data}
            return {"status": "ok", "download": download}
        # An action that was never declared is passed on all the same.
        return VALUES.get(action, {"status": "error", "message": f"Unknown action: {action}"})
