"""What the lifecycle benchmarks run against: supervisor and gateway as built, a PostgreSQL of
their own without fsync (the disc is not what is measured), and any number of plugins."""

import contextlib
import json
import os
import pathlib
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE.parent))

from harness.installation import FULL_SANDBOX, Installation  # noqa: E402
from harness.postgres import Postgres  # noqa: E402

PLUGIN = HERE / "rest" / "bench_echo" / "plugin.py"
MANIFEST = {"name": "Bench echo", "version": "1.0.0", "description": "Answers with its params."}


class Supervised:
    def __init__(self, postgres, count, enabled=False, plugin=PLUGIN, passable=False, **flags):
        self.installation = Installation(postgres)
        # Where a service has it, too: on tmpfs, as /run is.
        self.runtime_dir = tempfile.TemporaryDirectory(prefix="psbench-", dir="/dev/shm")
        self.installation.runtime_dir = pathlib.Path(self.runtime_dir.name)
        if passable:  # To users of plugins, without a root of their own.
            for directory in (self.installation.runtime_dir, self.installation.directory):
                directory.chmod(0o711)
        self.keys = [f"echo_{number:04}" for number in range(count)]
        code = plugin.read_text()
        for key in self.keys:
            self.installation.write(key, code, MANIFEST)
        self.flags = {"log_format": "json", **FULL_SANDBOX, **flags}
        self.boot_seconds = self.boot(enabled)
        self.gateway = self.installation.start_gateway()
        self.connection = self.gateway.rest.connection()
        self.request("GET", "/readyz")

    def boot(self, enabled):
        """Starts the supervisor; with `enabled`, a second time, with every plugin enabled in the
        database beforehand. Returns the seconds until all are ready."""
        made = self.installation
        if enabled:
            made.start_supervisor(**self.flags)
            made.sql("UPDATE plugins_pluginconfig SET enabled = true, ever_enabled = true")
            made.supervisor.terminate()
        began = time.monotonic()
        made.start_supervisor(**self.flags)
        if not enabled:
            return 0.0
        log = Log(made.supervisor.log_path)
        ready = 0
        while ready < len(self.keys):
            ready += sum(event["event"] == "worker.ready" for event in log.more())
            if time.monotonic() - began > 300:
                raise SystemExit(f"bench: {ready} of {len(self.keys)} plugins ready in 300 s")
            time.sleep(0.01)
        return time.monotonic() - began

    def log(self):
        return Log(self.installation.supervisor.log_path)

    def request(self, method, path, body=None):
        """As answer(), with its JSON read."""
        text = self.answer(method, path, body)
        return json.loads(text) if text else None

    def answer(self, method, path, body=None):
        """One request on a connection that stays open; the bytes of the answer's body."""
        data = None if body is None else json.dumps(body)
        headers = {
            "Authorization": f"Bearer {self.installation.token}",
            "Content-Type": "application/json",
        }
        self.connection.request(method, path, data, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"bench: {method} {path}: {answer.status} {text[:500]!r}")
        return text

    def enable(self, key, enabled=True):
        path = f"/api/plugins/plugins/{key}/enabled/"
        return self.request("POST", path, {"enabled": enabled})

    def echo(self, key):
        path = f"/api/plugins/plugins/{key}/run/"
        answer = self.request("POST", path, {"action": "echo", "params": {"n": 7}})
        if answer["result"]["n"] != 7:
            raise SystemExit(f"bench: {key} answered {answer}")

    def worker(self, key):
        return self.request("GET", f"/api/supervisor/workers/{key}/")["worker"]

    @property
    def supervisor_pid(self):
        return self.installation.supervisor.pid


class Log:
    """What a daemon writes as JSON lines, from now on."""

    def __init__(self, path):
        self.file = open(path, encoding="utf-8")
        self.rest = ""

    def more(self):
        lines = (self.rest + self.file.read()).split("\n")
        self.rest = lines.pop()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def await_event(self, name, within=30.0, **fields):
        """The first new event of that name and with these fields."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            for event in self.more():
                if event["event"] == name and all(event.get(k) == v for k, v in fields.items()):
                    return event
            time.sleep(0.002)
        raise SystemExit(f"bench: no {name} {fields} within {within:g} s")

    def await_events(self, name, count, within=60.0):
        """The next `count` events of that name."""
        found = []
        deadline = time.monotonic() + within
        while len(found) < count:
            found += [event for event in self.more() if event["event"] == name]
            if time.monotonic() > deadline:
                raise SystemExit(f"bench: {len(found)} of {count} {name} within {within:g} s")
            time.sleep(0.002)
        return found


@contextlib.contextmanager
def supervised(count, enabled=False, plugin=PLUGIN, **flags):
    postgres = Postgres()
    try:
        made = Supervised(postgres, count, enabled, plugin, **flags)
        try:
            yield made
        finally:
            made.connection.close()
            made.installation.close()
            made.runtime_dir.cleanup()
    finally:
        postgres.close()


def load_text():
    return "load %.1f %.1f %.1f" % os.getloadavg()
