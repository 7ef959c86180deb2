#!/usr/bin/env python3
"""Stops hostile plugins in the middle of their worst, many times and several side by side, and
looks whether each stop was over within its budget and a second, and left nothing behind.

The time that the supervisor reports must hold. What pluginctl and a busy machine add to it is
measured as well, and may be a second more. When a machine has no time to end what was killed, a
stop says so in its report; such processes are no survivors if they are gone soon after.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import select
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.ctl import Ctl  # noqa: E402
from harness.installation import FULL_SANDBOX, WITHOUT_NAMESPACES, Installation  # noqa: E402
from harness.postgres import Postgres  # noqa: E402
from harness.processes import (  # noqa: E402
    descendants, launch_mark, marked, mentioning, name_of, parent, state_of,
)  # fmt: skip
from harness.vices import STOPS  # noqa: E402
from harness.waiting import eventually, seconds  # noqa: E402

BUDGET = 1.0  # Of a stop, in seconds.
OVER_BUDGET = 1.0  # What a stop may take more.
DYING = 10.0  # What was killed is gone by then.
NOISE = 1.0  # pluginctl's own time, on a machine that has too much to do.
FLAGS = {"stop_timeout": f"{BUDGET}s", "cancel_grace": "150ms", "quarantine_after": "0"}
WAYS = ("stop", "disable", "restart", "kill")

# Vices that no stop needs special steps for, but that it must not stumble over.
OTHERS = [
    ("burns_cpu", "burn", True),
    ("closes_fd_1_and_2", "close", False),
    ("endless_forks", "bomb", False),
    ("floods_for_ever", "flood", False),
    ("opens_files", "open", False),
    ("replaces_builtins", "break", False),
    ("stop_raises", "ping", False),
    ("thread_bomb", "bomb", False),
    ("thread_outlives_call", "start", False),
    ("thread_outlives_call", "log_for_ever", False),
]
VICES = [vice[:3] for vice in STOPS] + OTHERS


class Stop(NamedTuple):
    plugin: str
    action: str
    way: str
    reported: float  # Seconds.
    measured: float  # Of the whole command; of a restart, with the start.
    unfinished: bool  # It says that some have not ended yet.
    untold: list[int]  # Those that were there, though it does not say so.
    survivors: list[int]

    def is_in_time(self) -> bool:
        allowed = seconds(BUDGET + OVER_BUDGET)
        ends_with_the_stop = self.way in ("stop", "disable")
        return self.reported <= allowed and (
            not ends_with_the_stop or self.measured <= allowed + NOISE
        )


class HeldTree:
    """Descriptors of a process and of everything below it. Numbers and start times, in hundredths
    of a second, would not tell them from others: workers are given numbers that have just become
    free, and some plugins use up one every few milliseconds."""

    def __init__(self, init: int):
        self._held: dict[int, int] = {}
        for pid in self._numbers(init):
            try:
                self._held[pid] = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
        # What is held keeps its number while it lives: if it is not there now, it is another's.
        for pid in self._held.keys() - self._numbers(init):
            os.close(self._held.pop(pid))

    @staticmethod
    def _numbers(init: int) -> set[int]:
        return {init, *(process[0] for process in descendants(init))}

    def alive(self) -> set[int]:
        ended = select.poll()  # Not select(), whose descriptors end at 1,023.
        for fd in self._held.values():
            ended.register(fd, select.POLLIN)
        gone = {fd for fd, _ in ended.poll(0)}
        return {pid for pid, fd in self._held.items() if fd not in gone}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for fd in self._held.values():
            os.close(fd)


def stop_once(ctl: Ctl, key: str, action: str, goes_on: bool, way: str) -> Stop:
    ctl("enable", key)
    ctl("start", key).ok()
    worker = ctl.await_state(key, "running", within=30)["pid"]
    mark, call = launch_mark(worker), None
    if goes_on:
        call = ctl.begin_run(key, action, {"seconds": 60}, timeout="60s")
        ctl.await_in_flight(key, 1)
        if action == "now":
            eventually(lambda: state_of(worker) == "T", "it has stopped itself")
    else:
        ctl.run(key, action)
    with HeldTree(parent(worker)) as below:
        stop = watch_stop(ctl, key, action, way, lambda: sorted(below.alive() | set(marked(mark))))
    if call:
        call.answer()
    return stop


def watch_stop(ctl: Ctl, key: str, action: str, way: str, left) -> Stop:
    """`left()`: the processes that are there still."""
    began = time.monotonic()
    answer = ctl(way, key)
    measured = time.monotonic() - began
    there = left()
    report = (answer.data or {}).get("plugin", ctl.show(key))["worker"]["last_stop"]
    unfinished = "survivors" in report["steps"]
    survivors = there
    if there:
        try:
            eventually(lambda: not left(), "all have ended", DYING)
            survivors = []
        except AssertionError:
            survivors = left()
    untold = [] if unfinished else there
    return Stop(key, action, way, report["ms"] / 1000, measured, unfinished, untold, survivors)


class Lanes:
    """So many stops, side by side in lanes that have plugins of their own."""

    def __init__(self, installation: Installation, count: int, lanes: int, seed: int):
        self.installation = installation
        self.dice = random.Random(seed)
        self.stops: list[Stop] = []
        self.broken: list[str] = []
        self._turns = itertools.count()
        self._count = count
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(lanes)]
        for plugin, lane in itertools.product(sorted({v[0] for v in VICES}), range(lanes)):
            installation.install(f"hostile/{plugin}", f"{plugin}_{lane}")

    def run(self):
        for thread in self._threads:
            thread.start()
        try:
            for thread in self._threads:
                thread.join()
        finally:
            self._count = 0  # When this is interrupted, no further stop begins.
            for thread in self._threads:
                thread.join()

    def _run(self, lane: int):
        while (turn := next(self._turns)) < self._count:
            plugin, action, goes_on = VICES[turn % len(VICES)]
            way = self.dice.choice(WAYS)
            try:
                stop = stop_once(
                    self.installation.ctl, f"{plugin}_{lane}", action, goes_on, way
                )
            except Exception as error:
                self.broken.append(f"{way} of {plugin} {action}: {error!r}")
                continue
            self.stops.append(stop)
            if not stop.is_in_time() or stop.unfinished or stop.untold or stop.survivors:
                print(f"  {stop}", flush=True)


def strays(installation: Installation) -> list[int]:
    """Of any plugin, once all are disabled: neither the supervisor nor a spawner, nor a worker
    that waits for a plugin, nor that one's init."""
    keys = [path.name for path in installation.plugins_dir.iterdir()]
    for key in keys:
        installation.ctl("disable", key)
    expected = {installation.supervisor.pid}
    for pid, _ in descendants(installation.supervisor.pid):
        if name_of(pid).startswith("python"):
            expected.add(pid)
        elif name_of(pid) == "plugin-spare":
            expected |= {pid, parent(pid)}
    return [pid for pid in mentioning(installation.plugins_dir) if pid not in expected]


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="of stops; default 1000")
    parser.add_argument("--lanes", type=int, default=4, help="side by side; default 4")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--without-namespaces", action="store_true",
                        help="the supervisor cannot make PID namespaces")  # fmt: skip
    parser.add_argument("--without-sandbox", action="store_true", help="all protections are off")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}, {options.count} stops with a budget of {BUDGET} s", flush=True)
    postgres = Postgres()
    installation = Installation(postgres)
    try:
        if options.without_namespaces:
            installation.supervisor_prefix = WITHOUT_NAMESPACES
        lanes = Lanes(installation, options.count, options.lanes, options.seed)
        sandbox = {} if options.without_sandbox else FULL_SANDBOX
        installation.start_supervisor(**FLAGS, **sandbox)
        lanes.run()
        left = strays(installation)
    finally:
        installation.close()
        postgres.close()
    stops = lanes.stops
    late = [stop for stop in stops if not stop.is_in_time()]
    untold = [stop for stop in stops if stop.untold]
    survivors = sum(len(stop.survivors) for stop in stops) + len(left)
    unfinished = sum(stop.unfinished for stop in stops)
    for text in lanes.broken:
        print(f"  broken: {text}")
    reported = max((stop.reported for stop in stops), default=0) - BUDGET
    measured = max((s.measured for s in stops if s.way in ("stop", "disable")), default=0) - BUDGET
    print(f"{len(stops)} stops, {len(late)} late, {survivors} survivors, {len(lanes.broken)} broken, "
          f"{unfinished} that could only say that some were still ending, {len(untold)} wrong; "
          f"at most {reported:+.2f} s over the budget as reported, {measured:+.2f} s as measured")  # fmt: skip
    return 0 if len(stops) == options.count and not (late or untold or survivors) else 1


if __name__ == "__main__":
    sys.exit(main())
