"""stop() is called, in time and with its reason; afterwards nothing is left."""

import json
import signal

import pytest

from harness.processes import (
    await_gone,
    descendants,
    identity,
    is_alive,
    mentioning,
    parent,
    seen_from_here,
    stopwatch,
)
from harness.waiting import eventually, seconds

# Each call of stop leaves a line in the file that the settings name.
HEADER = """
import json, os, subprocess, sys, threading, time
def note(context, **more):
    with open(context["settings"]["notes"], "a") as notes:
        notes.write(json.dumps({"reason": context.get("reason"), "pid": os.getpid(), **more}) + "\\n")
class Plugin:
    fields = [{"id": "notes", "label": "Notes", "type": "string"}]
"""
STOPS = HEADER + """
    def run(self, action, params, context):
        return {"pid": os.getpid()}
    def stop(self, context):
        context["logger"].info("stopping because of %s", context["reason"])
        note(context, main=threading.current_thread() is threading.main_thread(),
             keys=sorted(context))
"""
STOPS_WITHOUT_ARGUMENT = HEADER + """
    def run(self, action, params, context):
        Plugin.where = context["settings"]["notes"]
        return {}
    def stop(self):
        with open(Plugin.where, "a") as notes:
            notes.write(json.dumps({"called": "with nothing"}) + "\\n")
"""
STOP_ACTION = HEADER + """
    actions = [{"id": "stop", "label": "Stop"}]
    def run(self, action, params, context):
        if action == "stop":
            note(context, action=action, params=params)
        return {}
"""
STOP_RAISES = HEADER + """
    def run(self, action, params, context): return {}
    def stop(self, context):
        note(context)
        raise RuntimeError("cannot stop like this")
"""
STOP_HANGS = HEADER + """
    def run(self, action, params, context): return {}
    def stop(self, context):
        note(context)
        time.sleep(3600)
"""
SLOW_STOP = HEADER + """
    def run(self, action, params, context): return {}
    def stop(self, context):
        time.sleep(1)
        note(context, finished=True)
"""
STOP_WHILE_BUSY = HEADER + """
    def run(self, action, params, context):
        self.ending = getattr(self, "ending", threading.Event())
        self.ending.wait(30)
        return {"stopped_early": self.ending.is_set()}
    def stop(self, context):
        self.ending.set()
        note(context)
"""
LEAVES_THINGS_BEHIND = HEADER + """
    def run(self, action, params, context):
        double = ("import os, time\\n"
                  "if os.fork(): os._exit(0)\\n"
                  "os.setsid()\\n"
                  "if os.fork(): os._exit(0)\\n"
                  "time.sleep(3600)\\n")
        child = subprocess.Popen(["sleep", "3600"])
        subprocess.run([sys.executable, "-c", double])
        stubborn = subprocess.Popen(
            [sys.executable, "-c", "import signal,time\\nsignal.signal(15, signal.SIG_IGN)\\nprint(flush=True)\\ntime.sleep(3600)"],
            stdout=subprocess.PIPE, start_new_session=True)
        stubborn.stdout.readline()
        threading.Thread(target=time.sleep, args=(3600,)).start()
        return {"child": child.pid, "stubborn": stubborn.pid}
"""
PLUGINS_HERE = {
    "stops": STOPS,
    "without_argument": STOPS_WITHOUT_ARGUMENT,
    "stop_action": STOP_ACTION,
    "stop_raises": STOP_RAISES,
    "stop_hangs": STOP_HANGS,
    "slow_stop": SLOW_STOP,
    "stop_while_busy": STOP_WHILE_BUSY,
    "leaves_things_behind": LEAVES_THINGS_BEHIND,
}
FLAGS = {"stop_timeout": "2s"}


def prepare(installation):
    for key, code in PLUGINS_HERE.items():
        installation.write(key, code)


class Notes:
    def __init__(self, ctl, key, path):
        self.path = path
        ctl("settings", key, "--replace", json.dumps({"notes": str(path)})).ok()

    def read(self):
        return (
            [json.loads(line) for line in self.path.read_text().splitlines()]
            if self.path.exists()
            else []
        )

    def reasons(self):
        return [note["reason"] for note in self.read()]


@pytest.fixture
def notes(ctl, tmp_path):
    return lambda key: Notes(ctl, key, tmp_path / f"{key}.notes")


def test_disable_calls_stop_with_its_reason(ctl, notes):
    told = notes("stops")
    ctl.enable("stops")
    ctl.disable("stops")
    [note] = told.read()
    assert note["reason"] == "disable"
    assert note["main"] is True
    assert {"settings", "logger", "actions", "plugin", "reason"} <= set(note["keys"])
    assert any("stopping because of disable" in text for text in ctl.log_texts("stops"))


def test_reload_calls_stop_and_starts_a_new_process(ctl, notes):
    told = notes("stops")
    before = ctl.enable("stops")[0]["worker"]
    ctl("reload", "stops").ok()
    after = ctl.worker("stops")
    assert told.reasons() == ["reload"]
    assert after["state"] == "running"
    assert after["pid"] != before["pid"]
    assert after["restarts"] == 0, "a reload is no crash"


