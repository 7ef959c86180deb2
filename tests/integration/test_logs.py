"""What a plugin logs and prints, for whoever asks."""

import json

import pytest

from harness.ctl import NOT_FOUND, OK
from harness.waiting import eventually

TALKATIVE = r"""
import logging, os, sys, threading
class Plugin:
    def __init__(self):
        print("constructed")
    def run(self, action, params, context):
        logger = context["logger"]
        if action == "levels":
            for level in ("debug", "info", "warning", "error", "critical"):
                getattr(logger, level)("at %s", level)
        if action == "logging":
            logging.getLogger("some.module").warning("through the logging module")
        if action == "count":
            for n in range(params["lines"]):
                logger.info("line %d", n)
        if action == "nasty":
            print("colour \x1b[31m and \x07 bell and \r return")
            os.write(1, b"not \xff utf8\n")
            print("no line end", end="", flush=True)
        if action == "long":
            print("x" * 100_000)
        if action == "thread":
            threading.Thread(target=lambda: logger.info("from a thread")).start()
        if action == "flood":
            for n in range(200_000):
                print("flood", n)
        return {}
"""


def prepare(installation):
    installation.write("talkative", TALKATIVE)


@pytest.fixture(scope="module", autouse=True)
def enabled(ctl):
    ctl.enable("talkative")


def test_what_is_printed_while_loading_is_logged(ctl):
    ctl.await_log("talkative", "constructed")


def test_lines_carry_their_level_source_time_and_generation(ctl):
    ctl.result("talkative", "levels")
    ctl.await_log("talkative", "at critical")
    lines = {line["text"]: line for line in ctl.logs("talkative")}
    for level in ("info", "warning", "error", "critical"):
        line = lines[f"at {level}"]
        assert (line["level"], line["source"]) == (level, "logger")
        assert line["time"].endswith("Z")
        assert line["generation"] == ctl.worker("talkative")["generation"]


def test_the_logging_module_is_captured_too(ctl):
    ctl.result("talkative", "logging")
    ctl.await_log("talkative", "through the logging module")


def test_the_logger_works_from_any_thread_after_the_call(ctl):
    ctl.result("talkative", "thread")
    ctl.await_log("talkative", "from a thread")


def test_the_tail_is_the_newest_lines_oldest_first(ctl):
    ctl.result("talkative", "count", {"lines": 30})
    ctl.await_log("talkative", "line 29")
    assert [line["text"] for line in ctl.logs("talkative", "--tail", "3")] == [
        "line 27",
        "line 28",
        "line 29",
    ]


def test_no_control_character_and_no_broken_text_reaches_the_reader(ctl):
    ctl.result("talkative", "nasty")
    eventually(
        lambda: any("not " in t and "utf8" in t for t in ctl.log_texts("talkative")), "it is logged"
    )
    answer = ctl("logs", "talkative")
    assert not [c for c in answer.text if ord(c) < 32 and c != "\n"]
    shown = ctl.human("logs", "talkative").stdout
    assert not [c for c in shown if (ord(c) < 32 and c not in "\n\t") or ord(c) == 127]


def test_a_line_that_is_too_long_is_cut(ctl):
    ctl.result("talkative", "long")
    eventually(lambda: any("xxxx" in t for t in ctl.log_texts("talkative")), "it is logged")
    assert max(len(text.encode()) for text in ctl.log_texts("talkative")) <= 8192 + 100


def test_following_shows_new_lines_as_they_come(ctl, installation):
    follower = ctl.begin("logs", "talkative", "--tail", "1", "--follow")
    try:
        follower.process.stdout.readline()  # The history has arrived: the stream is open.
        ctl.result("talkative", "count", {"lines": 5})
        seen = []
        while "line 4" not in seen:
            line = follower.process.stdout.readline()
            assert line, "the stream stays open"
            seen.append(json.loads(line)["text"])
        assert [text for text in seen if text.startswith("line ")] == [
            f"line {n}" for n in range(5)
        ]
    finally:
        follower.process.terminate()
        follower.process.communicate()


def test_a_flood_of_lines_neither_blocks_the_plugin_nor_fills_the_memory(ctl):
    assert ctl.run("talkative", "flood", timeout="50s").code == OK
    assert ctl.result("talkative", "levels") == {}
    eventually(lambda: "at critical" in ctl.log_texts("talkative"), "later lines arrive", within=20)
    assert len(ctl.logs("talkative")) <= 20_000


def test_logs_of_an_unknown_plugin_are_not_found(ctl):
    assert ctl("logs", "nobody").code == NOT_FOUND


def test_logs_outlive_the_worker(ctl):
    ctl.result("talkative", "count", {"lines": 1})
    ctl.await_log("talkative", "line 0")
    ctl.disable("talkative")
    assert "line 0" in ctl.log_texts("talkative")
    ctl.enable("talkative")
