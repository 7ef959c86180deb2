"""Heartbeats tell a slow action, C code that keeps the interpreter, a stopped process and a dead
link apart, and end only what will not come back."""

import os
import signal

import pytest

from harness.ctl import FAILED
from harness.processes import state_of
from harness.waiting import eventually, lasting, seconds

# Stopped again whenever it is told to go on, by a child that ends after a minute.
STOPPED_AGAIN = """
import os, signal, time
class Plugin:
    def run(self, action, params, context):
        print("soon stopped", flush=True)
        worker = os.getpid()
        if os.fork() == 0:
            end = time.monotonic() + 60
            while time.monotonic() < end:
                os.kill(worker, signal.SIGSTOP)
                time.sleep(0.002)
            os._exit(0)
        time.sleep(60)
"""
# The link's descriptor becomes another socket; a copy keeps the connection open.
DEAF = """
import os, socket
class Plugin:
    def run(self, action, params, context):
        if action != "deafen":
            return {"pid": os.getpid()}
        print("deaf now", flush=True)
        self.kept = [socket.socketpair()]
        for fd in map(int, os.listdir("/proc/self/fd")):
            try:
                peer = socket.socket(fileno=os.dup(fd)).getpeername()
            except OSError:
                continue
            if isinstance(peer, str) and peer.endswith("/link"):
                self.kept.append(os.dup(fd))
                os.dup2(self.kept[0][0].fileno(), fd)
"""
WAITS = """
import time
class Plugin:
    def run(self, action, params, context):
        time.sleep(params["seconds"])
        return {}
"""
# Python code in many threads, and nothing else.
CROWDED = """
import threading, time
class Plugin:
    def run(self, action, params, context):
        end = time.monotonic() + params["seconds"]
        def work():
            while time.monotonic() < end:
                sum(range(1000))
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {"done": True}
"""
PLUGINS = ["hostile/spins_in_c", "hostile/stops_itself", "samples/hello"]
WEDGED_AFTER, SILENT_AFTER = 3, 4
FLAGS = {
    "heartbeat_interval": "100ms",
    "wedged_after": lasting(WEDGED_AFTER),
    "silent_after": lasting(SILENT_AFTER),
    "restart_first_delay": "50ms",
    "quarantine_after": "0",
    "stop_timeout": "2s",
}


def prepare(installation):
    installation.write("stopped_again", STOPPED_AGAIN)
    installation.write("deaf", DEAF)
    installation.write("crowded", CROWDED)
    installation.write("waits", WAITS)


def pulse(ctl, key):
    return (ctl.worker(key)["heartbeat"] or {}).get("pulse")


def await_pulse(ctl, key, wanted, within=15.0):
    eventually(lambda: pulse(ctl, key) == wanted, f"the pulse of {key} is {wanted}", within)


def await_crash(ctl, key, before, within=30.0):
    """Waits for the worker after `before`; returns how the one before ended."""

    def other():
        worker = ctl.worker(key)
        return worker if worker["state"] == "running" and worker["pid"] != before else None

    return eventually(other, f"another worker of {key}", within)["last_crash"]


@pytest.mark.parametrize("key, action", [("spins_in_c", "busy"), ("crowded", "work")])
def test_a_slow_action_that_takes_turns_is_shown_busy_and_left_alone(ctl, key, action):
    before = ctl.enable(key)[0]["worker"]
    longer = max(WEDGED_AFTER, SILENT_AFTER) + 2
    call = ctl.begin_run(key, action, {"seconds": seconds(longer)})
    await_pulse(ctl, key, "busy")
    assert call.answer().code == 0
    after = ctl.worker(key)
    assert (after["pid"], after["restarts"]) == (before["pid"], 0)
    assert after["heartbeat"]["interpreter_wait_us"] > 0
    ctl.disable(key)


def test_an_action_that_waits_is_well(ctl):
    ctl.enable("waits")
    call = ctl.begin_run("waits", "x", {"seconds": 2})
    await_pulse(ctl, "waits", "well")
    shown = ctl.worker("waits")["heartbeat"]
    assert 0 < shown["round_trip_us"] < 60e6
    assert call.answer().code == 0


def test_an_idle_worker_is_not_woken_to_ask_it_how_it_is(ctl):
    ctl.enable("hello")
    # Its turn, and those of others, come and go meanwhile.
    ctl.enable("waits")
    ctl.run("waits", "x", {"seconds": 4}).ok()
    assert ctl.worker("hello")["heartbeat"] is None


def test_an_idle_process_that_is_stopped_is_told_to_go_on(ctl):
    worker = ctl.enable("waits")[0]["worker"]["pid"]
    os.kill(worker, signal.SIGSTOP)
    ctl.await_log("waits", "told to go on (SIGCONT)", within=20)
    eventually(lambda: state_of(worker) != "T", "it goes on")
    await_pulse(ctl, "waits", "well")
    assert ctl.worker("waits")["pid"] == worker


def test_a_call_wedged_in_c_ends_its_worker_with_the_stacks_as_evidence(ctl):
    other = ctl.enable("hello")[0]["worker"]["pid"]
    before = ctl.enable("spins_in_c")[0]["worker"]["pid"]
    call = ctl.begin_run("spins_in_c", "spin")
    await_pulse(ctl, "spins_in_c", "wedged")
    assert ctl("why", "spins_in_c").ok()["worker"]["heartbeat"]["pulse"] == "wedged"
    assert ctl.result("hello", "greet"), "nobody else is kept waiting"
    answer = call.answer()
    assert answer.code == FAILED
    assert answer.data["code"] == "worker_wedged"
    crash = await_crash(ctl, "spins_in_c", before)
    assert crash["code"] == "worker_wedged"
    assert "C code" in crash["message"] and "--wedged-after" in crash["hint"]
    assert "in spin" in "\n".join(crash["evidence"])
    told = ctl.human("why", "spins_in_c").stdout
    assert "worker_wedged" in told and "in spin" in told
    ctl.await_log("spins_in_c", "C code holds it")
    assert ctl.worker("spins_in_c")["last_stop"]["reason"] == "wedged"
    assert ctl.worker("hello")["pid"] == other


