"""A worker that dies, hangs or runs away harms nobody but itself."""

import pytest

from harness.ctl import FAILED, NOT_READY, TIMED_OUT
from harness.processes import identity, is_alive, stopwatch
from harness.waiting import eventually, seconds

# Answers once the gate file exists, so that calls stay in flight as long as a test wants.
NEIGHBOUR = """
import os, time
class Plugin:
    def run(self, action, params, context):
        while params.get("gate") and not os.path.exists(params["gate"]):
            time.sleep(0.01)
        return {"pid": os.getpid(), "n": params.get("n")}
"""
FALLING = """
import ctypes, os, signal, sys, threading, time
class Plugin:
    def run(self, action, params, context):
        if action == "pid":
            return {"pid": os.getpid()}
        if action == "block":
            time.sleep(60)
        print("last words before " + action, flush=True)
        if action == "segfault":
            ctypes.string_at(0)
        if action == "abort":
            os.abort()
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if action == "_exit":
            os._exit(3)
        if action == "sys_exit":
            sys.exit(4)
        if action == "thread_exit":
            threading.Thread(target=lambda: os._exit(5)).start()
            time.sleep(60)
        if action == "loop":
            while True:
                pass
        if action == "close_all":
            os.closerange(3, 1000)
            time.sleep(60)
        if action == "stop_self":
            os.kill(os.getpid(), signal.SIGSTOP)
        return {"still": "alive"}
"""
NEIGHBOURS = ["neighbour_1", "neighbour_2", "neighbour_3", "neighbour_4"]


def prepare(installation):
    for key in NEIGHBOURS:
        installation.write(key, NEIGHBOUR)
    installation.write("falling", FALLING)
    installation.write("crashes_in_a_row", FALLING)


@pytest.fixture(autouse=True)
def falling(ctl):
    """Runs, with no crash on record."""
    ctl.disable("falling")
    return ctl.enable("falling", *NEIGHBOURS)[0]


def crash(ctl, action, key="falling"):
    answer = ctl.run(key, action)
    assert answer.code == FAILED, answer
    return answer.data


def test_a_segfault_while_20_calls_are_in_flight_elsewhere_harms_none_of_them(ctl, tmp_path):
    gate = tmp_path / "gate"
    others = [
        ctl.begin_run(NEIGHBOURS[n % 4], "wait", {"gate": str(gate), "n": n}) for n in range(20)
    ]
    for key in NEIGHBOURS:
        ctl.await_in_flight(key, 5)

    error = crash(ctl, "segfault")

    assert error["code"] == "worker_killed_by_signal"
    assert error["signal"] == "SIGSEGV"
    assert "SIGSEGV" in error["error"]
    assert any("last words before segfault" in line for line in error["evidence"])
    assert all(call.is_waiting() for call in others)
    gate.touch()
    answers = [call.answer().ok() for call in others]
    assert [answer["n"] for answer in answers] == list(range(20))
    assert all(ctl.worker(key)["restarts"] == 0 for key in NEIGHBOURS)
    listed = ctl.list()["falling"]["worker"]
    assert listed["last_crash"]["signal"] == "SIGSEGV"
    assert listed["restarts"] == 1


@pytest.mark.parametrize("action, signal", [("abort", "SIGABRT"), ("kill", "SIGKILL")])
def test_the_signal_that_ended_a_worker_is_named(ctl, action, signal):
    error = crash(ctl, action)
    assert error["code"] == "worker_killed_by_signal"
    assert error["signal"] == signal
    assert any("last words" in line for line in error["evidence"])


@pytest.mark.parametrize("action, code", [("_exit", 3), ("thread_exit", 5)])
def test_the_exit_code_of_a_worker_that_ended_itself_is_told(ctl, action, code):
    error = crash(ctl, action)
    assert error["code"] == "worker_exited"
    assert error["exit_code"] == code
    assert str(code) in error["error"]


def test_sys_exit_in_run_fails_the_call_and_not_the_worker(ctl):
    error = crash(ctl, "sys_exit")
    assert error["code"] == "plugin_raised"
    assert "SystemExit" in error["error"]
    assert ctl.worker("falling")["restarts"] == 0


def test_every_call_of_the_crashed_worker_is_answered(ctl):
    waiting = [ctl.begin_run("falling", "block") for _ in range(3)]
    ctl.await_in_flight("falling", 3)
    crash(ctl, "segfault")
    for call in waiting:
        assert call.answer().data["code"] == "worker_killed_by_signal"


def test_a_crashed_worker_is_restarted_at_once(ctl, falling):
    elapsed = stopwatch()
    crash(ctl, "segfault")
    worker = ctl.await_state("falling", "running", within=5)
    assert elapsed() < seconds(5)
    assert worker["pid"] != falling["worker"]["pid"]
    assert worker["generation"] > falling["worker"]["generation"]
    assert worker["restarts"] == 1
    assert ctl.result("falling", "pid") == {"pid": worker["pid"]}


def test_a_worker_killed_from_outside_is_restarted(ctl, falling):
    import os
    import signal

    os.kill(falling["worker"]["pid"], signal.SIGKILL)
    eventually(lambda: ctl.worker("falling")["restarts"] == 1, "it is noticed")
    ctl.await_state("falling", "running")


def test_crashing_again_and_again_waits_longer_each_time_and_says_so(ctl):
    ctl.enable("crashes_in_a_row")
    crash(ctl, "_exit", "crashes_in_a_row")
    ctl.await_state("crashes_in_a_row", "running")
    crash(ctl, "_exit", "crashes_in_a_row")
    worker = ctl.await_state("crashes_in_a_row", "backoff")
    assert worker["pid"] is None
    assert worker["reason"] == "worker_exited"
    assert worker["next_start_at"]
    refused = ctl.run("crashes_in_a_row", "pid")
    assert refused.code == NOT_READY
    assert refused.data["code"] == "backoff"
    ctl("reload", "crashes_in_a_row").ok()
    assert ctl.await_state("crashes_in_a_row", "running", within=5)
    ctl.disable("crashes_in_a_row")


def test_an_infinite_loop_ends_at_the_deadline_and_the_others_go_on(ctl):
    elapsed = stopwatch()
    call = ctl.begin_run("falling", "loop", timeout="2s")
    ctl.await_in_flight("falling", 1)
    for key in NEIGHBOURS:
        assert ctl.result(key, "x", {"n": 1})["n"] == 1
    assert call.is_waiting(), "the others answered meanwhile"
    answer = call.answer()
    assert answer.code == TIMED_OUT
    assert answer.data["code"] == "deadline_exceeded"
    assert elapsed() < seconds(6)


def test_an_infinite_loop_can_be_disabled(ctl, falling):
    call = ctl.begin_run("falling", "loop", timeout="30s")
    ctl.await_in_flight("falling", 1)
    process = identity(falling["worker"]["pid"])
    call.process.kill()
    call.process.communicate()
    ctl.disable("falling")
    assert not is_alive(process)


def test_a_worker_that_closes_its_link_is_replaced(ctl):
    error = crash(ctl, "close_all")
    assert error["code"] in ("link_lost", "worker_killed_by_signal", "worker_exited")
    ctl.await_state("falling", "running")
    assert ctl.result("falling", "pid")


def test_a_worker_that_stops_itself_can_be_disabled(ctl, falling):
    call = ctl.begin_run("falling", "stop_self", timeout="1s")
    assert call.answer().code == TIMED_OUT
    ctl.disable("falling")
    assert not is_alive(identity(falling["worker"]["pid"]))


FLAGS = {"stop_timeout": "2s"}
