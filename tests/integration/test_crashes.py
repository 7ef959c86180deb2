"""A worker that dies, hangs or runs away harms nobody but itself."""

import os
import re
import signal

import pytest

from harness.ctl import FAILED, NOT_READY, TIMED_OUT
from harness.processes import identity, is_alive, stopwatch
from harness.waiting import eventually, lasting, seconds

PLUGINS = [
    "hostile/segfault",
    "hostile/os_exit",
    "hostile/sys_exit",
    "hostile/kills_itself_sigkill",
    "hostile/infinite_loop",
    "hostile/closes_fd_1_and_2",
    "hostile/ignores_sigterm",
    "hostile/thread_outlives_call",
]
FLAGS = {"stop_timeout": "2s"}
# Five copies of one that holds four calls each, and answers a fifth.
NEIGHBOURS = [f"neighbour_{n}" for n in range(5)]


def prepare(installation):
    for key in NEIGHBOURS:
        installation.install("samples/main_thread", key)


@pytest.fixture(scope="module", autouse=True)
def neighbours(ctl):
    ctl.enable(*NEIGHBOURS)


@pytest.fixture
def start(ctl):
    """Enables a plugin for one test, with no crash on record."""
    started = []

    def start_one(key):
        started.append(key)
        return ctl.enable(key)[0]["worker"]

    yield start_one
    for key in started:
        ctl.disable(key)


def failure(answer):
    assert answer.code == FAILED, answer
    return answer.data


def test_a_segfault_while_20_calls_are_in_flight_elsewhere_harms_none_of_them(ctl, start):
    start("segfault")
    for key in NEIGHBOURS:
        ctl.result(key, "reset")
    others = [ctl.begin_run(NEIGHBOURS[n % 5], "hold", {"seconds": 50}) for n in range(20)]
    for key in NEIGHBOURS:
        ctl.await_in_flight(key, 4)

    error = failure(ctl.run("segfault", "crash"))

    assert error["code"] == "worker_killed_by_signal"
    assert error["signal"] == "SIGSEGV"
    assert "SIGSEGV" in error["error"]
    assert any("about to read address zero" in line for line in error["evidence"])
    assert all(call.is_waiting() for call in others)
    for key in NEIGHBOURS:
        ctl.result(key, "release")
    assert [call.answer().ok()["released"] for call in others] == [True] * 20
    assert [ctl.worker(key)["restarts"] for key in NEIGHBOURS] == [0] * 5
    listed = ctl.list()["segfault"]["worker"]
    assert listed["last_crash"]["signal"] == "SIGSEGV"
    assert listed["restarts"] == 1
    assert "SIGSEGV" in ctl.human("list").stdout


@pytest.mark.parametrize(
    "action, name", [("kill", "SIGKILL"), ("terminate", "SIGTERM"), ("abort", "SIGABRT")]
)
def test_the_signal_that_ended_a_worker_is_named_with_the_last_lines_it_printed(
    ctl, start, action, name
):
    start("kills_itself_sigkill")
    error = failure(ctl.run("kills_itself_sigkill", action))
    assert error["code"] == "worker_killed_by_signal"
    assert error["signal"] == name
    assert any(f"last words before {action}" in line for line in error["evidence"])


@pytest.mark.parametrize("code", [0, 3, 255])
def test_the_exit_code_of_a_worker_that_ended_itself_is_told(ctl, start, code):
    start("os_exit")
    error = failure(ctl.run("os_exit", "exit", {"code": code}))
    assert error["code"] == "worker_exited"
    assert error["exit_code"] == code
    assert str(code) in error["error"]
    assert any("last words before os._exit" in line for line in error["evidence"])


def test_a_crash_in_a_thread_after_the_answer_is_noticed_too(ctl, start):
    start("segfault")
    assert ctl.result("segfault", "crash_in_thread")["status"] == "ok"
    eventually(lambda: ctl.worker("segfault")["restarts"] == 1, "the crash is noticed")
    assert ctl.worker("segfault")["last_crash"]["signal"] == "SIGSEGV"


@pytest.mark.parametrize("action", ["exit", "exit_text"])
def test_sys_exit_in_run_fails_the_call_and_not_the_worker(ctl, start, action):
    worker = start("sys_exit")
    error = failure(ctl.run("sys_exit", action))
    assert error["code"] == "plugin_raised"
    assert "SystemExit" in error["error"]
    assert ctl.result("sys_exit", "ping")["pid"] == worker["pid"]


def test_every_call_of_the_crashed_worker_is_answered(ctl, start):
    start("os_exit")
    waiting = [ctl.begin_run("os_exit", "wait") for _ in range(3)]
    ctl.await_in_flight("os_exit", 3)
    failure(ctl.run("os_exit", "exit_while_busy"))
    for call in waiting:
        assert failure(call.answer())["code"] == "worker_exited"


def test_a_crashed_worker_is_restarted_at_once(ctl, start):
    before = start("segfault")
    elapsed = stopwatch()
    failure(ctl.run("segfault", "crash"))
    after = ctl.await_state("segfault", "running", within=5)
    assert elapsed() < seconds(5)
    assert after["pid"] != before["pid"]
    assert after["generation"] > before["generation"]
    assert after["restarts"] == 1
    assert ctl.result("segfault", "ping")["pid"] == after["pid"]


