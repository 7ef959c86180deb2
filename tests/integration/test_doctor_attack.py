"""pluginctl doctor --attack: what it says, what it costs, and that it does no harm where nothing is
stopped. What is stopped at which tier: test_attacks.py."""

import os
from pathlib import Path

import pytest

from harness.ctl import FAILED, NOT_FOUND, NOT_READY, OK, USAGE
from harness.installation import FULL_SANDBOX
from harness.waiting import eventually

FLAGS = FULL_SANDBOX
PLUGINS = ["samples/hello"]

# The process is the plugin's: it may make the answer up.
LIES = """
from plugin_worker.attacks import battery
from plugin_worker.attacks.attempt import Outcome
class Plugin:
    def run(self, action, params, context):
        if action == "done":
            battery.make = lambda *_: Outcome()
        if action == "nonsense":
            battery.in_child = lambda *_: {"results": [{"number": "many"}]}
        if action == "hang":
            battery.make = lambda *_: __import__("time").sleep(600)
            battery_in_child = battery.in_child
            battery.in_child = lambda values, within: battery_in_child(values, 1)
        return {"status": "ok"}
"""
SLEEPS = """
import os, time
class Plugin:
    def run(self, action, params, context):
        return {"pid": os.getpid(), "descriptors": sorted(os.listdir("/proc/self/fd"))}
"""


def prepare(installation):
    installation.write("lies", LIES)
    installation.write("sleeps", SLEEPS)


@pytest.fixture(scope="module", autouse=True)
def enabled(ctl):
    ctl.enable("lies", "sleeps")


def test_the_table_tells_each_attempt_its_error_and_what_stops_it(ctl):
    told = ctl.human("doctor", "--attack", "sleeps")
    assert told.returncode == OK, told.stdout + told.stderr
    line = next(line for line in told.stdout.splitlines() if "read /etc/shadow  " in line)
    assert line.split() == ["1", "read", "/etc/shadow", "blocked", "ENOENT", "root,", "user,", "files"]
    assert "sleeps (tier T3)" in told.stdout and "stops what it is to stop" in told.stdout
    answer = ctl("doctor", "--attack", "sleeps").ok()
    (plugin,) = answer["plugins"]
    assert plugin["key"] == "sleeps" and plugin["sandbox_tier"] == 3
    assert plugin["missing"] == ["privileges"]
    row = next(row for row in plugin["results"] if row["name"] == "read_shadow")
    assert row == {
        "number": 1, "name": "read_shadow", "what": "read /etc/shadow", "verdict": "blocked",
        "outcome": "ENOENT", "stopped_by": ["root", "user", "files"],
    }  # fmt: skip


def test_without_a_name_every_plugin_that_runs_is_asked(ctl):
    answer = ctl("doctor", "--attack").ok()
    assert sorted(plugin["key"] for plugin in answer["plugins"]) == ["lies", "sleeps"]


def test_its_worker_is_not_disturbed(ctl):
    before = ctl.result("sleeps", "look")
    attack = ctl.begin("doctor", "--attack", "sleeps")
    answered = 0
    while attack.is_waiting():
        ctl.result("sleeps", "look")
        answered += 1
    attack.answer().ok()
    assert answered > 1
    assert ctl.result("sleeps", "look")["pid"] == before["pid"]
    # All that were opened meanwhile are closed again; the listing itself has one.
    assert len(ctl.result("sleeps", "look")["descriptors"]) <= len(before["descriptors"]) + 1


def test_what_is_let_through_although_it_is_to_be_stopped_is_told(ctl):
    ctl.result("lies", "done")
    answer = ctl("doctor", "--attack", "lies")
    assert answer.code == FAILED and answer.data["success"] is False
    assert {row["verdict"] for row in answer.data["plugins"][0]["results"]} == {"open"}
    told = ctl.human("doctor", "--attack", "lies")
    assert told.returncode == FAILED and "NOT BLOCKED" in told.stdout
    ctl("restart", "lies").ok()


