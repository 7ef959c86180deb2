"""Vice: results nested 100,000 deep, and recursion without end."""

DEPTH = 100_000


def forever(number):
    return forever(number + 1)


class Plugin:
    def run(self, action, params, context):
        if action in ("lists", "objects"):
            value = None
            for _ in range(DEPTH):
                value = [value] if action == "lists" else {"a": value}
            return {"status": "ok", "data": value}
        if action == "recurse":
            return forever(0)
        if action == "deep_params":
            depth, value = 0, params.get("value")
            while isinstance(value, list) and value:
                depth, value = depth + 1, value[0]
            return {"status": "ok", "depth": depth}
        return {"status": "ok"}