def test_a_start_right_after_a_crash_is_told_with_the_crash(ctl, start):
    start("segfault")
    failure(ctl.run("segfault", "crash"))
    ctl.await_state("segfault", "running", within=5)
    steps = ctl("why", "segfault").ok()["events"]
    assert (steps[-2]["from"], steps[-2]["to"]) == ("running", "starting")
    assert steps[-2]["failure"]["signal"] == "SIGSEGV"
    assert steps[-1]["to"] == "running" and steps[-1]["failure"] is None
    told = ctl.human("why", "segfault").stdout
    assert re.search(r"The last crash, \d+ s ago \(worker_killed_by_signal", told)
    assert "Starts after a crash, since it was enabled: 1." in told
    assert f"Process {ctl.worker('segfault')['pid']}, generation " in told


def test_a_worker_killed_from_outside_is_restarted(ctl, start):
    worker = start("os_exit")
    os.kill(worker["pid"], signal.SIGKILL)
    eventually(lambda: ctl.worker("os_exit")["restarts"] == 1, "it is noticed")
    ctl.await_state("os_exit", "running")


def test_crashing_again_waits_before_the_next_start_and_says_so(ctl, start):
    start("os_exit")
    failure(ctl.run("os_exit", "exit"))
    ctl.await_state("os_exit", "running")
    failure(ctl.run("os_exit", "exit"))
    worker = ctl.await_state("os_exit", "backoff")
    assert worker["pid"] is None
    assert worker["reason"] == "worker_exited"
    assert worker["next_start_at"]
    refused = ctl.run("os_exit", "ping")
    assert refused.code == NOT_READY
    assert refused.data["code"] == "backoff"
    assert "3" in refused.data["error"], "it says how the last one ended"


def test_a_reload_ends_the_wait_after_a_crash(ctl, start):
    start("os_exit")
    for _ in range(3):
        ctl.await_state("os_exit", "running", within=20)
        failure(ctl.run("os_exit", "exit"))
    ctl.await_state("os_exit", "backoff")
    ctl("reload", "os_exit").ok()
    assert ctl.worker("os_exit")["state"] == "running"


def test_an_infinite_loop_ends_at_the_deadline_and_the_others_go_on(ctl, start):
    start("infinite_loop")
    elapsed = stopwatch()
    call = ctl.begin_run("infinite_loop", "loop", timeout=lasting(2))
    ctl.await_in_flight("infinite_loop", 1)
    for key in NEIGHBOURS[:3]:
        assert "thread" in ctl.result(key, "x")
    assert call.is_waiting(), "the others answered meanwhile"
    answer = call.answer()
    assert answer.code == TIMED_OUT
    assert answer.data["code"] == "deadline_exceeded"
    assert elapsed() < seconds(6)


@pytest.mark.parametrize(
    "key, action",
    [
        ("infinite_loop", "loop"),
        ("infinite_loop", "hold_gil"),
        ("kills_itself_sigkill", "stop"),
        ("ignores_sigterm", "hold"),
    ],
)
def test_a_worker_that_does_not_listen_is_ended_when_disabled(ctl, start, key, action):
    process = identity(start(key)["pid"])
    call = ctl.begin_run(key, action, timeout="40s")
    ctl.await_in_flight(key, 1)
    elapsed = stopwatch()
    [shown] = ctl.disable(key)
    assert elapsed() < seconds(6)
    assert shown["worker"]["state"] == "disabled"
    assert not is_alive(process)
    answer = call.answer()
    # A process that was only stopped (SIGSTOP) is woken, and may finish its call.
    assert key == "kills_itself_sigkill" and answer.code == 0 or failure(answer)["code"] in (
        "cancelled",
        "worker_killed_by_signal",
        "worker_exited",
    )


def test_a_worker_that_closes_its_link_is_replaced(ctl, start):
    before = start("closes_fd_1_and_2")
    process = identity(before["pid"])
    answer = ctl.run("closes_fd_1_and_2", "close_all", timeout="20s")
    assert failure(answer)["code"] in ("link_lost", "worker_killed_by_signal", "worker_exited")
    eventually(
        lambda: ctl.worker("closes_fd_1_and_2")["pid"] not in (None, before["pid"]),
        "it is replaced",
    )
    assert not is_alive(process)


@pytest.mark.parametrize("action", ["close", "reuse"])
def test_a_plugin_that_closes_its_output_goes_on(ctl, start, action):
    start("closes_fd_1_and_2")
    assert ctl.result("closes_fd_1_and_2", action)["status"] == "ok"
    assert ctl.result("closes_fd_1_and_2", "ping") == {"status": "ok"}


def test_a_thread_that_outlives_its_call_does_not_outlive_the_plugin(ctl, start):
    process = identity(start("thread_outlives_call")["pid"])
    ctl.result("thread_outlives_call", "start")
    ctl.result("thread_outlives_call", "log_for_ever")
    elapsed = stopwatch()
    ctl.disable("thread_outlives_call")
    assert elapsed() < seconds(5)
    assert not is_alive(process)
