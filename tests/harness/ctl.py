"""pluginctl, as a script would use it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from .waiting import build_dir, eventually, seconds

OK, FAILED, USAGE, NOT_FOUND, NOT_READY, UNREACHABLE, TIMED_OUT = range(7)


class Answer(NamedTuple):
    code: int
    data: Any  # The JSON on stdout; None when there was none.
    err: str
    text: str

    def ok(self):
        assert self.code == OK, f"exit status {self.code}: {self.err}{self.text}"
        return self.data


class Call:
    """A pluginctl that runs beside the test."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def answer(self, within: float = 60.0) -> Answer:
        try:
            out, err = self.process.communicate(timeout=seconds(within))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise AssertionError(
                f"pluginctl did not answer within {seconds(within):.0f} s"
            ) from None
        return _answer(self.process.returncode, out, err)

    def is_waiting(self) -> bool:
        return self.process.poll() is None


def _answer(code, out, err) -> Answer:
    try:
        data = json.loads(out) if out.strip() else None
    except ValueError:
        data = None
    return Answer(code, data, err, out)


class Ctl:
    def __init__(self, socket: Path):
        self.socket = socket
        self.program = build_dir() / "supervisor/cli/pluginctl"

    def begin(self, *arguments) -> Call:
        return Call(self._command(arguments))

    def __call__(self, *arguments, within: float = 60.0) -> Answer:
        return self.begin(*arguments).answer(within)

    def human(self, *arguments, **environment) -> subprocess.CompletedProcess:
        """Without --json."""
        return subprocess.run(
            [self.program, "--socket", self.socket, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=seconds(60),
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )

    def _command(self, arguments):
        words = [a if isinstance(a, str) else json.dumps(a) for a in arguments]
        return [str(self.program), "--socket", str(self.socket), "--json", *words]

    # What the tests say most often.

    def run(self, key: str, action: str, params=None, timeout: str | None = None) -> Answer:
        return self.begin_run(key, action, params, timeout).answer()

    def begin_run(self, key: str, action: str, params=None, timeout: str | None = None) -> Call:
        more = [] if timeout is None else ["--timeout", timeout]
        return self.begin("run", key, action, "--params", json.dumps(params or {}), *more)

    def result(self, key: str, action: str, params=None) -> Any:
        return self.run(key, action, params).ok()

    def enable(self, *keys: str):
        calls = [self.begin("enable", key) for key in keys]
        return [call.answer().ok()["plugin"] for call in calls]

    def disable(self, *keys: str):
        calls = [self.begin("disable", key) for key in keys]
        return [call.answer().ok()["plugin"] for call in calls]

    def show(self, key: str) -> dict:
        return self("show", key).ok()

    def list(self) -> dict:
        return {plugin["key"]: plugin for plugin in self("list").ok()["plugins"]}

    def worker(self, key: str) -> dict:
        return self.show(key)["worker"]

    def logs(self, key: str, *more) -> list[dict]:
        answer = self("logs", key, *more)
        assert answer.code == OK, answer.err
        return [json.loads(line) for line in answer.text.splitlines()]

    def log_texts(self, key: str) -> list[str]:
        return [line["text"] for line in self.logs(key)]

    def await_log(self, key: str, text: str, within: float = 10.0):
        eventually(
            lambda: any(text in line for line in self.log_texts(key)),
            f"{key} logs {text!r}",
            within,
        )

    def await_state(self, key: str, *states: str, within: float = 15.0) -> dict:
        def reached():
            worker = self.worker(key)
            return worker if worker["state"] in states else None

        return eventually(reached, f"{key} is {' or '.join(states)}", within)

    def await_in_flight(self, key: str, count: int, within: float = 15.0):
        eventually(
            lambda: self.worker(key)["in_flight"] >= count, f"{count} calls in {key}", within
        )