@pytest.mark.parametrize("action, code", [("nonsense", "result_not_json"), ("hang", "plugin_raised")])
def test_an_answer_that_is_spoilt_is_told_as_such(ctl, action, code):
    ctl.result("lies", action)
    answer = ctl("doctor", "--attack", "lies")
    assert answer.code == FAILED and answer.data["code"] == code, answer
    ctl("restart", "lies").ok()


def test_where_there_is_no_worker_it_says_why(ctl):
    assert ctl("doctor", "--attack", "nobody").code == NOT_FOUND
    assert ctl("doctor", "--attack", "hello").code == NOT_READY
    assert ctl("doctor", "sleeps").code == USAGE


GRANTED = ("network.outbound=127.0.0.1", "network.outbound=192.0.2.1", "exec=false")


def test_what_was_granted_is_no_fault(fresh):
    fresh.write("sleeps", SLEEPS)
    fresh.start_supervisor(**FLAGS)
    fresh.ctl("permissions", "grant", "sleeps", *GRANTED).ok()
    fresh.ctl.enable("sleeps")
    answer = fresh.ctl("doctor", "--attack", "sleeps").ok()
    rows = {row["name"]: row for row in answer["plugins"][0]["results"]}
    assert rows["connect_loopback"]["verdict"] == rows["send_datagram"]["verdict"] == "granted"
    # What was not stays where it is.
    assert rows["listen"] == {**rows["listen"], "verdict": "blocked", "outcome": "EACCES"}
    assert rows["execute"] == {**rows["execute"], "verdict": "blocked", "outcome": "EACCES"}
    assert rows["read_shadow"]["verdict"] == "blocked"


def test_an_interpreter_that_is_executed_in_the_sandbox_is_no_fault(fresh):
    """The filter lets programs be then; without Landlock nothing is left to stop others."""
    runtime = {"python": os.path.realpath("/usr/bin/python3")}
    fresh.write("sleeps", SLEEPS, manifest={"name": "x", "permissions": {"runtime": runtime}})
    fresh.start_supervisor(**{**FLAGS, "sandbox": "files=off"})
    fresh.ctl("enable", "sleeps", "--grant").ok()
    answer = fresh.ctl("doctor", "--attack", "sleeps").ok()
    rows = {row["name"]: row for row in answer["plugins"][0]["results"]}
    assert rows["execute"]["verdict"] == "unprotected"
    assert rows["execute_dropped"] == {**rows["execute_dropped"], "outcome": "EACCES"}


MADE = (".attack-", "plugin-attack-")


def state_of_the_host(installation):
    places = ["/", "/usr", "/etc", "/var", "/root", "/tmp", "/dev/shm"]
    code = installation.plugins_dir / "sleeps"
    return {
        "left": [n for p in places for n in os.listdir(p) if n.startswith(MADE)],
        "code": {p.name: (p.stat().st_size, p.stat().st_mtime_ns) for p in code.iterdir()},
        "data": sorted(os.listdir(installation.runtime_dir / "data/sleeps")),
        "name": os.uname().nodename,
        "mounts": Path("/proc/self/mountinfo").read_text(),
        "users": Path("/etc/passwd").stat().st_mtime_ns,
        "segments": [
            line
            for line in Path("/proc/sysvipc/shm").read_text().splitlines()
            if line.split()[4] == str(installation.supervisor.pid)  # Who made it.
        ],
        "workers": {key: installation.ctl.worker(key)["pid"] for key in ("sleeps", "other")},
        "supervisor": installation.supervisor.process.poll(),
    }


def test_where_nothing_is_stopped_it_does_no_harm(fresh):
    fresh.write("sleeps", SLEEPS)
    fresh.write("other", SLEEPS)
    fresh.start_supervisor()  # All protections are off.
    fresh.ctl.enable("sleeps", "other")
    before = state_of_the_host(fresh)
    answer = fresh.ctl("doctor", "--attack", "sleeps").ok()
    assert len([r for r in answer["plugins"][0]["results"] if r["verdict"] == "unprotected"]) > 70
    eventually(lambda: state_of_the_host(fresh)["left"] == [], "what it had made is gone")
    assert state_of_the_host(fresh) == before
    assert fresh.ctl.result("other", "look")["pid"] == before["workers"]["other"]