def test_reloading_everything_stops_every_enabled_plugin_and_no_other(ctl, notes):
    first, second, third = notes("stops"), notes("slow_stop"), notes("stop_action")
    ctl.enable("stops", "slow_stop")
    ctl.disable("stop_action")
    count = ctl("reload").ok()["count"]
    assert count == len(PLUGINS_HERE)
    assert first.reasons() == ["reload"]
    assert second.reasons() == ["reload"]
    assert third.reasons() == []


def test_a_stop_without_argument_is_called_with_none(ctl, notes):
    told = notes("without_argument")
    ctl.enable("without_argument")
    ctl.result("without_argument", "x")
    ctl.disable("without_argument")
    assert told.read() == [{"called": "with nothing"}]


def test_an_action_called_stop_stands_in_for_a_missing_stop(ctl, notes):
    told = notes("stop_action")
    ctl.enable("stop_action")
    ctl.disable("stop_action")
    [note] = told.read()
    assert (note["action"], note["params"], note["reason"]) == ("stop", {}, "disable")


def test_a_stop_that_raises_is_logged_and_the_process_ends_all_the_same(ctl, notes):
    told = notes("stop_raises")
    process = identity(ctl.enable("stop_raises")[0]["worker"]["pid"])
    ctl.disable("stop_raises")
    assert told.reasons() == ["disable"]
    assert not is_alive(process)
    assert any("cannot stop like this" in text for text in ctl.log_texts("stop_raises"))


def test_a_stop_that_takes_its_time_is_waited_for(ctl, notes):
    told = notes("slow_stop")
    ctl.enable("slow_stop")
    ctl.disable("slow_stop")
    assert told.read()[0]["finished"] is True


def test_a_stop_that_never_ends_is_ended_when_its_grace_is_over(ctl, notes):
    told = notes("stop_hangs")
    process = identity(ctl.enable("stop_hangs")[0]["worker"]["pid"])
    elapsed = stopwatch()
    [shown] = ctl.disable("stop_hangs")
    assert 1.5 < elapsed() < seconds(6)
    assert told.reasons() == ["disable"]
    assert shown["worker"]["state"] == "disabled"
    assert not is_alive(process)


def test_stop_is_called_while_a_call_runs_and_the_caller_is_answered(ctl, notes):
    told = notes("stop_while_busy")
    ctl.enable("stop_while_busy")
    call = ctl.begin_run("stop_while_busy", "x")
    ctl.await_in_flight("stop_while_busy", 1)
    elapsed = stopwatch()
    ctl.disable("stop_while_busy")
    assert elapsed() < seconds(10)
    answer = call.answer()
    assert answer.code in (0, 1)
    if answer.code == 1:
        assert answer.data["code"] in ("cancelled", "stopping")
    assert told.reasons() == ["disable"]


def test_nothing_that_a_plugin_started_outlives_it(ctl, notes):
    notes("leaves_things_behind")
    worker = ctl.enable("leaves_things_behind")[0]["worker"]["pid"]
    started = ctl.result("leaves_things_behind", "x")
    init = parent(worker)
    below = descendants(init)
    numbers = [p[0] for p in below]
    for name in ("child", "stubborn"):
        assert seen_from_here(started[name], init) in numbers
    assert len(numbers) >= 4, "the worker, two children, and a daemon that forked twice"
    ctl.disable("leaves_things_behind")
    assert not [p for p in below if is_alive(p)]


def test_sigterm_of_the_supervisor_stops_every_plugin_and_leaves_no_process(fresh, tmp_path):
    for key in ("stops", "slow_stop", "stop_hangs", "leaves_things_behind"):
        fresh.write(key, PLUGINS_HERE[key])
    daemon = fresh.start_supervisor(stop_timeout="2s")
    ctl = fresh.ctl
    told = [Notes(ctl, key, tmp_path / key) for key in ("stops", "slow_stop")]
    Notes(ctl, "stop_hangs", tmp_path / "stop_hangs")
    ctl.enable("stops", "slow_stop", "stop_hangs", "leaves_things_behind")
    ctl.result("leaves_things_behind", "x")
    below = descendants(daemon.pid)
    elapsed = stopwatch()
    assert daemon.terminate(within=10) == 0
    assert elapsed() < seconds(8), "all plugins are stopped side by side"
    assert [notes.reasons() for notes in told] == [["shutdown"], ["shutdown"]]
    assert not [p for p in below if is_alive(p)]
    assert mentioning(fresh.runtime_dir) == []
    assert not fresh.socket.exists()


def test_without_a_window_workers_end_with_a_supervisor_that_is_killed(fresh):
    fresh.write("stops", STOPS)
    fresh.start_supervisor(reattach_window="0")
    fresh.ctl.enable("stops")
    workers = fresh.kill_supervisor()
    assert workers, "there were some"
    await_gone(workers, within=20)
    eventually(lambda: mentioning(fresh.runtime_dir) == [], "nothing is left")


def test_a_second_sigterm_does_no_harm(fresh):
    fresh.write("slow_stop", SLOW_STOP)
    daemon = fresh.start_supervisor()
    fresh.ctl.enable("slow_stop")
    below = descendants(daemon.pid)
    daemon.signal(signal.SIGTERM)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait(10) == 0
    await_gone(below)
