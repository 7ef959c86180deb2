#!/usr/bin/env python3
"""Writes the seeds of the fuzzers into corpus/: one of each kind of input.

What a fuzzer found later stands beside them, in files that begin with "found-",
and is left alone.
"""
import json
import pathlib
import re
import struct

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CORPUS = HERE / "corpus"


def varint(number):
    number &= (1 << 64) - 1
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def message(fields):
    """A protobuf message from a list of (field number, value)."""
    out = b""
    for number, value in fields:
        if isinstance(value, float):
            out += varint(number << 3 | 1) + struct.pack("<d", value)
        elif isinstance(value, (int, bool)):
            out += varint(number << 3) + varint(int(value))
        else:
            if isinstance(value, list):
                value = message(value)
            if isinstance(value, str):
                value = value.encode()
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


# --- Text ---------------------------------------------------------------------

PERMISSIONS = {
    "network": {"outbound": ["example.org:443", "*", "10.0.0.1", "[::1]:80", 8080], "listen": [9192]},
    "filesystem": {"read": ["/data"], "write": ["/data/exports"]},
    "exec": ["ffmpeg", "self", "/usr/bin/x"],
    "host": ["orm", "settings:other"],
    "devices": ["dri", "nvidia"],
    "environment": ["TZ"],
    "runtime": {"gevent": True, "python": "/venv/bin/python3", "profile": "host"},
    "limits": {"memory_mb": 512, "cpus": 0.5, "processes": 64, "open_files": 256},
}


def manifests():
    for path in sorted((ROOT / "tests/plugins").glob("s*/*/plugin.json")):
        yield path.parent.name.replace(" ", "_"), path.read_bytes()
    yield "settings", (
        ROOT / "tests/plugins/samples/hello/plugin.json"
    ).read_bytes() + b'\0{"greeting": "hi", "limit": 3, "loud": true, "mode": null}'
    fields = [
        {"id": kind, "type": kind, "label": kind, "default": value, "options": [{"value": 1, "label": "one"}],
         "min": 0, "max": 1.5, "max_length": 3, "required": True}
        for kind, value in [("boolean", False), ("number", 1), ("string", "a"), ("text", "b"),
                            ("select", 1), ("info", None), ("password", "x"), ("multiselect", [])]
    ]
    settings = {"boolean": 1, "number": 2.5, "string": "long", "select": "1", "multiselect": "no"}
    yield "all_fields", json.dumps({"name": "x", "fields": fields}).encode() + b"\0" + json.dumps(settings).encode()
    yield "inspected", json.dumps({
        "_problems": ["x"], "_computed": ["fields", "actions"], "name": "Legacy", "version": 1.2,
        "navigation": True, "pages": {"a": {}}, "permissions": PERMISSIONS, "help_url": "https://example.org",
        "actions": [{"id": 1, "label": "go", "confirm": {"required": True, "title": "t", "message": "m"},
                     "events": ["channel_start"], "params": [], "download": False}]}).encode()
    yield "deep", b"[" * 70 + b"]" * 70
    yield "not_utf8", b'{"name": "\xff\xc3\xa9"}'


def permissions():
    whole = json.dumps(PERMISSIONS).encode()
    yield "whole", whole
    yield "granted", whole + b"\0" + whole + b"\0exec=sh\nlimits.cpus=2\nnetwork.listen=80\0files=required,network=off"
    for name, value in PERMISSIONS.items():
        yield name, json.dumps({name: value}).encode() + b"\0{}\0" + name.encode() + b"=x\0all=off"
    yield "terms", b"{}\0" + whole + b"\0filesystem.read=/data/in\nhost=redis\nexec\nlimits.memory_mb=64\0scope=preferred"
    yield "wrong", b'{"network": {"listen": [0]}, "exec": "sh", "unknown": null}'


def profiles():
    yield "example", (ROOT / "deploy/dispatcharr/profiles.toml").read_bytes()
    readme = (ROOT / "README.md").read_text()
    yield "readme", re.search(r"```toml\n(.*?)```", readme, re.S).group(1).encode()
    yield "standalone", b'[profile.standalone]\npython = "/usr/bin/python3"\npath = []\ncompat = true\n'
    yield "wrong", b"[profile.x]\npath = [1]\n[other]\n"
    yield "types", b"[profile.x]\na = 1979-05-27T07:32:00Z\nb = 0x1f\nc = '''x\n'''\nd = [[1], {e = inf}]\n"


