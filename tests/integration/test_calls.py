"""What run() may return, raise and do, and what the caller gets."""

import json

import pytest

from harness.ctl import FAILED, NOT_FOUND, NOT_READY, TIMED_OUT, USAGE
from harness.processes import stopwatch
from harness.waiting import eventually, seconds

SUBJECT = """
import math, os, sys, threading, time

gate = threading.Event()
calls = []

class Odd:
    pass

class Plugin:
    fields = [{"id": "limit", "label": "Limit", "type": "number", "default": 7},
              {"id": "name", "label": "Name", "type": "string"}]
    actions = [{"id": "echo", "label": "Echo"}]

    def __init__(self):
        self.count = 0

    def run(self, action, params, context):
        return getattr(self, "do_" + action, self.unknown)(params, context)

    def unknown(self, params, context):
        return {"status": "error", "message": "unknown to the plugin itself"}

    def do_echo(self, params, context): return {"status": "ok", "params": params}
    def do_none(self, params, context): return None
    def do_number(self, params, context): return 42
    def do_text(self, params, context): return "text"
    def do_list(self, params, context): return [1, "two", None]
    def do_true(self, params, context): return True
    def do_big_integer(self, params, context): return {"n": 2 ** 100}
    def do_unicode(self, params, context): return {"text": "grün \\u65e5\\u672c \\U0001f3ac \\x7f \\x1b[31m"}
    def do_raise(self, params, context): raise ValueError("this went wrong: " + params.get("why", "?"))
    def do_raise_odd(self, params, context): raise BaseException("not even an Exception")
    def do_keyboard(self, params, context): raise KeyboardInterrupt()
    def do_not_json(self, params, context): return {"items": [{"fine": 1}, {"bad": Odd()}]}
    def do_a_set(self, params, context): return {"s": {1, 2}}
    def do_bytes(self, params, context): return {"b": b"x"}
    def do_nan(self, params, context): return {"value": math.nan}
    def do_circle(self, params, context):
        circle = {}; circle["self"] = circle
        return circle
    def do_deep(self, params, context):
        value = 0
        for _ in range(100_000): value = [value]
        return value
    def do_large(self, params, context): return {"data": "x" * params["bytes"]}
    def do_count(self, params, context):
        self.count += 1
        return self.count
    def do_pid(self, params, context): return os.getpid()
    def do_block(self, params, context):
        calls.append(1)
        opened = gate.wait(params.get("seconds", 60))
        return {"opened": opened, "main": threading.current_thread() is threading.main_thread()}
    def do_where(self, params, context):
        return {"main": threading.current_thread() is threading.main_thread(), "blocked": len(calls)}
    def do_open(self, params, context):
        gate.set()
        return {}
    def do_close(self, params, context):
        gate.clear(); calls.clear()
        return {}
    def do_print(self, params, context):
        print("to stdout"); print("to stderr", file=sys.stderr)
        os.write(1, b"raw to 1\\n"); os.write(2, b"raw to 2\\n")
        context["logger"].warning("to the %s", "logger")
        return {"printed": True}
    def do_settings(self, params, context): return context["settings"]
    def do_sleep(self, params, context):
        time.sleep(params["seconds"])
        return {"slept": params["seconds"]}
    def do_change_params(self, params, context):
        params["changed"] = True
        context["settings"]["limit"] = "changed"
        return {}
"""
FLAGS = {"max_in_flight": "8", "pool_threads": "2"}


def prepare(installation):
    installation.write("subject", SUBJECT)
    installation.write("no_run", "class Plugin:\n    pass\n")


@pytest.fixture(scope="module", autouse=True)
def enabled(ctl):
    ctl.enable("subject", "no_run")


def test_a_dict_is_returned_as_it_is(ctl):
    assert ctl.result("subject", "echo", {"a": [1, 2.5, None, True, "ü"]}) == {
        "status": "ok",
        "params": {"a": [1, 2.5, None, True, "ü"]},
    }


