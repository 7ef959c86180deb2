"""Starts a daemon again whenever it has ended, as systemd would."""

from __future__ import annotations

import signal
import threading
import time
from typing import Callable, NamedTuple

from harness.processes import Daemon

PAUSE = 0.2  # Before a start.


class Life(NamedTuple):
    pid: int
    began: float
    ready: float | None  # None: it ended, or did not say so in time.
    ended: float
    code: int  # Negative: the signal.


class Minder:
    """`start` makes one daemon, without waiting for it. Times are of time.monotonic()."""

    def __init__(self, name: str, start: Callable[[], Daemon]):
        self.name = name
        self.lives: list[Life] = []
        self.daemon: Daemon | None = None
        self.ready_at: float | None = None  # Of the one that runs.
        self.began_at = 0.0
        self._start = start
        self._over = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._mind, name=f"minder of {name}")

    def start(self):
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Of the one that runs, or did a moment ago."""
        daemon = self.daemon
        return daemon.pid if daemon and daemon.process.poll() is None else None

    def await_ready(self, within: float):
        if not self._ready.wait(within):
            raise AssertionError(f"{self.name} was not ready within {within} s")

    def is_ready(self) -> bool:
        return self._ready.is_set()

    def away(self) -> list[tuple[float, float]]:
        """When it did not serve: from the end of one life until the next was ready."""
        gaps, end = [], None
        for life in self.lives:
            if life.ready is not None:
                if end is not None:
                    gaps.append((end, life.ready))
                end = life.ended
        if end is not None:
            gaps.append((end, self.ready_at if self.ready_at else time.monotonic()))
        return gaps

    def end(self, within: float) -> int:
        """SIGTERM, and no other after it. Its exit code."""
        self._over.set()
        daemon = self.daemon
        if daemon.process.poll() is None:
            daemon.signal(signal.SIGTERM)
        code = daemon.wait(within)
        self._thread.join()
        return code

    def renew(self, within: float):
        """SIGTERM, and waits until the next is ready."""
        self._ready.clear()
        self.daemon.terminate(within)
        self.await_ready(within)

    def _mind(self):
        while not self._over.is_set():
            self.began_at = time.monotonic()
            daemon = self.daemon = self._start()
            try:
                daemon.ready_line(within=60)
                self.ready_at = time.monotonic()
                self._ready.set()
            except AssertionError:
                if daemon.process.poll() is None:
                    daemon.process.kill()
            code = daemon.process.wait()
            ended = time.monotonic()
            self._ready.clear()
            self.lives.append(Life(daemon.pid, self.began_at, self.ready_at, ended, code))
            self.ready_at = None
            daemon.close()
            self._over.wait(PAUSE)
