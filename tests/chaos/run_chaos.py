#!/usr/bin/env python3
"""Kills, stops and starves workers, spawner, supervisor, gateway and PostgreSQL at random under
load, for a bounded time, and then checks that nothing has been lost and nothing is left.

Everything is private to the run: a database server on a Unix socket, daemons on loopback. It ends
by itself, and leaves nothing but, after a failure, its logs. Exit status 0 when all checks passed.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from chaos.checks import Broken, Checks  # noqa: E402
from chaos.faults import Faults  # noqa: E402
from chaos.load import Load  # noqa: E402
from chaos.stage import Stage  # noqa: E402

TIMELINE = 400  # Faults that are shown of a run that failed.


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long faults happen")
    parser.add_argument("--seed", type=int, default=None, help="of the choices; printed")
    parser.add_argument("--faults", type=int, default=None, help="at most; default 3 per second")
    parser.add_argument("--plugins", type=int, default=8, help="default 8")
    parser.add_argument("--without-namespaces", action="store_true",
                        help="the supervisor cannot make PID namespaces")  # fmt: skip
    parser.add_argument("--without-sandbox", action="store_true", help="all protections are off")
    return parser.parse_args(arguments)


def run_checks(checks: Checks) -> list[str]:
    failed = []
    for check in (
        checks.no_plugin_is_stuck,
        checks.every_call_was_answered,
        checks.every_job_ends_once,
        checks.no_call_is_in_flight,
        checks.every_acknowledged_write_is_there,
        checks.no_process_is_stray,
        checks.nothing_is_left_of_old_launches,
        checks.no_descriptor_leaks,
        checks.daemons_ended_only_by_faults,
        checks.workers_ended_only_by_faults,
        checks.everything_ends_at_sigterm,
        checks.logs_hold_nothing_critical,
    ):
        name = check.__name__.replace("_", " ")
        try:
            print(f"PASS  {name}: {check()}", flush=True)
        except Exception as error:
            if not isinstance(error, Broken):
                traceback.print_exc()
            print(f"FAIL  {name}: {error}", flush=True)
            failed.append(name)
    return failed


def show_timeline(faults: Faults, begin: float):
    print("the last faults, in seconds since the beginning:")
    for fault in faults.timeline[-TIMELINE:]:
        print(f"  {fault.at - begin:8.2f}  {fault.name}  {fault.target}")


def keep_logs(stage: Stage) -> Path:
    kept = Path(tempfile.mkdtemp(prefix="chaos-logs-"))
    directory = stage.installation.directory
    for path in [*directory.glob("*.log"), stage.journal]:
        shutil.copy(path, kept)
    shutil.copy(stage.postgres.directory / "log", kept / "postgres.log")
    if (logs := stage.installation.runtime_dir / "logs").is_dir():
        shutil.copytree(logs, kept / "plugins")
    return kept


def main(arguments=None) -> int:
    options = parse(arguments)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    most = options.faults or max(1, int(options.seconds * 3))
    print(f"seed {seed}, {options.seconds:g} s, at most {most} faults, {options.plugins} plugins")
    stage = Stage(options.plugins, not options.without_namespaces, not options.without_sandbox)
    failed = ["the run itself"]
    try:
        stage.start()
        load = Load(stage, seed)
        load.start()
        faults = Faults(stage, load, seed)
        begin = time.monotonic()
        print(f"began at {time.strftime('%H:%M:%S')}, pid {os.getpid()}", flush=True)
        try:
            faults.run(options.seconds, most)
        finally:
            faults.end()
            load.end()
        print(f"{len(faults.timeline)} faults in {time.monotonic() - begin:.0f} s: {faults.counts()}")
        outcomes = Counter(f"{call.kind}: {call.outcome}" for call in load.book.calls)
        for outcome, count in sorted(outcomes.items()):
            print(f"  {count:7d}  {outcome}")
        failed = run_checks(Checks(stage, load, faults))
        if failed:
            show_timeline(faults, begin)
            print(f"began at {begin:.2f} of the monotonic clock")
    finally:
        if failed:
            print(f"logs: {keep_logs(stage)}")
        stage.close()
    print(f"seed {seed}: {len(faults.timeline)} faults, {len(failed)} checks failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
