"""Where the lines of a plugin stay: nothing of a crash is lost, a flood is bounded, the history
outlives the supervisor."""

import json
import signal
import statistics
import time

import pytest

from harness.ctl import FAILED, USAGE
from harness.processes import stopwatch
from harness.rest import refused
from harness.waiting import eventually, seconds

TALKER = """
import os, threading, time
class Plugin:
    def run(self, action, params, context):
        if action == "say":
            context["logger"].log(params.get("level", 20), params["text"])
        if action == "print":
            print(params["text"], flush=True)
        if action == "tick":
            threading.Thread(target=tick, daemon=True).start()
        if action == "crash":
            print("goodbye", flush=True)
            os.abort()
        return {}

def tick():
    for number in range(100_000):
        print("tick", number, flush=True)
        time.sleep(0.01)
"""


def prepare(installation):
    installation.write("talker", TALKER)
    for name in ("last_words", "floods_for_ever", "terminal_tricks", "prints_a_lot", "huge_line"):
        installation.install(f"hostile/{name}")
    installation.install("samples/hello")


@pytest.fixture
def running(fresh):
    prepare(fresh)

    def start(**flags):
        fresh.start_supervisor(**flags)
        return fresh.ctl

    return start


def files_of(installation, key):
    return sorted((installation.runtime_dir / "logs").glob(f"{key}.log*"))


def stored(installation, key):
    """What stands in the files of a plugin, oldest first."""
    try:
        texts = [file.read_text() for file in reversed(files_of(installation, key))]
    except FileNotFoundError:  # The next file was begun this moment.
        return stored(installation, key)
    return [json.loads(line) for text in texts for line in text.splitlines()]


@pytest.mark.parametrize("lines", [1, 3000])
def test_nothing_that_was_printed_before_a_crash_is_lost(running, lines):
    ctl = running()
    ctl.enable("last_words")
    answer = ctl.run("last_words", "abort", {"lines": lines})
    assert answer.code == FAILED
    # The caller is told after the last line has been read.
    assert {f"word {lines - 1}", "and no line end"} <= set(answer.data["evidence"])
    texts = ctl.log_texts("last_words")
    words = [text for text in texts if text.startswith("word ")]
    assert words == [f"word {number}" for number in range(lines)]
    assert "and no line end" in texts


def test_every_line_stands_in_the_file_with_plugin_generation_and_job(running, fresh):
    ctl = running()
    generation = ctl.enable("talker")[0]["worker"]["generation"]
    ctl.result("talker", "print", {"text": "from print"})
    ctl.result("talker", "say", {"text": "from the logger", "level": 40})
    jobs = {job["action"]: job["id"] for job in ctl("jobs", "talker").ok()["jobs"]}
    eventually(lambda: len(stored(fresh, "talker")) >= 2, "both lines are in the file", within=2)
    lines = {line["text"]: line for line in stored(fresh, "talker")}
    printed, logged = lines["from print"], lines["from the logger"]
    assert (printed["source"], printed["level"]) == ("stdout", "info")
    assert (logged["source"], logged["level"]) == ("logger", "error")
    assert logged["logger"] == "plugin.talker"
    for line, job in ((printed, jobs["print"]), (logged, jobs["say"])):
        assert line["plugin"] == "talker" and line["generation"] == generation
        assert line["job"] == job and line["time"].endswith("Z")
    assert logged["number"] == printed["number"] + 1
    [file] = files_of(fresh, "talker")
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_is_printed_in_a_job_is_found_by_it(running):
    ctl = running()
    ctl.enable("talker")
    for text in ("one\ntwo", "three"):
        ctl.result("talker", "print", {"text": text})
    ctl.run("talker", "crash")
    jobs = [job["id"] for job in reversed(ctl("jobs", "talker").ok()["jobs"])]
    texts = [[line["text"] for line in ctl.logs("talker", "--job", job)] for job in jobs]
    assert texts == [["one", "two"], ["three"], ["goodbye"]]


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_the_history_outlives_the_supervisor(running, fresh, end):
    ctl = running()
    ctl.enable("talker")
    for number in range(50):
        ctl.result("talker", "print", {"text": f"line {number}"})
    ctl.run("talker", "crash")
    ctl.await_log("talker", "ended by SIGABRT")
    ctl.await_state("talker", "running")
    if end == signal.SIGKILL:
        # What has been shown has been written, or will be within moments.
        time.sleep(0.05)
        fresh.kill_supervisor()
    else:
        assert fresh.supervisor.terminate() == 0
    fresh.start_supervisor()
    texts = fresh.ctl.log_texts("talker")
    assert [text for text in texts if text.startswith("line ")] == [f"line {n}" for n in range(50)]
    assert "goodbye" in texts
    fresh.ctl.await_state("talker", "running")
    fresh.ctl.result("talker", "print", {"text": "and on"})
    numbers = [line["number"] for line in stored(fresh, "talker")]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_worker_that_outlives_its_supervisor_loses_no_lines(running, fresh):
    ctl = running()
    ctl.enable("talker")
    ctl.result("talker", "tick")
    ctl.await_log("talker", "tick 30")
    fresh.kill_supervisor()
    time.sleep(0.3)
    fresh.start_supervisor()
    ctl.await_log("talker", "tick 120")
    crash = ctl.run("talker", "crash")
    texts = ctl.log_texts("talker")
    ticks = [int(text.split()[1]) for text in texts if text.startswith("tick ")]
    assert ticks == sorted(set(ticks))
    # The supervisor may have been killed between reading a line and writing it.
    assert ticks[-1] + 1 - len(ticks) <= 1
    assert f"tick {ticks[-1]}" in crash.data["evidence"]