@pytest.mark.parametrize(
    "action, value",
    [("none", None), ("number", 42), ("text", "text"), ("list", [1, "two", None]), ("true", True)],
)
def test_anything_else_is_wrapped(ctl, action, value):
    assert ctl.result("subject", action) == {"status": "ok", "result": value}


def test_an_undeclared_action_is_for_the_plugin_to_decide(ctl):
    assert ctl.result("subject", "never_declared")["message"] == "unknown to the plugin itself"


def test_large_integers_survive_the_way_there_and_back(ctl):
    answer = ctl("run", "subject", "echo", "--params", '{"n": 1267650600228229401496703205376}')
    assert "1267650600228229401496703205376" in answer.text
    assert ctl.result("subject", "big_integer") == {"n": 2**100}


def test_text_survives_and_is_harmless_on_a_terminal(ctl):
    answer = ctl.run("subject", "unicode")
    assert answer.data == {"text": "grün 日本 🎬 \x7f \x1b[31m"}
    assert "\x1b" not in answer.text and "\x7f" not in answer.text


def test_an_exception_is_told_with_its_traceback(ctl):
    answer = ctl.run("subject", "raise", {"why": "because"})
    assert answer.code == FAILED
    assert answer.data["code"] == "plugin_raised"
    assert "this went wrong: because" in answer.data["error"]
    assert answer.data["plugin"] == "subject"
    ctl.await_log("subject", "this went wrong: because")
    assert any("Traceback" in text for text in ctl.log_texts("subject"))


@pytest.mark.parametrize("action", ["raise_odd", "keyboard"])
def test_no_exception_of_a_plugin_ends_its_worker(ctl, action):
    before = ctl.result("subject", "pid")
    answer = ctl.run("subject", action)
    assert answer.code == FAILED
    assert answer.data["code"] == "plugin_raised"
    assert ctl.result("subject", "pid") == before


@pytest.mark.parametrize(
    "action, path",
    [
        ("not_json", "items[1].bad"),
        ("a_set", "s"),
        ("bytes", "b"),
        ("nan", "value"),
        ("circle", "self"),
        ("deep", ""),
    ],
)
def test_a_result_that_is_not_json_is_an_error_that_names_the_place(ctl, action, path):
    answer = ctl.run("subject", action)
    assert answer.code == FAILED
    assert answer.data["code"] == "result_not_json"
    assert path in answer.data["error"]
    assert ctl.result("subject", "echo")["status"] == "ok"


def test_a_result_over_the_limit_is_an_error_that_names_both_sizes(ctl):
    answer = ctl.run("subject", "large", {"bytes": 50_000_000})
    assert answer.code == FAILED
    assert answer.data["code"] == "result_too_large"
    assert "16777216" in answer.data["error"]
    assert ctl.result("subject", "echo")["status"] == "ok"


def test_a_result_of_ten_megabytes_passes(ctl):
    assert len(ctl.result("subject", "large", {"bytes": 10_000_000})["data"]) == 10_000_000


def test_params_over_the_limit_are_refused(ctl, tmp_path):
    params = tmp_path / "params.json"
    params.write_text(json.dumps({"x": "y" * 40_000_000}))
    answer = ctl("run", "subject", "echo", "--params", f"@{params}")
    assert answer.code == USAGE
    assert answer.data["code"] == "request_too_large"
    assert ctl.result("subject", "echo")["status"] == "ok"


def test_one_instance_keeps_its_state_between_calls(ctl):
    first = ctl.result("subject", "count")["result"]
    assert ctl.result("subject", "count")["result"] == first + 1


def test_what_a_call_does_to_its_params_and_settings_touches_no_other_call(ctl):
    ctl.result("subject", "change_params")
    assert ctl.result("subject", "settings")["limit"] == 7
    assert ctl.result("subject", "echo")["params"] == {}


