"""What workers cost while nothing happens: a thousand of them must."""

import time

from harness.processes import parent, turns_by_thread
from harness.waiting import eventually

# What the supervisor may wake to be told that the worker is alive.
LINK = ("link-read", "link-write", "link-tasks")


def prepare(installation):
    installation.write("idles", "class Plugin:\n    def run(self, *given): return {}\n")


def test_an_idle_worker_sleeps(ctl):
    """gRPC's own threads would wake up every second, to look for timers that there are not."""
    worker = ctl.enable("idles")[0]["worker"]["pid"]
    assert ctl.result("idles", "anything") == {}
    before = {}

    def rests():
        """The main thread polls for a moment after a call."""
        seen, before[worker] = before.get(worker), turns_by_thread(worker)
        return seen == before[worker]

    eventually(rests, "no thread has had a turn between two looks")
    before[parent(worker)] = turns_by_thread(parent(worker))
    time.sleep(4)
    woken = {
        name: turns - before[pid].get((task, name), 0)
        for pid in before
        for (task, name), turns in turns_by_thread(pid).items()
        if name not in LINK
    }
    assert sum(woken.values()) <= 1, woken