def test_a_thread_wedged_in_c_ends_its_worker_although_no_call_waits(ctl):
    before = ctl.enable("spins_in_c")[0]["worker"]["pid"]
    ctl.result("spins_in_c", "beside")
    crash = await_crash(ctl, "spins_in_c", before)
    assert crash["code"] == "worker_wedged"
    assert "in spin" in "\n".join(crash["evidence"])


def test_a_stopped_process_is_told_to_go_on_and_its_call_is_answered(ctl):
    before = ctl.enable("stops_itself")[0]["worker"]
    call = ctl.begin_run("stops_itself", "now")
    await_pulse(ctl, "stops_itself", "stopped")
    assert call.answer().ok()["pid"] == before["pid"]
    ctl.await_log("stops_itself", "is stopped (SIGSTOP)")
    ctl.await_log("stops_itself", "told to go on (SIGCONT)")
    ctl.await_log("stops_itself", "answers again")
    after = ctl.worker("stops_itself")
    assert (after["pid"], after["restarts"]) == (before["pid"], 0)


def test_a_process_that_is_stopped_again_and_again_is_ended_and_says_so(ctl):
    before = ctl.enable("stopped_again")[0]["worker"]["pid"]
    answer = ctl.run("stopped_again", "x")
    assert answer.data["code"] == "worker_silent"
    crash = await_crash(ctl, "stopped_again", before)
    assert crash["code"] == "worker_silent"
    assert "SIGSTOP" in crash["message"] and "SIGCONT" in crash["message"]
    assert any(line.startswith(f"/proc/{before}: T (stopped)") for line in crash["evidence"]), crash
    assert "soon stopped" in crash["evidence"]
    assert "(SIGSTOP)" in ctl.human("why", "stopped_again").stdout


def test_a_worker_that_lives_but_is_deaf_is_ended_and_says_what_it_did(ctl):
    before = ctl.enable("deaf")[0]["worker"]["pid"]
    answer = ctl.run("deaf", "deafen")
    assert answer.data["code"] == "worker_silent"
    crash = await_crash(ctl, "deaf", before)
    assert crash["code"] == "worker_silent"
    assert "has not answered" in crash["message"]
    assert any("S (sleeping)" in line for line in crash["evidence"]), crash
    assert "deaf now" in crash["evidence"]
    assert ctl.result("deaf", "x")["pid"] != before


def test_the_wait_for_the_interpreter_is_measured(ctl, installation):
    ctl.enable("waits")
    ctl.run("waits", "x", {"seconds": 1}).ok()
    await_pulse(ctl, "waits", "well")
    text = installation.start_gateway().rest.get("/metrics").body.decode()
    name = "plugin_supervisor_worker_interpreter_wait_seconds"
    [value] = [
        line.split()[-1] for line in text.splitlines() if line.startswith(name + '{plugin="waits"}')
    ]
    assert 0 <= float(value) < 60


def test_a_worker_that_was_taken_over_has_a_heartbeat(fresh):
    fresh.install("hostile/spins_in_c")
    fresh.start_supervisor(**FLAGS)
    ctl = fresh.ctl
    before = ctl.enable("spins_in_c")[0]["worker"]["pid"]
    fresh.kill_supervisor()
    fresh.start_supervisor(**FLAGS)
    assert ctl.await_state("spins_in_c", "running")["pid"] == before
    ctl.begin_run("spins_in_c", "spin")
    assert await_crash(ctl, "spins_in_c", before)["code"] == "worker_wedged"


def test_with_limits_of_nought_it_is_only_shown(fresh):
    fresh.install("hostile/stops_itself")
    flags = {**FLAGS, "silent_after": "0", "wedged_after": "0"}
    fresh.start_supervisor(**flags)
    ctl = fresh.ctl
    before = ctl.enable("stops_itself")[0]["worker"]["pid"]
    call = ctl.begin_run("stops_itself", "now")
    await_pulse(ctl, "stops_itself", "stopped")
    assert call.is_waiting()
    os.kill(before, signal.SIGCONT)
    assert call.answer().ok()["pid"] == before
    await_pulse(ctl, "stops_itself", "well")


def test_under_gevent_a_worker_has_a_heartbeat(fresh):
    pytest.importorskip("gevent", reason="python3-gevent is not installed")
    fresh.install("hostile/spins_in_c")
    (fresh.plugins_dir / "spins_in_c" / "plugin.json").write_text(
        '{"name": "Spins", "permissions": {"runtime": {"gevent": true}}}'
    )
    fresh.start_supervisor(**FLAGS)
    ctl = fresh.ctl
    worker = ctl.enable("spins_in_c")[0]["worker"]
    assert worker["profile"].endswith("gevent")
    ctl.run("spins_in_c", "busy", {"seconds": 1}).ok()
    assert pulse(ctl, "spins_in_c") in ("well", "busy")
    ctl.begin_run("spins_in_c", "spin")
    assert await_crash(ctl, "spins_in_c", worker["pid"])["code"] == "worker_wedged"