def test_a_status_call_answers_while_a_long_action_runs(ctl):
    long = ctl.begin_run("subject", "block")
    try:
        eventually(lambda: ctl.result("subject", "where")["blocked"] == 1, "the long action runs")
        assert ctl.result("subject", "where")["main"] is False
    finally:
        ctl.result("subject", "open")
    assert long.answer().ok() == {"opened": True, "main": True}
    ctl.result("subject", "close")


def test_calls_beyond_the_limit_are_refused_at_once_and_the_others_answer(ctl):
    waiting = [ctl.begin_run("subject", "block") for _ in range(8)]
    try:
        ctl.await_in_flight("subject", 8)
        refused = ctl.run("subject", "echo")
        assert refused.code == NOT_READY
        assert refused.data["code"] == "queue_full"
    finally:
        # Every thread of the worker waits and the queue is full: no call can
        # open the gate. The callers hang up, and their calls are given up.
        for call in waiting:
            call.process.kill()
            call.process.communicate()
    eventually(
        lambda: ctl.worker("subject")["in_flight"] == 0, "calls without a caller are given up"
    )
    ctl("reload", "subject").ok()
    assert ctl.result("subject", "echo")["status"] == "ok"


def test_callers_over_http_are_told_when_to_come_again(installation, ctl):
    gateway = installation.start_gateway()
    waiting = [ctl.begin_run("subject", "block") for _ in range(8)]
    try:
        ctl.await_in_flight("subject", 8)
        for headers in ({}, {"Prefer": "respond-async"}):
            refused = gateway.rest.run("subject", "echo", headers=headers)
            assert (refused.status, refused.data["code"]) == (429, "queue_full")
            assert int(refused.headers["retry-after"]) > 0
        refused = ctl("run", "subject", "echo", "--background")
        assert (refused.code, refused.data["code"]) == (NOT_READY, "queue_full")
    finally:
        for call in waiting:
            call.process.kill()
            call.process.communicate()
    eventually(lambda: ctl.worker("subject")["in_flight"] == 0, "they are given up")
    ctl("reload", "subject").ok()
    assert gateway.rest.run("subject", "echo").ok()["result"]["status"] == "ok"
    gateway.terminate()


def test_a_call_past_its_deadline_is_told_in_time_and_the_worker_stays(ctl):
    before = ctl.result("subject", "pid")
    elapsed = stopwatch()
    answer = ctl.run("subject", "sleep", {"seconds": 3}, timeout="300ms")
    assert answer.code == TIMED_OUT
    assert answer.data["code"] == "deadline_exceeded"
    assert elapsed() < seconds(2.5)
    assert ctl.result("subject", "pid") == before, "another thread of the worker answers"


def test_printing_in_every_way_is_logged_and_disturbs_nothing(ctl):
    assert ctl.result("subject", "print") == {"printed": True}
    for text in ("to stdout", "to stderr", "raw to 1", "raw to 2", "to the logger"):
        ctl.await_log("subject", text)
    lines = {line["text"]: line for line in ctl.logs("subject")}
    assert lines["to stdout"]["source"] == "stdout"
    assert lines["raw to 2"]["source"] == "stderr"
    [logged] = [line for text, line in lines.items() if "to the logger" in text]
    assert (logged["source"], logged["level"]) == ("logger", "warning")


def test_a_plugin_without_run_says_so(ctl):
    answer = ctl.run("no_run", "x")
    assert answer.code == FAILED
    assert "run" in answer.data["error"]


def test_an_unknown_plugin_is_not_found(ctl):
    answer = ctl.run("nobody", "x")
    assert answer.code == NOT_FOUND
    assert answer.data["code"] == "plugin_not_found"


def test_a_disabled_plugin_does_not_run(ctl):
    ctl.disable("no_run")
    answer = ctl.run("no_run", "x")
    assert answer.code == NOT_READY
    assert answer.data["code"] == "plugin_disabled"
