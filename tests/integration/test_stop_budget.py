"""One budget for all of a stop: calls under way, stop(), SIGTERM, SIGKILL, and the look at what is left."""

import signal
import subprocess
import sys

from harness.processes import descendants, is_alive, launch_mark, marked, parent, stopwatch
from harness.waiting import eventually, seconds

CALLS = """
import os, threading, time
class Plugin:
    def __init__(self):
        self.running = 0
    def run(self, action, params, context):
        if action == "sleep":
            self.running += 1
            try:
                time.sleep(params["seconds"])
            finally:
                self.running -= 1
            return {"slept": params["seconds"]}
        if action == "polite":
            while not context["cancelled"]():
                time.sleep(0.01)
            return {"saw": "cancelled"}
        return {"pid": os.getpid()}
    def stop(self, context):
        context["logger"].info("stop is called while %d calls run", self.running)
"""
HANGS = """
import threading
class Plugin:
    def run(self, action, params, context): return {}
    def stop(self, context):
        threading.Event().wait(600)
"""
BUDGET = 3.0
FLAGS = {"stop_timeout": f"{BUDGET}s", "cancel_grace": "300ms", "pool_threads": "1"}
KEYS = ("finishes", "goes_on", "polite", "queued", "restarted", "held")


def prepare(installation):
    for key in KEYS:
        installation.write(key, CALLS)
    installation.write("hangs", HANGS)


def test_a_short_call_finishes_before_stop_is_called_and_its_caller_is_answered(ctl):
    ctl.enable("finishes")
    call = ctl.begin_run("finishes", "sleep", {"seconds": 0.3})
    ctl.await_in_flight("finishes", 1)
    report = ctl("stop", "finishes").ok()["plugin"]["worker"]["last_stop"]
    assert call.answer().ok()["slept"] == 0.3
    assert report["steps"] == ["drain", "stop"]
    assert report["forced"] is False
    ctl.await_log("finishes", "stop is called while 0 calls run")


def test_a_long_call_is_cancelled_and_its_caller_is_told(ctl):
    ctl.enable("goes_on")
    call = ctl.begin_run("goes_on", "sleep", {"seconds": 60})
    ctl.await_in_flight("goes_on", 1)
    elapsed = stopwatch()
    report = ctl("stop", "goes_on").ok()["plugin"]["worker"]["last_stop"]
    assert elapsed() < seconds(BUDGET)
    assert call.answer().data["code"] == "cancelled"
    assert report["steps"] == ["drain", "stop"], "nothing had to be forced"
    ctl.await_log("goes_on", "stop is called while 1 calls run")
    ctl.await_log("goes_on", "was cancelled")


def test_a_call_that_looks_at_cancelled_gives_its_own_answer(ctl):
    ctl.enable("polite")
    call = ctl.begin_run("polite", "polite")
    ctl.await_in_flight("polite", 1)
    ctl.disable("polite")
    assert call.answer().ok() == {"saw": "cancelled"}


def test_calls_that_wait_and_calls_that_come_are_refused_at_once(ctl):
    # Of a longer budget those that run may take a longer share.
    ctl("limits", "queued", "--stop-timeout", "30s").ok()
    ctl.enable("queued")
    running = [ctl.begin_run("queued", "sleep", {"seconds": 1.5}) for _ in range(2)]
    ctl.await_in_flight("queued", 2)
    waiting = ctl.begin_run("queued", "sleep", {"seconds": 0})
    ctl.await_in_flight("queued", 3)
    stopping = ctl.begin("stop", "queued")
    ctl.await_state("queued", "stopping")
    assert ctl.run("queued", "x").data["code"] == "stopping"
    assert waiting.answer().data["code"] == "stopping"
    assert [call.answer().ok() for call in running] == [{"slept": 1.5}] * 2
    assert stopping.answer().ok()["plugin"]["worker"]["last_stop"]["steps"] == ["drain", "stop"]


def test_a_restart_uses_the_same_budget(ctl):
    before = ctl.enable("restarted")[0]["worker"]
    call = ctl.begin_run("restarted", "sleep", {"seconds": 60})
    ctl.await_in_flight("restarted", 1)
    after = ctl("restart", "restarted").ok()["plugin"]["worker"]
    assert after["pid"] != before["pid"]
    assert after["last_stop"]["reason"] == "restart"
    assert after["last_stop"]["steps"] == ["drain", "stop"]
    assert call.answer().data["code"] == "cancelled"


def test_a_kill_hurries_a_stop_that_is_under_way(ctl):
    ctl.enable("hangs")
    elapsed = stopwatch()
    stopping = ctl.begin("stop", "hangs")
    ctl.await_state("hangs", "stopping")
    ctl("kill", "hangs")  # Stopped it stays, so this is no success.
    report = stopping.answer().ok()["plugin"]["worker"]["last_stop"]
    assert elapsed() < seconds(BUDGET - 1)
    assert report["steps"] == ["stop", "sigkill"]
    assert report["forced"] is True


HOLDS = """
import ctypes, sys, time
seize = 0x4206
if ctypes.CDLL(None, use_errno=True).ptrace(seize, int(sys.argv[1]), 0, 0) != 0:
    sys.exit(f"ptrace: {ctypes.get_errno()}")
print("held", flush=True)
time.sleep(600)
"""


def test_what_a_debugger_keeps_is_told_and_no_stop_waits_for_it(ctl):
    worker = ctl.enable("held")[0]["worker"]["pid"]
    init = parent(worker)
    debugger = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(worker)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert debugger.stdout.readline() == "held\n"
        elapsed = stopwatch()
        shown = ctl("kill", "held").ok()["plugin"]["worker"]
        assert elapsed() < seconds(1.5), "a kill has no budget, and takes a second at most"
        report = shown["last_stop"]
        assert report["steps"] == ["sigkill", "survivors"]
        assert shown["state"] == "running", "the next generation is not kept waiting"
        assert any(str(worker) in text for text in ctl.log_texts("held"))
    finally:
        debugger.kill()
        debugger.wait()
    eventually(lambda: not _exists(init), "the supervisor reaps it at last")
    assert ctl.result("held", "x")


def _exists(pid):
    try:
        with open(f"/proc/{pid}/comm"):
            return True
    except OSError:
        return False


def test_twenty_slow_stops_end_side_by_side_when_the_supervisor_ends(fresh):
    keys = [f"slow_{number}" for number in range(20)]
    for key in keys:
        fresh.write(key, HANGS)
    daemon = fresh.start_supervisor(stop_timeout="2s")
    workers = [plugin["worker"]["pid"] for plugin in fresh.ctl.enable(*keys)]
    marks = [launch_mark(pid) for pid in workers]
    below = descendants(daemon.pid)
    elapsed = stopwatch()
    daemon.signal(signal.SIGTERM)
    assert daemon.wait(20) == 0
    assert elapsed() < seconds(2 + 1), "one budget and a second for all of them"
    assert not [p for p in below if is_alive(p)]
    assert [pid for mark in marks for pid in marked(mark)] == []


