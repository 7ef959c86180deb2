"""An installation made by deploy/up, as a user would make it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from .ctl import Ctl
from .processes import identity, is_alive
from .rest import Rest
from .waiting import ROOT, build_dir, eventually, seconds

UP = ROOT / "deploy" / "up"
DOWN = ROOT / "deploy" / "down"


def environment(**more) -> dict:
    """This one's, without what would point deploy/up elsewhere."""
    kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return {**kept, **more}


def up_command(*arguments) -> list[str]:
    return [str(UP), "--no-install", "--preset", build_dir().name, *map(str, arguments)]


def up(*arguments, within=120, **variables) -> subprocess.CompletedProcess:
    """Runs deploy/up to its end. The output goes to files: what it leaves
    running would keep a pipe open."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        done = subprocess.run(
            up_command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment(**variables),
            timeout=seconds(within),
            cwd="/",
        )
        for file in (out, err):
            file.seek(0)
        return subprocess.CompletedProcess(
            done.args, done.returncode, out.read().decode(), err.read().decode()
        )


def down(state: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [DOWN, "--state", state],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds(90),
        cwd="/",
    )


def started_for(state: Path) -> list[int]:
    """Processes that belong to the installation in `state`: those that name it,
    or work in it, and all below them."""
    found, needle = [], os.fsencode(str(state))
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            named = needle in (entry / "cmdline").read_bytes()
            works_there = os.readlink(entry / "cwd").startswith(str(state))
            if (named or works_there) and identity(int(entry.name)):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


class Deployment:
    """What deploy/up told about one that runs."""

    def __init__(self, told: dict):
        self.told = told
        self.state = Path(told["state"])
        self.rest = Rest(told["url"], told["token"])
        self.ctl = Ctl(self.state / "run" / "supervisor.sock")
        self.plugins_dir = self.state / "plugins"

    @classmethod
    def detached(cls, state: Path, *arguments, **variables) -> Deployment:
        done = up("--state", state, "--listen", "127.0.0.1:0", "--detach", *arguments, **variables)
        assert done.returncode == 0, done.stderr
        return cls(json.loads(done.stdout))

    def down(self):
        done = down(self.state)
        assert done.returncode == 0, done.stderr
        eventually(lambda: started_for(self.state) == [], "nothing is left")


class Foreground:
    """A deploy/up in the foreground of a session of its own, as in a terminal."""

    def __init__(self, state: Path, *arguments, **variables):
        self.state = state
        self.log_path = state.with_suffix(".stderr")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                up_command("--state", state, "--listen", "127.0.0.1:0", *arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd="/",
                env=environment(**variables),
                start_new_session=True,
            )
        self._lines = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def ready(self) -> Deployment:
        line = self._lines.get(timeout=seconds(120))
        assert line is not None, self.log_path.read_text()
        return Deployment(json.loads(line))

    def press_control_c(self):
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self, within=60) -> int:
        return self.process.wait(seconds(within))

    def close(self):
        leader = identity(self.process.pid)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds(60))
            except subprocess.TimeoutExpired:
                if is_alive(leader):
                    os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)
        down(self.state)
