"""Python values as JSON bytes, and where in a value the thing is that JSON has not."""

import json

# Kept short: a path is for a person to read.
_MAX_PATH = 200

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class NotJson(ValueError):
    """The message names the path: "result.items[3].when: datetime is not JSON"."""


def to_json(value, name):
    """The UTF-8 JSON of `value`. Raises NotJson; `name` is what paths start with."""
    try:
        text = _encode(value)
    except RecursionError:
        raise NotJson(f"{name}: nested too deeply for JSON") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise NotJson(_find_culprit(value, name) or f"{name}: {error}") from None
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        # Surrogates: pairs become the character they stand for; a lone one has
        # no UTF-8 and gives way to the replacement character.
        joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return joined.encode("utf-8")


def _find_culprit(root, name):
    """Searches without recursion, so that a deep value cannot end the search."""
    waiting = [(root, name, ())]
    while waiting:
        value, path, parents = waiting.pop()
        if value is None or isinstance(value, (str, bool, int)):
            continue
        if isinstance(value, float):
            if value != value or value in (float("inf"), float("-inf")):
                return f"{_short(path)}: {value} is not JSON"
            continue
        if isinstance(value, dict):
            for key in value:
                if not (key is None or isinstance(key, (str, int, float, bool))):
                    return f"{_short(path)}: a key of type {type(key).__name__} is not JSON"
            children = [(child, _member(path, key)) for key, child in value.items()]
        elif isinstance(value, (list, tuple)):
            children = [(child, f"{path}[{index}]") for index, child in enumerate(value)]
        else:
            return f"{_short(path)}: {type(value).__name__} is not JSON"
        if id(value) in parents:
            return f"{_short(path)}: refers back to what holds it"
        if len(parents) > 500:
            return f"{_short(path)}: nested too deeply for JSON"
        inside = (*parents, id(value))
        waiting.extend((child, where, inside) for child, where in reversed(children))
    return None


def _member(path, key):
    if isinstance(key, str) and key.isidentifier():
        return f"{path}.{key}"
    return f"{path}[{json.dumps(str(key), ensure_ascii=True)}]"


def _short(path):
    return path if len(path) <= _MAX_PATH else path[:_MAX_PATH] + "..."
