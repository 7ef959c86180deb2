"""Processes as the kernel shows them."""

import json
import os
import queue
import signal
import subprocess
import threading
import time
from pathlib import Path

from .waiting import eventually, seconds

SANITIZER_REPORTS = (
    "AddressSanitizer",
    "LeakSanitizer",
    "ThreadSanitizer",
    "UndefinedBehaviorSanitizer",
    "runtime error:",
)


def identity(pid: int):
    """(pid, start time): the same process for as long as both are the same."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else (pid, fields[19])


def is_alive(process) -> bool:
    return process is not None and identity(process[0]) == process


def descendants(pid: int):
    """Everything below `pid`, as identities."""
    children = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = Path(f"/proc/{entry}/stat").read_text()
        except OSError:
            continue
        parent = int(stat.rpartition(")")[2].split()[1])
        children.setdefault(parent, []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        for child in children.get(todo.pop(), ()):
            todo.append(child)
            found.append(identity(child))
    return [process for process in found if process]


def seen_from_here(pid: int, ancestor: int) -> int:
    """The number outside of its PID namespace of a process below `ancestor` that calls itself
    `pid`."""
    for number, _ in descendants(ancestor):
        try:
            status = Path(f"/proc/{number}/status").read_text()
        except OSError:
            continue
        for line in status.splitlines():
            if line.startswith("NSpid:") and int(line.split()[-1]) == pid:
                return number
    raise AssertionError(f"no process below {ancestor} calls itself {pid}")


def parent(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def state_of(pid: int) -> str:
    """"R", "S", "T" (stopped), ...; "" when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


_MARK = b"PLUGIN_SUPERVISOR_LAUNCH="


def launch_mark(pid: int) -> bytes:
    """What marks every process of the launch that `pid` is of."""
    for variable in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
        if variable.startswith(_MARK):
            return variable
    raise AssertionError(f"process {pid} carries no launch mark")


def marked(mark: bytes) -> list[int]:
    """The processes that carry it."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            if mark in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                if identity(int(entry)):
                    found.append(int(entry))
        except OSError:
            continue
    return found


def mentioning(path) -> list[int]:
    """Processes that have `path` on their command line or in their environment.

    Not this one, nor those it runs in."""
    needle, own, found = os.fsencode(str(path)), {os.getpid(), os.getppid()}, []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) in own:
            continue
        for name in ("cmdline", "environ"):
            try:
                if needle in Path(f"/proc/{entry}/{name}").read_bytes():
                    if identity(int(entry)):
                        found.append(int(entry))
                    break
            except OSError:
                break
    return found


class Daemon:
    """A program that says in one line of JSON on stdout that it is ready."""

    def __init__(self, name: str, command, log_path: Path, environment=None, directory=None):
        self.name = name
        self.log_path = log_path
        self._log = open(log_path, "ab")
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
            cwd=directory,
        )
        self._lines = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    @property
    def pid(self) -> int:
        return self.process.pid

    def ready_line(self, within: float = 30.0) -> dict:
        try:
            line = self._lines.get(timeout=seconds(within))
        except queue.Empty:
            raise AssertionError(f"{self.name} was not ready in time:\n{self.log_tail()}") from None
        if line is None:
            code = self.process.wait(5)
            raise AssertionError(f"{self.name} ended with {code}:\n{self.log_tail()}")
        return json.loads(line)

    def said_nothing(self) -> bool:
        """It ended without a line on stdout."""
        self._reader.join(seconds(5))
        return self._lines.get(timeout=1) is None

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self) -> str:
        return "\n".join(self.log().splitlines()[-30:])

    def signal(self, number: int):
        self.process.send_signal(number)

    def wait(self, within: float) -> int:
        """Its exit code."""
        try:
            return self.process.wait(seconds(within))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end in time:\n{self.log_tail()}") from None

    def terminate(self, within: float = 20.0) -> int:
        self.signal(signal.SIGTERM)
        return self.wait(within)

    def close(self):
        """Ends it however it is, and everything below it."""
        below = descendants(self.pid) if self.process.poll() is None else []
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(seconds(20))
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        for process in below:
            if is_alive(process):
                os.kill(process[0], signal.SIGKILL)
        self._log.close()

    def sanitizer_reports(self) -> list[str]:
        return [
            line
            for line in self.log().splitlines()
            if any(report in line for report in SANITIZER_REPORTS)
        ]


def await_gone(processes, within: float = 10.0):
    """Waits until none of these identities is a process any more."""
    eventually(
        lambda: not [p for p in processes if is_alive(p)],
        f"the end of {[p[0] for p in processes]}",
        within,
    )


def frozen(pid: int):
    """Stops a process by SIGSTOP for the length of a `with` block."""
    return _Frozen(pid)


class _Frozen:
    def __init__(self, pid: int):
        self.pid = pid

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)

    def __exit__(self, *_):
        try:
            os.kill(self.pid, signal.SIGCONT)
        except ProcessLookupError:
            pass  # Whoever found it stuck has ended it.


def stopwatch():
    """A function that tells the seconds since now."""
    begin = time.monotonic()
    return lambda: time.monotonic() - begin


def turns_by_thread(pid: int) -> dict:
    """How often each thread of a process has been given a processor, by number and name."""
    told = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        name = Path(f"/proc/{pid}/task/{task}/comm").read_text().strip()
        counts = Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()
        told[int(task), name] = int(counts[2])
    return told