def test_a_flood_is_limited_counted_and_slows_no_other_plugin(running, fresh):
    ctl = running(log_lines_per_second=100, log_burst="1s")
    ctl.enable("floods_for_ever", "hello")

    def slowest():
        times = []
        for _ in range(15):
            elapsed = stopwatch()
            ctl.result("hello", "greet")
            times.append(elapsed())
        return statistics.median(times)

    quiet = slowest()
    ctl.result("floods_for_ever", "flood")
    eventually(
        lambda: len([t for t in ctl.log_texts("floods_for_ever") if "were dropped" in t]) >= 2,
        "the count is told again and again",
    )
    assert slowest() < seconds(3 * quiet + 0.05)
    lines = ctl.logs("floods_for_ever")
    dropped = [line for line in lines if "were dropped" in line["text"]]
    assert all((d["source"], d["level"]) == ("supervisor", "warning") for d in dropped)
    assert sum(int(d["text"].split()[0]) for d in dropped) > 1000
    # A burst and a few seconds' worth.
    assert len(lines) - len(dropped) < 3000
    # What it said last elsewhere is told all the same.
    answer = ctl.run("floods_for_ever", "crash")
    assert any("most recent call first" in text for text in answer.data["evidence"])


def test_the_files_of_a_plugin_are_bounded(running, fresh):
    ctl = running(log_file_bytes=65536, log_files=2, log_lines_per_second=0, log_bytes_per_second=0)
    ctl.enable("prints_a_lot")
    ctl.run("prints_a_lot", "flood", timeout="60s").ok()
    ctl.await_log("prints_a_lot", "line 99999 ", within=60)
    eventually(
        lambda: any("line 99999 " in line["text"] for line in stored(fresh, "prints_a_lot")),
        "the newest lines are in the file",
    )
    files = files_of(fresh, "prints_a_lot")
    assert [file.name for file in files] == ["prints_a_lot.log", "prints_a_lot.log.1"]
    assert sum(file.stat().st_size for file in files) <= 2 * 65536
    numbers = [line["number"] for line in stored(fresh, "prints_a_lot")]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_line_of_100_megabytes_neither_fills_the_memory_nor_the_disk(running, fresh):
    ctl = running()
    ctl.enable("huge_line")
    ctl.run("huge_line", "line", timeout="60s").ok()
    status = (f"/proc/{fresh.supervisor.pid}/status", "VmHWM:")
    with open(status[0]) as file:
        peak = next(int(line.split()[1]) for line in file if line.startswith(status[1]))
    assert peak < 150_000  # kB
    ctl.result("huge_line", "ping")
    ctl.disable("huge_line")
    [cut] = [text for text in ctl.log_texts("huge_line") if "xxxx" in text]
    assert cut.endswith("... (cut, 100000000 bytes)") and len(cut) < 8300
    assert sum(file.stat().st_size for file in files_of(fresh, "huge_line")) < 20_000


