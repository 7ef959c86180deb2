"""All attempts, each in a process of its own with a deadline."""

import ctypes
import json
import os
import select
import signal
import struct
import sys
import time

from . import files, kernel, network, processes, programs
from .attempt import Outcome, Untried, in_force
from .system_call import call
from .targets import Targets

ATTEMPTS = (
    *files.ATTEMPTS, *programs.ATTEMPTS, *processes.ATTEMPTS, *kernel.ATTEMPTS, *network.ATTEMPTS,
)  # fmt: skip
_EACH_S = 4.0


def run_battery(values):
    """Rows as AttackResult has them. `values`: see Targets, and "protections" that are in force."""
    targets = Targets(values)
    known = in_force(
        values.get("protections", ()), targets.grants, effective_capabilities(), os.getuid()
    )
    rows = []
    for attempt in sorted(ATTEMPTS, key=lambda attempt: attempt.number):
        outcome = make(attempt, targets)
        rows.append(
            {
                "number": attempt.number,
                "name": attempt.name,
                "what": attempt.what,
                "verdict": attempt.verdict(outcome, known, targets.grants),
                "outcome": outcome.text,
                "stopped_by": list(dict.fromkeys(b.protection for b in attempt.barriers)),
            }
        )
    return rows


def make(attempt, targets, within=_EACH_S):
    """One attempt in a child; an Outcome, whatever it does to the child."""
    reading, writing = os.pipe()
    try:
        pid = os.fork()
    except OSError as error:
        os.close(reading)
        os.close(writing)
        return Outcome(untried=f"no process can be started: {error.strerror}")
    if pid == 0:
        _be_the_child(attempt, targets, writing)
    os.close(writing)
    try:
        said = _read_until_closed(reading, time.monotonic() + within)
    finally:
        os.close(reading)
        status = _end(pid)
    if said is None:
        return Outcome(untried=f"no end of it within {within:g} s")
    if not said:
        return Outcome(untried=f"it was ended {_how(status)}")
    kind, _, rest = said.partition(" ")
    return Outcome(untried=rest) if kind == "untried" else Outcome(error=int(rest or 0))


def effective_capabilities():
    """Of this process, as bits, as the kernel tells."""
    version_3 = 0x20080522
    header = struct.pack("Ii", version_3, 0)
    sets = ctypes.create_string_buffer(24)
    call("capget", header, sets)
    low, high = struct.unpack("6I", sets.raw)[::3]
    return low | high << 32


def _be_the_child(attempt, targets, writing):
    said = ""
    try:
        # A group of its own, so that what it starts is ended with it.
        os.setpgid(0, 0)
        attempt.act(targets)
        said = "done "
    except Untried as why:
        said = f"untried {why}"
    except OSError as error:
        said = f"error {error.errno}" if error.errno else f"untried {error}"
    except BaseException as error:
        said = f"untried {type(error).__name__}: {error}"
    finally:
        os.write(writing, said.encode("utf-8", "replace")[:4000])
        os._exit(0)


def _read_until_closed(fd, deadline):
    """None at the deadline. Until the child itself has said something: what it has started may
    hold the pipe open."""
    left = deadline - time.monotonic()
    if left <= 0 or not select.select([fd], [], [], left)[0]:
        return None
    return os.read(fd, 4096).decode("utf-8", "replace")


def _end(pid):
    for number in (-pid, pid):
        try:
            os.kill(number, signal.SIGKILL)
        except OSError:
            pass
    try:
        return os.waitpid(pid, 0)[1]
    except ChildProcessError:  # A plugin that waits for all children, or for none.
        return None


def _how(status):
    if status is None:
        return "somehow"
    if not os.WIFSIGNALED(status):
        return "without a word"
    number = os.WTERMSIG(status)
    return "by a filter of the host" if number == signal.SIGSYS else f"by signal {number}"


def in_child(values, within):
    """run_battery() in a child of this process, whose descriptors and threads stay as they are.

    Raises TimeoutError, or RuntimeError when the child has ended without an answer."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGALRM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            text = json.dumps({"results": run_battery(values)})
        except BaseException as error:
            text = json.dumps({"error": f"{type(error).__name__}: {error}"})
        with os.fdopen(writing, "w", encoding="utf-8") as out:
            out.write(text)
        os._exit(0)
    os.close(writing)
    try:
        text = _read_all(reading, time.monotonic() + within)
    finally:
        os.close(reading)
        _end(pid)
    answer = json.loads(text) if text else {"error": "it ended without an answer"}
    if "error" in answer:
        raise RuntimeError(f"the battery failed: {answer['error']}")
    return answer


def _read_all(fd, deadline):
    parts = []
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            raise TimeoutError("the battery did not end in time")
        part = os.read(fd, 1 << 16)
        if not part:
            return b"".join(parts).decode("utf-8")
        parts.append(part)


if __name__ == "__main__":  # Outside of a sandbox: python3 -m plugin_worker.attacks.battery '{}'
    json.dump(run_battery(json.loads(sys.argv[1] if len(sys.argv) > 1 else "{}")), sys.stdout)
