"""What goes wrong, at random moments. The same seed makes the same choices, not the same run:
what it hits depends on the moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from typing import Callable, NamedTuple

from harness.processes import descendants, identity, parent

from .load import Load
from .stage import Stage

LONGEST_STOP = 3.0  # Seconds between SIGSTOP and SIGCONT.
BURNERS, LONGEST_BURN = 4, 2.0
BURN = "import sys, time\nend = time.monotonic() + float(sys.argv[1])\nwhile time.monotonic() < end: pass"


class Fault(NamedTuple):
    at: float  # time.monotonic()
    name: str
    target: str


class Faults:
    def __init__(self, stage: Stage, load: Load, seed: int):
        self.stage = stage
        self.load = load
        self.dice = random.Random(f"faults {seed}")
        self.timeline: list[Fault] = []
        self.hit: set[int] = set()  # Inits that were hit, or whose worker was.
        self._later: list[threading.Thread] = []
        self._over = threading.Event()
        # How often, and what. The function returns what it hit, or None.
        self._kinds: list[tuple[int, str, Callable[[], str | None]]] = [
            (22, "kill worker", lambda: self._kill(self._workers())),
            (14, "kill init", lambda: self._kill(self._inits())),
            (6, "kill spawner", lambda: self._kill(stage.spawners())),
            (12, "stop worker", lambda: self._stop_one(self._workers())),
            (4, "stop init", lambda: self._stop_one(self._inits())),
            (5, "stop spawner", lambda: self._stop_one(stage.spawners())),
            (4, "stop supervisor", lambda: self._stop_daemon(stage.supervisor.pid)),
            (4, "stop gateway", lambda: self._stop_daemon(stage.gateway.pid)),
            (3, "stop PostgreSQL", self._stop_postgres),
            (5, "kill backend", self._kill_backend),
            (1, "crash PostgreSQL", self._crash_postgres),
            (5, "kill gateway", lambda: self._kill_daemon(stage.gateway)),
            (1, "starve", self._starve),
            (3, "fill memory", self._fill_memory),
            (4, "kill supervisor", lambda: self._kill_daemon(stage.supervisor)),
        ]

    def run(self, seconds: float, most: int):
        """Until one of them is reached. The supervisor outlives the last quarter: what it leaks
        can be seen only in one that has seen much."""
        begin = time.monotonic()
        pause = seconds / most
        weights = [weight for weight, _, _ in self._kinds]
        due = begin
        while len(self.timeline) < most:
            due = max(due + self.dice.expovariate(1 / pause), time.monotonic() - 10 * pause)
            now = time.monotonic()
            if now - begin >= seconds:
                break
            time.sleep(max(0.0, min(due - now, begin + seconds - now)))
            _, name, do = self.dice.choices(self._kinds, weights)[0]
            if name == "kill supervisor" and time.monotonic() - begin > 0.75 * seconds:
                continue
            at = time.monotonic()
            target = do()
            if target is not None:
                self.timeline.append(Fault(at, name, target))
            self._later = [thread for thread in self._later if thread.is_alive()]
        self.end()

    def end(self):
        """Lets everything go on that was stopped."""
        self._over.set()
        for thread in self._later:
            thread.join()

    def counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for fault in self.timeline:
            counts[fault.name] = counts.get(fault.name, 0) + 1
        return dict(sorted(counts.items()))

    def _beside(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments)
        self._later.append(thread)
        thread.start()

    # Signals. By pidfd: what has ended meanwhile is not mistaken for another.

    def _send(self, process, *signals: int, pause: float = 0) -> bool:
        try:
            handle = os.pidfd_open(process[0])
        except OSError:
            return False
        try:
            if identity(process[0]) != process:
                return False
            for number in signals[:-1]:
                signal.pidfd_send_signal(handle, number)
                self._over.wait(pause)
            signal.pidfd_send_signal(handle, signals[-1])
            return True
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)

    def _workers(self) -> list:
        return self.stage.called("plugin-worker")

    def _inits(self) -> list:
        return self.stage.called("plugin-init")

    def _one(self, found):
        """One of them, noted as hit."""
        process = self.dice.choice(found)
        try:
            self.hit |= {process[0], parent(process[0])}
        except OSError:
            pass  # It is gone.
        return process

    def _kill(self, found) -> str | None:
        process = self._one(found) if found else None
        return str(process[0]) if process and self._send(process, signal.SIGKILL) else None

    def _kill_daemon(self, minder) -> str | None:
        # One that has never been ready teaches nothing when it dies again and again.
        process = minder.is_ready() and minder.pid and identity(minder.pid)
        return str(process[0]) if process and self._send(process, signal.SIGKILL) else None

    def _stop_one(self, found) -> str | None:
        return self._stop([self._one(found)]) if found else None

    def _stop_daemon(self, pid) -> str | None:
        process = pid and identity(pid)
        return self._stop([process]) if process else None

    def _stop(self, processes) -> str:
        pause = self.dice.uniform(0.1, LONGEST_STOP)
        for process in processes:
            self._beside(
                lambda one=process: self._send(one, signal.SIGSTOP, signal.SIGCONT, pause=pause)
            )
        return f"{' '.join(str(p[0]) for p in processes)} for {pause:.1f} s"

    # PostgreSQL.

    def _backends(self):
        return descendants(self.stage.postgres.pid)

    def _stop_postgres(self) -> str | None:
        postmaster = identity(self.stage.postgres.pid)
        everything = [postmaster, *self._backends()]
        return self._stop([process for process in everything if process])

    def _kill_backend(self) -> str | None:
        found = self._backends()
        if not found:
            return None
        process = self.dice.choice(found)
        return str(process[0]) if self._send(process, signal.SIGKILL) else None

    def _crash_postgres(self) -> str:
        self.stage.postgres.crash()
        time.sleep(self.dice.uniform(0, 2))
        self.stage.postgres.start()
        return "and started it again"

    # Want of time and of memory.

    def _starve(self) -> str:
        burn = self.dice.uniform(0.5, LONGEST_BURN)
        burners = [
            subprocess.Popen([sys.executable, "-c", BURN, str(burn)]) for _ in range(BURNERS)
        ]
        self._beside(lambda: [burner.wait() for burner in burners])
        return f"{BURNERS} busy processes for {burn:.1f} s"

    def _fill_memory(self) -> str:
        self._beside(self.load.fill_memory)
        return "of the hog"
