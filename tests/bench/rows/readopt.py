"""The supervisor killed under light load and started again: time until every worker has been
taken over, and until a call is answered; beside starting all workers afresh."""

import threading
import time

from .crash import unix_ms
from .supervised import HERE, Log, load_text, supervised
from .table import median, note, percentile, row

COUNTS = (10, 100)
ROUNDS = 10
FRESH_STARTS = 3
JOBS = 10  # Calls that are under way when the supervisor is killed.
CALL_PAUSE = 0.005  # Seconds between two calls of the light load.
PLUGIN = HERE / "rest" / "bench_hold" / "plugin.py"


class Caller(threading.Thread):
    """Calls one plugin after the other on a connection of its own; notes when which was answered.

    While there is no supervisor its calls fail."""

    def __init__(self, here):
        super().__init__(daemon=True)
        self.here = here
        self.over = threading.Event()
        self.answered = []  # (asked at, answered at), of time.monotonic().
        self.refused = 0
        self.start()

    def run(self):
        rest = self.here.gateway.rest
        number = 0
        while not self.over.wait(CALL_PAUSE):
            key = self.here.keys[number % len(self.here.keys)]
            number += 1
            began = time.monotonic()
            answer = rest.run(key, "echo", {"n": number})
            if answer.status == 200 and answer.data["result"]["n"] == number:
                self.answered.append((began, time.monotonic()))
            elif answer.status in (502, 503, 504):
                self.refused += 1
            else:
                raise SystemExit(f"bench: {key} answered {answer}")

    def first_asked_after(self, moment, within=30):
        """When the first call was answered that was asked after `moment`."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            for began, ended in self.answered:
                if began > moment:
                    return ended
            time.sleep(0.005)
        raise SystemExit(f"bench: no call was answered within {within} s")

    def end(self):
        self.over.set()
        self.join(60)


def begin_jobs(here, until):
    keys = here.keys[:: max(1, len(here.keys) // JOBS)]
    jobs = []
    for number, key in enumerate(keys):
        answer = here.gateway.rest.run(
            key, "hold", {"until": str(until), "n": number}, headers={"Prefer": "respond-async"}
        )
        if answer.status != 202:
            raise SystemExit(f"bench: {key} answered {answer}")
        jobs.append(answer.headers["x-job-id"])
    return jobs


def check_jobs(here, jobs):
    for number, job in enumerate(jobs):
        told = here.request("GET", f"/api/supervisor/jobs/{job}/?wait=30")
        if told["state"] != "succeeded" or told["result"]["n"] != number:
            raise SystemExit(f"bench: a job ended as {told}")


def processes(here):
    rows = here.request("GET", "/api/supervisor/workers/")["workers"]
    return {row["key"]: row["worker"]["pid"] for row in rows}, rows


def replace(here):
    """One round: milliseconds until all had been taken over, and until a call was answered."""
    made = here.installation
    before, _ = processes(here)
    until = made.directory / f"let.{len(made.daemons)}"
    jobs = begin_jobs(here, until)
    caller = Caller(here)
    caller.first_asked_after(time.monotonic())
    made.kill_supervisor()
    began, began_unix_ms = time.monotonic(), time.time() * 1e3
    made.spawn_supervisor(**here.flags)
    log = Log(made.supervisor.log_path)
    # Times of the log are cut to milliseconds.
    last = log.await_events("worker.adopted", len(here.keys))[-1]
    adopted = unix_ms(last) + 1 - began_unix_ms
    answered = (caller.first_asked_after(began) - began) * 1e3
    made.supervisor.ready_line()
    until.touch()
    check_jobs(here, jobs)
    caller.end()
    after, rows = processes(here)
    if after != before or not all(row["worker"]["adopted"] for row in rows):
        raise SystemExit("bench: a worker was not taken over")
    return adopted, answered


def start_afresh(here):
    """Milliseconds until a supervisor has started all workers itself."""
    made = here.installation
    made.supervisor.terminate(60)
    began, began_unix_ms = time.monotonic(), time.time() * 1e3
    made.spawn_supervisor(**here.flags)
    log = Log(made.supervisor.log_path)
    last = log.await_events("worker.ready", len(here.keys))[-1]
    made.supervisor.ready_line()
    return unix_ms(last) + 1 - began_unix_ms


def measure(_options):
    note(f"  {load_text()}")
    rows = []
    for count in COUNTS:
        with supervised(count, enabled=True, plugin=PLUGIN) as here:
            rounds = [replace(here) for _ in range(ROUNDS)]
            fresh = [start_afresh(here) for _ in range(FRESH_STARTS)]
        adopted, answered = zip(*rounds)
        peer = "starting them afresh"
        of = f"{count} workers"
        rows += [
            row("readopt", f"{of}: start to all taken over, p50", median(adopted), "ms", peer,
                median(fresh), samples=ROUNDS),
            row("readopt", f"{of}: start to all taken over, p99", percentile(adopted, 99), "ms",
                peer, max(fresh), samples=ROUNDS),
            row("readopt", f"{of}: start to first answer, p50", median(answered), "ms",
                samples=ROUNDS),
            row("readopt", f"{of}: start to first answer, p99", percentile(answered, 99), "ms",
                samples=ROUNDS),
        ]  # fmt: skip
        note(f"  {count}: every worker was taken over in each of {ROUNDS} rounds, and "
             f"{min(count, JOBS)} calls under way ended with their results")  # fmt: skip
    return rows