def json_texts():
    for name, text in [
        ("object", 'data\n{"data": {"a": [1, 2.5e3, true, null, "x\\u00e9\\n"]}, "data": 1}'),
        ("escaped", 'data\n{"d\\u0061ta": "\\ud83d\\ude00", "\\"": {}}'),
        ("host", 'id\n{"plugin": "sample", "collection": "c", "id": 7, "data": {"k": "v"}, "items": [{}]}'),
        ("options", 'cpus\n{"memory_bytes": 536870912, "cpus": 0.5, "stop_timeout_ms": 1000, "max_in_flight": 4,'
         ' "sandbox": "files=off", "profile": "host", "processes": null}'),
        ("numbers", "x\n[0, -0, 1e308, 5e-324, 18446744073709551615, -9223372036854775808, 0.1, 123456789012345678.5]"),
        ("deep", "x\n" + "[" * 64 + "]" * 64),
        ("broken", 'x\n{"a": tru'),
        ("blank", "\n \t\r\n 1 "),
    ]:
        yield name, text.encode()


def texts():
    yield "plain", "a line\nanother, with \xe9\n".encode()
    yield "escapes", b"\x1b[31mred\x1b[0m\x07\x08\x7f \xe2\x80\xae back \xe2\x80\xa8 \xc2\x9b"
    yield "broken", b"\xff\xc3 \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82"
    yield "mark", b"\x1ejob:0b7a\x1eprinted\r\nand \xf0\x9f\x98\x80\xcc\x81\n"
    yield "stored", (b'{"time":"2026-03-01T12:00:00.250113Z","level":"info","source":"stdout","plugin":"hello",'
                     b'"generation":3,"job":"","logger":"","text":"x","number":812}')


# --- HTTP -----------------------------------------------------------------------


def request(method, path, body=b"", headers=(), version="1.1"):
    lines = [f"{method} {path} HTTP/{version}", "Host: gateway.example:9195", "Authorization: Bearer token"]
    lines += headers
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def requests():
    plugin, worker = "/api/plugins/plugins/", "/api/supervisor/workers/"
    yield "healthz", request("GET", "/healthz")
    yield "readyz", request("HEAD", "/readyz")
    yield "metrics", request("GET", "/metrics", version="1.0")
    yield "list", request("GET", plugin)
    yield "run", request("POST", plugin + "hello/run/", b'{"action": "go", "params": {"a": [1]}}',
                         ["Prefer: respond-async", "X-Requested-By: somebody"])
    yield "resource", request("POST", plugin + "hello/ui/resource", b'{"resource": "r"}')
    yield "enabled", request("POST", plugin + "a%20b/enabled/", b'{"enabled": "yes", "grant": "asked"}')
    yield "settings", request("POST", plugin + "hello/settings/", b'{"settings": {"x": 1e400}}')
    yield "logo", request("GET", plugin + "hello/logo/?v=1")
    yield "options", request("PATCH", worker + "hello/options/", b'{"cpus": 2, "processes": null}')
    yield "permissions", request("PUT", worker + "hello/permissions/", json.dumps(PERMISSIONS).encode())
    yield "control", request("POST", worker + "hello/restart/")
    yield "why", request("GET", worker + "%C3%A9/")
    yield "stacks", request("POST", worker + "hello/dump-stacks/")
    yield "logs", request("GET", worker + "hello/logs/?tail=20&level=warning&job=0b7a&since=60&x=%2")
    yield "jobs", request("GET", "/api/supervisor/jobs/?plugin=hello&limit=5&unfinished=true&before=1700000000000")
    yield "job", request("DELETE", "/api/supervisor/jobs/0b7a/") + request("GET", "/api/supervisor/jobs/0b7a?wait=1")
    yield "chunked", request("POST", plugin + "hello/run/", headers=["Transfer-Encoding: chunked"]) + (
        b'8;x=y\r\n{"action\r\n7\r\n": "go"\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n')
    yield "smuggled", request("POST", plugin + "hello/run/", headers=[
        "Content-Length: 5", "Transfer-Encoding: gzip, chunked"]) + b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
    yield "expect", request("POST", plugin + "hello/run/", b'{"action": "x"}', ["Expect: 100-continue"])
    yield "no_token", b"GET /api/plugins/plugins/ HTTP/1.1\r\nHost: x\r\n\r\n"
    yield "absolute", b"GET http://x/healthz?a=b#c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    yield "old", b"GET /healthz HTTP/1.0\r\n\r\n"
    yield "other_version", b"GET /healthz HTTP/2.7\r\nHost: x\r\n\r\n"
    yield "folded", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n"
    yield "garbage", b"\x16\x03\x01\x02\x00\x01\x00"
    yield "many", request("GET", "/healthz") * 20


