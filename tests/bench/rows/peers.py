"""Other ways to have a Python plugin in a process of its own. None of them sandboxes,
supervises or stores anything; where one cannot run here, it says why and is left out."""

import json
import os
import pathlib
import select
import shutil
import subprocess
import time

from .supervised import HERE, PLUGIN
from .table import note

HOST = HERE / "go_plugin_host"

COLD = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("plugin", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
plugin = module.Plugin()
print("ready", flush=True)
sys.stdin.read()
"""


class ColdInterpreter:
    """A python3 that loads the plugin and says so on a pipe, started by posix_spawn."""

    name = "cold python3, no link"

    def __init__(self):
        self.process = subprocess.Popen(
            ["/usr/bin/python3", "-c", COLD, str(PLUGIN)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}, close_fds=False,
        )  # fmt: skip

    def await_ready(self):
        if not select.select([self.process.stdout], [], [], 30)[0]:
            raise SystemExit("bench: a cold interpreter did not load the plugin in 30 s")
        self.process.stdout.readline()

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(30)

    @classmethod
    def starts(cls, count):
        """Milliseconds from the launch until the plugin is constructed, `count` times."""
        taken = []
        for _ in range(count):
            began = time.monotonic()
            peer = cls()
            peer.await_ready()
            taken.append((time.monotonic() - began) * 1e3)
            peer.end()
        return taken


class GoPluginHost:
    """HashiCorp's go-plugin with a grpcio plugin around the same class."""

    name = "HashiCorp go-plugin"

    def __init__(self, build):
        self.program = pathlib.Path(build) / "bench" / "go_plugin_host"
        self.missing = self._build()
        if self.missing:
            note(f"  peer not available: {self.name}: {self.missing}")

    def _build(self):
        go = shutil.which("go")
        if go is None:
            return "there is no go"
        try:
            import grpc  # noqa: F401
        except ImportError:
            return "python3-grpcio is not installed"
        self.program.parent.mkdir(parents=True, exist_ok=True)
        built = subprocess.run(
            [go, "build", "-o", self.program, "."], cwd=HOST, capture_output=True, text=True,
            timeout=600, env={**os.environ, "GOFLAGS": "-mod=readonly"},
        )  # fmt: skip
        return "go build: " + built.stderr.strip()[-300:] if built.returncode else None

    def starts(self, count):
        """Milliseconds until the plugin could be called, and until its first answer."""
        command = [self.program, str(count), "/usr/bin/python3", HOST / "echo_plugin.py",
                   PLUGIN.parent]  # fmt: skip
        out = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=600)
        told = json.loads(out.stdout)
        return [us / 1e3 for us in told["ready_us"]], [us / 1e3 for us in told["answered_us"]]
