"""What an admin sets for one plugin holds over the daemon's defaults, and is kept."""

import threading

import pytest

from harness.processes import stopwatch
from harness.waiting import eventually, seconds

SLEEPS = """
import time
class Plugin:
    def run(self, action, params, context):
        time.sleep(params.get("seconds", 0))
        return {"slept": True}
    def stop(self, context):
        time.sleep(3600)
"""
FLAGS = {"call_timeout": "60s", "stop_timeout": "60s", "cancel_grace": "100ms"}


def prepare(installation):
    for key in ("timed", "kept", "narrow", "slow_to_stop", "refused"):
        installation.write(key, SLEEPS)


def path(key):
    return f"/api/supervisor/workers/{key}/options/"


@pytest.fixture(scope="module")
def rest(installation):
    return installation.start_gateway().rest


def test_options_that_nobody_set_are_null(rest):
    options = rest.get(path("refused")).ok()["options"]
    assert options["memory_bytes"] is None and options["call_timeout_ms"] is None
    assert set(options) >= {"cpus", "processes", "open_files", "stop_timeout_ms", "profile"}


def test_put_replaces_patch_changes_and_null_takes_the_default_again(rest):
    given = {"memory_bytes": 2**40, "cpus": 1.5}
    assert rest("PUT", path("kept"), given).ok()["options"]["memory_bytes"] == 2**40
    changed = rest("PATCH", path("kept"), {"cpus": 2, "processes": 64}).ok()["options"]
    assert (changed["memory_bytes"], changed["cpus"], changed["processes"]) == (2**40, 2.0, 64)
    assert rest("PATCH", path("kept"), {"cpus": None}).ok()["options"]["cpus"] is None
    replaced = rest("PUT", path("kept"), {"processes": 32}).ok()["options"]
    assert (replaced["memory_bytes"], replaced["processes"]) == (None, 32)


@pytest.mark.parametrize(
    "body, field",
    [
        ({"memory_bytes": 1000}, "memory_bytes"),
        ({"memory_bytes": "much"}, "memory_bytes"),
        ({"memory_byte": 1}, "memory_byte"),
        ({"cpus": -1}, "cpus"),
        ({"processes": 1.5}, "processes"),
        ({"open_files": 3}, "open_files"),
        ({"call_timeout_ms": 0}, "call_timeout_ms"),
        ({"profile": "../other"}, "profile"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name_and_changes_nothing(rest, body, field):
    refused = rest("PATCH", path("refused"), body)
    assert (refused.status, refused.data["code"]) == (400, "invalid_request")
    assert f"'{field}'" in refused.data["error"]
    assert set(rest.get(path("refused")).ok()["options"].values()) == {None}


def test_a_plugin_that_is_unknown_has_no_options(rest):
    for method in ("GET", "PUT", "PATCH"):
        refused = rest(method, path("nobody"), {} if method != "GET" else None)
        assert (refused.status, refused.data["code"]) == (404, "plugin_not_found")
    assert rest("POST", path("kept"), {}).status == 405


def test_the_deadline_of_calls_is_the_plugins_own_at_once(ctl, rest):
    ctl.enable("timed")
    rest("PUT", path("timed"), {"call_timeout_ms": 300}).ok()
    elapsed = stopwatch()
    late = rest.run("timed", "x", {"seconds": 3600})
    assert (late.status, late.data["code"]) == (504, "deadline_exceeded")
    assert elapsed() < seconds(10)


def test_the_queue_is_the_plugins_own_from_its_next_start_on(ctl, rest):
    rest("PUT", path("narrow"), {"max_in_flight": 1}).ok()
    ctl.enable("narrow")
    waiting = threading.Thread(target=lambda: rest.run("narrow", "x", {"seconds": 3}))
    waiting.start()
    ctl.await_in_flight("narrow", 1)
    refused = rest.run("narrow", "x")
    assert (refused.status, refused.data["code"]) == (429, "queue_full")
    assert " 1 calls" in refused.data["error"]
    waiting.join()


def test_the_time_to_stop_is_the_plugins_own(ctl, rest):
    ctl.enable("slow_to_stop")
    rest("PUT", path("slow_to_stop"), {"stop_timeout_ms": 200}).ok()
    elapsed = stopwatch()
    (plugin,) = ctl.disable("slow_to_stop")
    assert elapsed() < seconds(10)
    stop = plugin["worker"]["last_stop"]
    assert stop["forced"] and stop["ms"] >= 150, "three quarters are for stop()"


def test_options_outlive_the_supervisor_also_of_plugins_whose_files_come_later(fresh):
    fresh.write("early", SLEEPS)
    fresh.write("late", SLEEPS)
    fresh.start_supervisor(**FLAGS)
    rest = fresh.start_gateway().rest
    for key in ("early", "late"):
        rest("PUT", path(key), {"memory_bytes": 2**30, "profile": "standalone"}).ok()
    fresh.supervisor.terminate()
    (fresh.plugins_dir / "late").rename(fresh.directory / "late")
    fresh.start_supervisor(**FLAGS)
    eventually(lambda: rest.get("/readyz").status == 200, "it is ready", within=20)
    (fresh.directory / "late").rename(fresh.plugins_dir / "late")
    fresh.ctl("reload").ok()
    for key in ("early", "late"):
        options = rest.get(path(key)).ok()["options"]
        assert (options["memory_bytes"], options["profile"]) == (2**30, "standalone")
