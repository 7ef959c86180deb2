"""100, 300 and 1,000 enabled plugins: time until all are ready, what they cost when nothing
happens, and how long a list takes."""

import json
import os
import time

from .memory import parent
from .processes import cpu_seconds, descriptors, pss_bytes, switches, threads
from .supervised import load_text, supervised
from .table import median, note, percentile, row

COUNTS = (100, 300, 1000)
LISTS = 60
IDLE_SECONDS = 20


def list_ms(here):
    taken = []
    for _ in range(LISTS):
        began = time.monotonic()
        text = here.answer("GET", "/api/plugins/plugins/")
        taken.append((time.monotonic() - began) * 1e3)
        answer = json.loads(text)
        if len(answer["plugins"]) != len(here.keys):
            raise SystemExit(f"bench: {len(answer['plugins'])} plugins listed")
    return taken


def family(here):
    """The supervisor, and all its descendants' numbers: spawner, inits, workers."""
    rows = here.request("GET", "/api/supervisor/workers/")["workers"]
    pids = [row["worker"]["pid"] for row in rows if row["worker"]["pid"]]
    if len(pids) != len(here.keys):
        raise SystemExit(f"bench: {len(pids)} of {len(here.keys)} plugins have a process")
    return pids, [parent(pid) for pid in pids]


def idle(here, workers, inits):
    """Shares of one core that the supervisor and all workers take, and their switches per s."""
    pids = [here.supervisor_pid, *workers, *inits]
    time.sleep(3)  # What the start and the lists left to do.
    began = time.monotonic()
    before = {pid: (cpu_seconds(pid), switches(pid)) for pid in pids}
    time.sleep(IDLE_SECONDS)
    seconds = time.monotonic() - began
    after = {pid: (cpu_seconds(pid), switches(pid)) for pid in pids}
    cpu = {pid: 100 * (after[pid][0] - before[pid][0]) / seconds for pid in pids}
    turns = {pid: (after[pid][1] - before[pid][1]) / seconds for pid in pids}
    of_supervisor = cpu.pop(here.supervisor_pid), turns.pop(here.supervisor_pid)
    return of_supervisor, (sum(cpu.values()), sum(turns.values()))


def at(count):
    note(f"  {count}: {load_text()}")
    with supervised(count, enabled=True, start_timeout="120s") as here:
        pid = here.supervisor_pid
        spent = cpu_seconds(pid)
        workers, inits = family(here)
        worker_cpu = sum(cpu_seconds(pid) for pid in workers + inits)
        lists = list_ms(here)
        of_supervisor, of_workers = idle(here, workers, inits)
        pss, fds = pss_bytes(pid) / 1e6, descriptors(pid)
        note(
            f"  {count}: ready in {here.boot_seconds:.2f} s; CPU so far: supervisor {spent:.2f} s, "
            f"workers {worker_cpu:.2f} s; idle: supervisor {of_supervisor[0]:.3f} %, "
            f"{of_supervisor[1]:.0f} switches/s, workers {of_workers[0]:.3f} %, "
            f"{of_workers[1]:.0f} switches/s; supervisor {pss:.1f} MB, {fds} descriptors, "
            f"{threads(pid)} threads"
        )
    return here.boot_seconds, of_supervisor[0] + of_workers[0], lists, pss


def measure(_options):
    rows = []
    costs = {}
    for count in COUNTS:
        seconds, cpu, lists, pss = at(count)
        last = count == COUNTS[-1]
        costs[count] = seconds / count
        of = f"{count} plugins"
        cores = f"{os.cpu_count()} cores"
        first = costs[COUNTS[0]]
        rows += [
            row("scale", f"{of}: all ready, {cores}", seconds, "s",
                None if count == COUNTS[0] else f"{COUNTS[0]} plugins' time per plugin",
                None if count == COUNTS[0] else first * count,
                "<= 15 s" if last else None, seconds <= 15 if last else None, 1),
            row("scale", f"{of}: idle CPU, of one core", cpu, "%",
                goal="<= 1 %" if last else None, met=cpu <= 1 if last else None, samples=1),
            row("scale", f"{of}: list, p50", median(lists), "ms",
                goal="<= 20 ms" if last else None, met=median(lists) <= 20 if last else None,
                samples=LISTS),
            row("scale", f"{of}: list, p99", percentile(lists, 99), "ms", samples=LISTS),
            row("scale", f"{of}: PSS of the supervisor", pss, "MB", samples=1),
        ]  # fmt: skip
    return rows