# --- Messages --------------------------------------------------------------------

METADATA = [(1, "Sample"), (2, "1.0"), (3, "It does."), (4, "Somebody"), (5, "https://example.org"),
            (6, '[{"id": "limit", "type": "number", "label": "Limit", "default": 3}]'),
            (7, '[{"id": "go", "label": "Go", "events": ["channel_start"]}]'),
            (8, "{}"), (9, '{"label": "Sample"}'), (10, "{}"), (11, json.dumps(PERMISSIONS))]
FAILURE = [(1, 40), (2, "run"), (3, "It raised."), (4, "Look."), (5, "sample"), (6, "line 1"), (7, "SIGSEGV"), (8, 3)]
LOADED = [(1, METADATA), (2, "a warning"), (3, 1200), (4, 30)]
OUTCOME = [(1, b"\x01\x02\x0a"), (2, [(1, 12), (2, "no landlock")]), (3, 4)]


def hello(resumed=None, token="token", version=1, plugin="sample", generation=7):
    fields = [(1, version), (2, plugin), (3, generation), (4, token), (5, 4711), (6, "3.11.2")]
    if resumed is not None:
        fields.append((7, resumed))
    return (1, fields + [(8, OUTCOME)])


def batch(*frames):
    return message([(1, [frame]) for frame in frames])


def step(what, payload=b""):
    return bytes([what]) + struct.pack("<H", len(payload)) + payload


HEAR, CALL, HANG_UP, CALL_OFF, WAIT = 4, 0, 1, 2, 3


def links():
    start = step(HEAR, batch(hello())) + step(HEAR, batch((2, LOADED)))
    log = (5, [(1, [(1, 5), (2, 20), (3, 1), (4, 9), (5, "a.b"), (6, "said\x1b[31m"), (7, "0b7a")]), (2, 3)])
    result = (4, [(1, 1), (2, '{"status": "ok"}')])
    yield "load", start
    yield "load_failed", step(HEAR, batch(hello(), (3, FAILURE)))
    yield "call", start + step(CALL, b"go") + step(HEAR, batch(log, (11, [(1, 1), (2, 0.5), (3, "half")]), result))
    yield "raises", start + step(CALL, b"go") + step(HEAR, batch((4, [(1, 1), (3, FAILURE)])))
    yield "twice", start + step(CALL + 128, b"go") + step(HEAR, batch(result, result))
    yield "not_json", start + step(CALL, b"go") + step(HEAR, batch((4, [(1, 1), (2, "{")])))
    yield "too_large", start + step(CALL, b"go") + step(HEAR, batch((4, [(1, 1), (2, json.dumps("x" * 300))])))
    yield "called_off", start + step(CALL, b"go") + step(CALL_OFF + 8) + step(WAIT + 248) + step(HEAR, batch(result))
    yield "expires", step(CALL, b"early") + start + step(WAIT + 248) * 20 + step(HEAR, batch(result))
    yield "full", start + step(CALL, b"go") * 8 + step(HEAR, batch(*[(4, [(1, n), (2, "1")]) for n in range(9)]))
    yield "event", start + step(HEAR, batch((6, [(1, "tick"), (2, '{"n": 1}')])))
    yield "pong", start + step(WAIT + 8) + step(HEAR, batch((7, [(1, 1), (2, 5000), (3, True), (4, 2)]))) + step(WAIT + 8)
    yield "stopped", start + step(HEAR, batch((8, [(1, True), (2, FAILURE)]))) + step(HANG_UP)
    yield "metadata", start + step(HEAR, batch((9, LOADED)))
    yield "stacks", start + step(HEAR, batch((10, [(1, "Thread 1\n  File x\n")])))
    for method, params in [(1, {"key": "other"}), (2, {"settings": {}}), (3, {}),
                           (4, {"group": "g", "type": "t", "data": 1}), (10, {"collection": "c"}),
                           (11, {"collection": "c", "items": [{}]}), (13, {"collection": "c", "id": 1, "data": {}})]:
        yield f"host_{method}", start + step(HEAR, batch((12, [(1, 1), (2, method), (3, json.dumps(params))])))
    task = [(1, "t1"), (2, "fetch"), (6, "0b7a")]
    yield "task", start + step(HEAR, batch((13, task + [(3, 1)]), (13, task + [(3, 2)]),
                                           (13, task + [(3, 3), (4, '{"n": 1}')])))
    yield "task_failed", start + step(HEAR, batch((13, task + [(3, 2)]), (13, task + [(3, 4), (5, FAILURE)])))
    owed = [(1, LOADED), (2, [(1, 4), (2, "go"), (3, "old"), (4, True)]), (2, [(1, 5), (2, "run"), (3, "0b7a")]), (3, 5)]
    yield "resumed", step(HEAR, batch(hello(owed), (4, [(1, 4), (2, "1")]))) + step(CALL, b"go")
    yield "resumed_twice", step(HEAR, batch(hello(owed))) + step(HANG_UP) + step(HEAR, batch(hello(owed)))
    yield "wrong_token", step(HEAR, batch(hello(token="other")))
    yield "wrong_version", step(HEAR, batch(hello(version=999)))
    yield "wrong_plugin", step(HEAR, batch(hello(plugin="another")))
    yield "second_hello", start + step(HEAR, batch(hello()))
    yield "no_hello", step(HEAR, batch((2, LOADED)))
    yield "nothing", step(HEAR, b"") + step(HEAR, batch((99, "later")))


