"""A call whose time is over is cancelled, then interrupted, and ends its worker at the last."""

import os
import signal

from harness.ctl import NOT_FOUND, TIMED_OUT
from harness.processes import stopwatch
from harness.waiting import eventually, lasting, seconds

ACTIONS = """
import ctypes, os, threading, time
class Plugin:
    def __init__(self):
        self.seen = []
        self.count = 0
    def run(self, action, params, context):
        self.count += 1
        return getattr(self, "do_" + action)(params, context)
    def do_ping(self, params, context):
        return {"pid": os.getpid(), "count": self.count, "seen": self.seen}
    def do_sleep(self, params, context):
        try:
            time.sleep(params.get("seconds", 3600))
        except BaseException as error:
            self.seen.append(type(error).__name__)
            raise
    def do_loop(self, params, context):
        try:
            while True:
                sum(range(100))
        except BaseException as error:
            self.seen.append(type(error).__name__)
            raise
    def do_polite(self, params, context):
        while not context["cancelled"]():
            time.sleep(0.01)
        self.seen.append("polite")
        return {"cancelled": True}
    def do_stubborn(self, params, context):
        end = time.monotonic() + 3600
        while time.monotonic() < end:
            try:
                time.sleep(0.05)
            except BaseException:
                pass
    def do_wedge(self, params, context):
        ctypes.PyDLL(None).sleep(3600)   # Keeps the interpreter to itself.
"""
FLAGS = {
    "cancel_grace": "300ms",
    "stuck_after": lasting(2),
    "pool_threads": "2",
    "max_in_flight": "3",
    "restart_first_delay": "50ms",
    "quarantine_after": "0",
    "stop_timeout": "2s",
}
KEYS = ("main", "pool", "polite", "stubborn", "wedged", "stacks", "frozen", "left", "full")


def prepare(installation):
    for key in KEYS:
        installation.write(key, ACTIONS)


def expire(ctl, key, action, timeout="200ms"):
    elapsed = stopwatch()
    answer = ctl.run(key, action, timeout=timeout)
    assert answer.code == TIMED_OUT, answer
    assert answer.data["code"] == "deadline_exceeded"
    assert elapsed() < seconds(3)


def test_a_sleep_on_the_main_thread_is_interrupted_and_the_worker_lives_on(ctl):
    pid = ctl.enable("main")[0]["worker"]["pid"]
    expire(ctl, "main", "sleep")
    eventually(
        lambda: ctl.result("main", "ping")["seen"] == ["CallCancelled"], "the sleep was interrupted"
    )
    assert ctl.result("main", "ping")["pid"] == pid
    ctl.await_log("main", "was cancelled")


def test_a_loop_on_another_thread_is_interrupted(ctl):
    pid = ctl.enable("pool")[0]["worker"]["pid"]
    polite = ctl.begin_run("pool", "polite", timeout="3s")
    eventually(lambda: ctl.worker("pool")["in_flight"] == 1, "the main thread is busy")
    expire(ctl, "pool", "loop")
    assert polite.answer().code == TIMED_OUT
    eventually(
        lambda: sorted(ctl.result("pool", "ping")["seen"]) == ["CallCancelled", "polite"],
        "both have let go",
    )
    assert ctl.result("pool", "ping")["pid"] == pid


def test_an_action_that_looks_at_cancelled_ends_by_itself(ctl):
    ctl.enable("polite")
    expire(ctl, "polite", "polite")
    eventually(lambda: ctl.result("polite", "ping")["seen"] == ["polite"], "it saw it")


def test_the_next_call_is_not_hit_by_what_was_meant_for_the_last(ctl):
    ctl.enable("main")
    for _ in range(15):
        # It ends by itself at about the moment when it would be interrupted.
        ctl.run("main", "sleep", {"seconds": 0.35}, timeout="50ms")
        eventually(lambda: ctl.worker("main")["in_flight"] == 0, "it was answered")
        answers = [ctl.run("main", "ping") for _ in range(3)]
        assert [a.data for a in answers if a.code and a.data["code"] != "queue_full"] == []


def test_a_call_that_holds_on_ends_its_worker_which_says_where(ctl):
    before = ctl.enable("stubborn")[0]["worker"]["pid"]
    expire(ctl, "stubborn", "stubborn")
    eventually(
        lambda: ctl.worker("stubborn")["pid"] not in (None, before), "another worker", within=15
    )
    after = ctl.await_state("stubborn", "running")
    assert after["last_crash"]["code"] == "call_stuck"
    assert "stubborn" in after["last_crash"]["message"]
    assert "do_stubborn" in "\n".join(after["last_crash"]["evidence"])
    assert ctl.result("stubborn", "ping")["count"] == 1


def test_a_worker_wedged_in_c_is_ended_and_says_where(ctl):
    before = ctl.enable("wedged")[0]["worker"]["pid"]
    expire(ctl, "wedged", "wedge")
    eventually(
        lambda: ctl.worker("wedged")["pid"] not in (None, before), "another worker", within=15
    )
    crash = ctl.await_state("wedged", "running")["last_crash"]
    assert crash["code"] == "call_stuck"
    assert "do_wedge" in "\n".join(crash["evidence"])


def test_stacks_are_shown_of_an_idle_and_of_a_wedged_worker(ctl):
    ctl.enable("stacks")
    assert "Thread 0x" in ctl("dump-stacks", "stacks").ok()["stacks"]
    call = ctl.begin_run("stacks", "wedge", timeout="30s")
    eventually(
        lambda: "do_wedge" in ctl("dump-stacks", "stacks").ok()["stacks"], "it is seen wedged"
    )
    assert call.is_waiting()
    assert "do_wedge" in ctl.human("dump-stacks", "stacks").stdout
    ctl("kill", "stacks").ok()
    assert call.answer().code != 0


def test_stacks_of_a_stopped_process_fail_in_time_and_say_so(ctl):
    pid = ctl.enable("frozen")[0]["worker"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        answer = ctl("dump-stacks", "frozen")
        assert answer.code == TIMED_OUT
        assert "SIGSTOP" in answer.data["hint"]
    finally:
        os.kill(pid, signal.SIGCONT)
    assert ctl("dump-stacks", "nobody").code == NOT_FOUND
    ctl.disable("frozen")
    assert ctl("dump-stacks", "frozen").code == NOT_FOUND


def test_a_caller_that_hangs_up_frees_its_place_once_the_call_has_let_go(ctl):
    pid = ctl.enable("left")[0]["worker"]["pid"]
    for round_ in range(5):
        call = ctl.begin_run("left", "sleep", timeout="60s")
        eventually(lambda: ctl.worker("left")["in_flight"] == 1, "it runs")
        call.process.kill()
        call.process.wait(5)
        eventually(lambda: ctl.worker("left")["in_flight"] == 0, "it is given up")
        eventually(
            lambda: ctl.result("left", "ping")["seen"] == ["CallCancelled"] * (round_ + 1),
            "it was interrupted",
        )
    assert ctl.worker("left")["pid"] == pid, "nobody's hanging up ends a worker"


def test_calls_that_have_not_let_go_keep_their_places(ctl):
    before = ctl.enable("full")[0]["worker"]["pid"]
    calls = [ctl.begin_run("full", "stubborn", timeout="300ms") for _ in range(3)]
    for call in calls:
        assert call.answer().code == TIMED_OUT
    full = ctl.run("full", "ping")
    assert full.code != 0
    assert full.data["code"] == "queue_full"
    eventually(lambda: ctl.worker("full")["pid"] not in (None, before), "it is ended", within=15)
    ctl.await_state("full", "running")
    assert ctl.result("full", "ping")["count"] == 1
