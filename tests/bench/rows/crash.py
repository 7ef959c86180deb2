"""Crash to ready: SIGKILL of a worker until another one is ready. Every crash counts as the
first, so that the restart policy adds nothing."""

import os
import signal
import time
from datetime import datetime

from .peers import GoPluginHost
from .supervised import load_text, supervised
from .table import median, note, percentile, row

COUNT = 200


def unix_ms(event):
    return datetime.strptime(event["time"], "%Y-%m-%dT%H:%M:%S.%f%z").timestamp() * 1e3


def measure(options):
    note(f"  {load_text()}")
    noticed, ready = [], []
    with supervised(1, quarantine_after=0, restart_stable_after="1ms") as here:
        key = here.keys[0]
        pid = here.enable(key)["plugin"]["worker"]["pid"]
        log = here.log()
        log.more()
        for _ in range(COUNT):
            crashed_at = time.time() * 1e3
            os.kill(pid, signal.SIGKILL)
            # The log's times are cut to milliseconds: what they tell is 0 to 1 ms too little.
            noticed.append(unix_ms(log.await_event("worker.crashed")) + 1 - crashed_at)
            ready.append(unix_ms(log.await_event("worker.ready")) + 1 - crashed_at)
            here.echo(key)
            pid = here.worker(key)["pid"]
    p50 = median(ready)
    note(f"  noticed and told after {median(noticed):.1f} ms (p50)")
    rows = [
        row("crash", "crash to ready, p50", p50, "ms", goal="<= 15 ms", met=p50 <= 15,
            samples=COUNT),
        row("crash", "crash to ready, p99", percentile(ready, 99), "ms", samples=COUNT),
    ]  # fmt: skip
    peer = GoPluginHost(options.build)
    if not peer.missing:
        # It restarts nothing by itself: what its host can do at best is to start another.
        starts, _ = peer.starts(50)
        rows[0].update(row("crash", "crash to ready, p50", p50, "ms", peer.name + ", a start",
                           median(starts), "<= 15 ms", p50 <= 15, COUNT))  # fmt: skip
    return rows
