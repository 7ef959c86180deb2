"""Plugins that raise, answer nonsense or break what is around them: the caller learns what happened."""

import pytest

from harness.ctl import FAILED, NOT_READY, OK
from harness.waiting import eventually, lasting

CALLS = [
    # plugin, action, reason, what the message names
    ("crash_in_run", "crash", "plugin_raised", "ZeroDivisionError"),
    ("crash_in_run", "custom", "plugin_raised", "this is the message"),
    ("crash_in_run", "unprintable", "plugin_raised", "Unprintable"),
    ("raises_base_exception", "base", "plugin_raised", "raised as base"),
    ("raises_base_exception", "interrupt", "plugin_raised", "KeyboardInterrupt"),
    ("raises_base_exception", "generator_exit", "plugin_raised", "GeneratorExit"),
    ("raises_base_exception", "memory", "plugin_raised", "MemoryError"),
    ("raises_base_exception", "recursion", "plugin_raised", "RecursionError"),
    ("deep_result", "lists", "result_not_json", "nested too deeply"),
    ("deep_result", "objects", "result_not_json", "nested too deeply"),
    ("deep_result", "recurse", "plugin_raised", "RecursionError"),
    ("circular_result", "list", "result_not_json", ""),
    ("circular_result", "object", "result_not_json", ""),
    ("result_not_json", "object", "result_not_json", "data.items[1].value"),
    ("result_not_json", "set", "result_not_json", "data"),
    ("result_not_json", "bytes", "result_not_json", "data"),
    ("result_not_json", "nan", "result_not_json", "data"),
    ("result_not_json", "infinity", "result_not_json", "data[0]"),
    ("result_not_json", "bad_key", "result_not_json", "data"),
    ("result_not_json", "generator", "result_not_json", ""),
    ("result_50mb", "big", "result_too_large", ""),
    ("sys_exit", "exit_text", "plugin_raised", "leaving with a message"),
]
# Odd, but each has an answer of some kind, and the worker lives on.
ODD = [
    ("result_not_json", "lying_dict"),
    ("result_not_json", "huge_int"),
    ("result_not_json", "surrogate"),
    ("circular_result", "shared"),
    ("result_50mb", "many"),
    ("sys_exit", "exit_in_thread"),
    ("huge_line", "line"),
    ("huge_line", "log"),
    ("prints_a_lot", "flood"),
    ("prints_a_lot", "flood_error"),
    ("prints_a_lot", "flood_log"),
    ("replaces_builtins", "break"),
]
LOADS = {
    "import_error": "import_failed",
    "syntax_error": "import_failed",
    "import_sys_exit": "import_failed",
    "init_raises": "constructor_failed",
    "no_plugin_class": "no_plugin_class",
    "import_exits": "worker_exited",
    "import_hangs": "load_timeout",
    "init_hangs": "load_timeout",
}
KEYS = sorted({key for key, *_ in CALLS} | {key for key, _ in ODD})
PLUGINS = [f"hostile/{key}" for key in [*KEYS, *LOADS, "weird_metadata", "no_run_method"]] + [
    "samples/hello"
]
FLAGS = {"start_timeout": lasting(4), "stop_timeout": "2s"}


@pytest.fixture(scope="module")
def running(ctl):
    """Enables a plugin once for all tests that call it."""
    pids = {}

    def run_of(key):
        if key not in pids:
            pids[key] = ctl.enable(key)[0]["worker"]["pid"]
        return pids[key]

    return run_of


@pytest.mark.parametrize("key, action, code, names", CALLS, ids=[f"{c[0]}-{c[1]}" for c in CALLS])
def test_the_caller_learns_what_went_wrong_and_the_worker_lives_on(
    ctl, running, key, action, code, names
):
    pid = running(key)
    answer = ctl.run(key, action)
    assert answer.code == FAILED, answer
    assert answer.data["code"] == code
    assert names in answer.data["error"]
    assert answer.data["plugin"] == key
    assert ctl.run(key, "ping").code == OK
    assert ctl.worker(key)["pid"] == pid


@pytest.mark.parametrize("key, action", ODD, ids=["-".join(odd) for odd in ODD])
def test_odd_conduct_is_survived(ctl, running, key, action):
    pid = running(key)
    answer = ctl.run(key, action, timeout="45s")
    assert answer.code in (OK, FAILED), answer
    assert ctl.run(key, "ping").code == OK
    assert ctl.worker(key)["pid"] == pid


def test_a_plugin_that_broke_its_own_interpreter_can_still_be_disabled(ctl, running):
    running("replaces_builtins")
    ctl.run("replaces_builtins", "break")
    ctl.disable("replaces_builtins")
    assert ctl.enable("replaces_builtins")[0]["worker"]["state"] == "running"


@pytest.mark.parametrize("key", LOADS)
def test_what_does_not_load_says_why(ctl, key):
    answer = ctl("enable", key)
    assert answer.code in (NOT_READY, FAILED)
    error = answer.data["plugin"]["load_error"]
    assert error["code"] == LOADS[key]
    assert error["message"] and error["step"] and error["hint"]
    ctl.disable(key)


def test_metadata_of_every_wrong_kind_is_warned_of_and_the_plugin_runs(ctl):
    [shown] = ctl.enable("weird_metadata")
    assert shown["worker"]["state"] == "running"
    assert shown["fields"] == [] and shown["actions"] == []
    assert shown["warnings"]
    assert ctl.result("weird_metadata", "x") == {"status": "ok", "settings": {}, "actions": {}}


def test_a_plugin_without_run_loads_and_says_so_when_run(ctl):
    ctl.enable("no_run_method")
    answer = ctl.run("no_run_method", "ping")
    assert answer.code == FAILED
    assert "run" in answer.data["error"]


def test_after_all_of_that_a_decent_plugin_works(ctl, installation):
    ctl.enable("hello")
    assert ctl.result("hello", "greet")["message"] == "Hello, World!"
    assert installation.supervisor.process.poll() is None
    eventually(lambda: ctl.list(), "the list is answered")