@pytest.mark.parametrize("action", ["print", "log"])
def test_what_a_terminal_would_obey_is_harmless_in_the_file_and_on_the_screen(
    running, fresh, action
):
    ctl = running()
    ctl.enable("terminal_tricks")
    ctl.result("terminal_tricks", action)
    ctl.await_log("terminal_tricks", "backspace")
    eventually(lambda: "backspace" in str(stored(fresh, "terminal_tricks")), "it is in the file")
    [file] = files_of(fresh, "terminal_tricks")
    shown = ctl.human("logs", "terminal_tricks").stdout
    for text in (file.read_text(encoding="utf-8"), shown):
        harmful = [
            c
            for c in text
            if (ord(c) < 32 and c not in "\n\t")
            or 0x7F <= ord(c) < 0xA0
            or 0x2028 <= ord(c) <= 0x202E
            or 0x2066 <= ord(c) <= 0x2069
        ]
        assert not harmful
    assert r"\u202etxt.exe" in shown
    if action == "print":  # The logger's lines have lost them in the worker.
        assert r"\x1b[31m" in shown


def test_following_goes_on_over_a_crash_and_the_restart_after_it(running):
    ctl = running()
    first = ctl.enable("talker")[0]["worker"]["generation"]
    follower = ctl.begin("logs", "talker", "--follow")
    try:
        ctl.result("talker", "print", {"text": "before"})
        seen = []

        def read_until(text):
            while not seen or seen[-1]["text"] != text:
                line = follower.process.stdout.readline()
                assert line, "the stream stays open"
                seen.append(json.loads(line))

        read_until("before")
        ctl.run("talker", "crash")
        read_until("goodbye")
        ctl.await_state("talker", "running")
        ctl.result("talker", "print", {"text": "after"})
        read_until("after")
        assert seen[0]["generation"] == first and seen[-1]["generation"] == first + 1
    finally:
        follower.process.terminate()
        follower.process.communicate()


def test_a_reader_chooses_by_level_job_and_time(running):
    ctl = running()
    ctl.enable("talker")
    ctl.result("talker", "say", {"text": "chatter"})
    ctl.result("talker", "say", {"text": "worse", "level": 40})
    ctl.await_log("talker", "worse")

    def texts(*options):
        return [line["text"] for line in ctl.logs("talker", *options)]

    assert texts("--level", "warning") == ["worse"]
    assert texts("--level", "info", "--tail", "1") == ["worse"]
    assert texts("--job", "no-such-job") == []
    assert "chatter" in texts("--since", "10m")
    time.sleep(0.02)
    assert texts("--since", "10ms") == []
    assert ctl("logs", "talker", "--level", "loud").code == USAGE


def test_admins_read_logs_over_http(running, fresh):
    ctl = running()
    rest = fresh.start_gateway().rest
    rest.enable("talker").ok()
    for number in range(5):
        ctl.result("talker", "print", {"text": f"line {number}"})
    ctl.result("talker", "say", {"text": "worse", "level": 40})
    [job] = ctl("jobs", "talker", "--limit", "1").ok()["jobs"]
    ctl.await_log("talker", "worse")
    path = "/api/supervisor/workers/talker/logs/"
    answer = rest.get(path + "?tail=2").ok()
    assert answer["key"] == "talker"
    assert [line["text"] for line in answer["lines"]] == ["line 4", "worse"]
    line = answer["lines"][1]
    assert (line["level"], line["source"], line["job"]) == ("error", "logger", job["id"])
    assert line["time"].endswith("Z") and line["generation"] == ctl.worker("talker")["generation"]
    assert [line["text"] for line in rest.get(path + "?level=warning").ok()["lines"]] == ["worse"]
    assert len(rest.get(path + "?since=600").ok()["lines"]) >= 6
    refused(rest.get(path + "?tail=many"), 400, "invalid_request")
    refused(rest.get(path + "?level=loud"), 400, "invalid_request")
    refused(rest.get("/api/supervisor/workers/nobody/logs/"), 404, "plugin_not_found")
    refused(rest.get(path, token=None), 401, "unauthenticated")