def answers():
    worker = [(1, 3), (2, FAILURE), (3, 42), (4, 1700000000000), (6, 3), (8, 1 << 20), (9, 1.5), (11, FAILURE),
              (20, [(1, 1), (6, 5)]), (21, [(1, "disable"), (2, "killed"), (3, True), (4, 12), (5, 1700000000000)]),
              (22, [(1, 1 << 30), (2, 0.5), (3, 512), (5, 2), (10, 4096)]), (23, [(1, 2), (2, 1700000000000), (3, 80)]),
              (24, "standalone"), (26, [(1, 2), (2, [(1, 11), (2, True), (3, "/proc")]), (3, 70000)])]
    plugin = [(1, "sample"), (2, METADATA), (3, True), (5, '{"a": 1}'), (10, FAILURE), (12, "w"), (13, worker),
              (15, "repo"), (18 - 2, True), (20, "/plugins/sample"), (22, [(1, [(3, "ffmpeg")]), (5, "admin"), (6, 1)])]
    job = [(1, "0b7a"), (2, "sample"), (3, "go"), (4, 2), (5, 4), (6, "api"), (8, 1), (9, 2), (10, 3), (11, 0.25),
           (12, "half"), (13, "[1]"), (14, FAILURE), (15, 1500)]
    yield "plugin", b"\0" + message(plugin)
    yield "job", b"\1" + message(job)
    yield "line", b"\2" + message([(1, 1700000000000000), (2, 30), (3, 2), (4, 7), (5, "a"), (6, 'x"\\'), (7, "0b7a")])
    yield "why", b"\3" + message([(1, plugin), (2, "It runs."), (3, "Nothing."), (4, [(1, 1), (2, 3), (3, 2), (4, 3), (5, FAILURE)])])
    yield "failure", b"\4" + message(FAILURE)


def records():
    permissions_message = [(1, [(1, "example.org:443"), (2, b"\xe8\x47")]), (3, "ffmpeg"), (8, [(1, 512), (2, 0.5)])]
    launch = message([(1, 1), (2, "sample"), (3, 7), (4, bytes(32)), (5, "i:7:sample"), (6, "boot"), (7, 1700000000000),
                      (8, [(1, 1000), (10, 1 << 29), (11, 0.5), (21, "files=off")]), (9, "standalone"), (10, "sample.7"),
                      (11, permissions_message), (12, 70000), (13, 20), (13, 21), (14, "network=off")])
    yield "whole", launch + b"\n--\nbegan 4711 1\nexited 3\n"
    yield "signalled", launch + b"\n--\nbegan 4711 0\nsignalled 9\n"
    yield "failed", launch + b"\n--\nfailed mount_proc 13\n"
    yield "cut", launch[:40] + b"\n--\nbegan 47"
    yield "nothing", b"\n--\n"


def main():
    for target, seeds in [("answers", answers()), ("json", json_texts()), ("link_protocol", links()),
                          ("manifest", manifests()), ("permissions", permissions()), ("profiles", profiles()),
                          ("records", records()), ("text", texts())]:
        write(target, seeds)
    # The last byte says how the others come: at once, in small pieces, overdue.
    write("http", ((f"{name}-{how}", seed + bytes([how])) for name, seed in requests() for how in (0, 9, 192)))


def write(target, seeds):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if not old.name.startswith("found-"):
            old.unlink()
    for name, seed in seeds:
        (folder / name).write_bytes(seed)


if __name__ == "__main__":
    main()
