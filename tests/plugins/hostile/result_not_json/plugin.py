"""Vice: results that are not JSON, in every way."""


class Lying(dict):
    def items(self):
        raise RuntimeError("items() does not work")

    def __iter__(self):
        raise RuntimeError("iteration does not work")


class Plugin:
    def run(self, action, params, context):
        values = {
            "object": lambda: {"data": {"items": [1, {"value": object()}]}},
            "set": lambda: {"data": {1, 2}},
            "bytes": lambda: {"data": b"\xff"},
            "nan": lambda: {"data": float("nan")},
            "infinity": lambda: {"data": [float("inf")]},
            "surrogate": lambda: {"data": "\ud800"},
            "bad_key": lambda: {"data": {(1, 2): 3}},
            "lying_dict": lambda: {"data": Lying(a=1)},
            "generator": lambda: (number for number in range(3)),
            "huge_int": lambda: {"data": 10**10_000},
        }
        return values.get(action, lambda: {"status": "ok"})()
