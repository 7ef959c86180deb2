"""Opens its link a second time and lies in it, with what it knows from its own process."""

import importlib.util
import os
import sys

_spec = importlib.util.spec_from_file_location(
    "link_liar_http2", os.path.join(os.path.dirname(os.path.abspath(__file__)), "http2.py")
)
http2 = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(http2)


def secrets():
    """Of this launch: they are in a frame below this one, for the process is the plugin's."""
    at = sys._getframe()
    while at is not None:
        if at.f_code.co_name == "serve_plugin":
            known = at.f_locals
            return {name: known[name] for name in ("socket_path", "key", "generation", "token")}
        at = at.f_back
    raise LookupError("no secrets were found")


def hello(version, key, generation, token):
    said = http2.field(1, version) + http2.field(2, key) + http2.field(3, generation)
    said += http2.field(4, token) + http2.field(5, os.getpid())
    return http2.message(http2.field(1, http2.field(1, said)))


def nested(depth):
    """A message of a plugin's metadata in which one value holds the next."""
    inside = b""
    for _ in range(depth):
        inside = http2.field(1, inside)
    return inside


class Plugin:
    def run(self, action, params, context):
        mine = secrets()
        if action == "secrets":
            return {**mine, "token": mine["token"].hex()}
        if action == "ping":
            return {"pong": True}
        if action == "connect":
            self.kept = [http2.connected(mine["socket_path"]) for _ in range(params["count"])]
            return {"connected": sum(one is not None for one in self.kept)}
        with http2.Attach(mine["socket_path"]) as attach:
            if action == "hello":
                attach.say(
                    hello(
                        params.get("version", 1),
                        params.get("key", mine["key"]),
                        params.get("generation", mine["generation"]),
                        bytes.fromhex(params["token"]) if "token" in params else mine["token"],
                    )
                )
            elif action == "half":
                attach.say(http2.message(b"\x0a\x64half", announced=100), end=True)
            elif action == "too_long":
                attach.say(http2.message(b"x" * 1000, announced=0x7FFFFFFF))
            elif action == "nested":
                attach.say(http2.message(nested(params["depth"])))
            elif action == "tiny":
                attach.say(http2.message(b"") * params["count"])
            elif action == "garbage":
                attach.send(os.urandom(1 << 20))
            elif action == "end":
                attach.say(b"", end=True)
            return attach.outcome()
