"""Whatever a plugin does: its stop is over within its budget and a second, nothing of it is left,
and the report says what that took. With PID namespaces, and where there can be none."""

import pytest

from harness.installation import WITHOUT_NAMESPACES, Installation
from harness.processes import (
    descendants,
    identity,
    is_alive,
    launch_mark,
    marked,
    parent,
    state_of,
    stopwatch,
)
from harness.vices import STOPS
from harness.waiting import eventually, is_sanitized, seconds

BUDGET = 2.0
FLAGS = {"stop_timeout": f"{BUDGET}s", "cancel_grace": "300ms", "quarantine_after": "0"}

PLUGINS = sorted({key for key, *_ in STOPS})

@pytest.fixture(scope="module", params=["namespaces", "no_namespaces"])
def ctl(request, postgres):
    made = Installation(postgres)
    try:
        if request.param == "no_namespaces":
            made.supervisor_prefix = WITHOUT_NAMESPACES
        for key in PLUGINS:
            made.install(f"hostile/{key}")
        made.start_supervisor(**FLAGS)
        eventually(lambda: "spawner.ready" in made.supervisor.log(), "the spawner is ready")
        has = "pid_namespace=true" if request.param == "namespaces" else "pid_namespace=false"
        assert has in made.supervisor.log(), made.supervisor.log_tail()
        yield made.ctl
    finally:
        made.close()

def misbehave(ctl, key, action, goes_on):
    """The worker's number, its launch mark, all of its processes, and the call that goes on."""
    ctl("enable", key)
    worker = ctl("start", key).ok()["plugin"]["worker"]["pid"]  # An earlier test has stopped it.
    mark = launch_mark(worker)
    call = None
    if goes_on:
        call = ctl.begin_run(key, action, timeout="60s")
        ctl.await_in_flight(key, 1)
        if action == "now":
            eventually(lambda: state_of(worker) == "T", "it has stopped itself")
    else:
        ctl.result(key, action)
    return worker, mark, call

@pytest.mark.parametrize(
    "key, action, goes_on, steps", STOPS, ids=[f"{v[0]}-{v[1]}" for v in STOPS]
)
def test_a_stop_ends_in_time_and_leaves_nothing(ctl, key, action, goes_on, steps):
    worker, mark, call = misbehave(ctl, key, action, goes_on)
    init = parent(worker)
    below = [identity(init), *descendants(init)]
    elapsed = stopwatch()
    shown = ctl("stop", key).ok()["plugin"]["worker"]
    took = elapsed()
    assert shown["state"] == "stopped"
    report = shown["last_stop"]
    assert report["reason"] == "stop"
    assert report["ms"] <= 1000 * seconds(BUDGET + 1)
    assert took <= seconds(BUDGET + 1.5), "with what pluginctl itself takes"
    assert [p for p in below if is_alive(p)] == []
    assert marked(mark) == []
    # What the init has missed, the supervisor ends.
    told = [step for step in report["steps"] if step != "orphans"]
    if not is_sanitized():
        assert told == steps, report
        assert report["forced"] is ("sigterm" in steps)
    if call:
        answer = call.answer()
        assert answer.code == 0 or answer.data["code"] == "cancelled", answer
