"""A plugin that says too much over its link: it waits or is cut, and nobody else notices."""

import statistics
import time
from pathlib import Path

import pytest

from harness.waiting import eventually, seconds

PLUGINS = ["hostile/floods_link", "samples/counter"]
FLAGS = {"restart_first_delay": "50ms", "quarantine_after": "0"}


@pytest.fixture(scope="module")
def rest(installation, ctl):
    ctl.enable("floods_link", "counter")
    return installation.start_gateway().rest


def resident(pid: int) -> int:
    """In bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def sibling_calls(rest, lasting: float) -> list[float]:
    """How long each took, of a plugin beside."""
    took, until = [], time.monotonic() + lasting
    while time.monotonic() < until:
        begin = time.monotonic()
        rest.post("/api/plugins/plugins/counter/run/", {"action": "add"}).ok()
        took.append(time.monotonic() - begin)
    return took


def test_a_sibling_answers_while_one_floods_and_the_supervisor_keeps_its_size(
    installation, ctl, rest
):
    before = resident(installation.supervisor.pid)
    flood = ctl.begin_run("floods_link", "flood", {"seconds": 3 + seconds(2) + 1})
    ctl.await_in_flight("floods_link", 1)
    took = sibling_calls(rest, 3)
    assert flood.is_waiting(), "it flooded all the while"
    assert len(took) > 20
    assert statistics.median(took) < seconds(0.1)
    assert max(took) < seconds(2)
    assert flood.answer().ok()["said"] > 1000
    assert resident(installation.supervisor.pid) - before < 300e6
    # It was made to wait, or what it said was dropped: it was not ended.
    worker = ctl.worker("floods_link")
    assert (worker["state"], worker["restarts"]) == ("running", 0)
    told = ctl.log_texts("floods_link")
    assert any("events were dropped" in text for text in told)
    assert any("log lines" in text and "were dropped" in text for text in told)


def test_a_message_that_is_too_long_cuts_the_link_and_says_so(ctl, rest):
    before = ctl.worker("floods_link")["pid"]
    answer = ctl.run("floods_link", "oversize", {"bytes": 25 << 20})
    assert answer.data["code"] == "link_lost"
    assert "at most 20971520 are allowed" in answer.data["error"]
    crash = ctl.worker("floods_link")["last_crash"]
    assert crash["code"] == "link_lost" and "a message of 26214" in crash["message"]
    after = ctl.await_state("floods_link", "running")
    assert after["pid"] != before
    # What fits goes through.
    call = ctl.begin_run("floods_link", "oversize", {"bytes": 15 << 20})
    ctl.await_in_flight("floods_link", 1)
    assert rest.post("/api/plugins/plugins/counter/run/", {"action": "add"}).ok()
    assert ctl.worker("floods_link")["pid"] == after["pid"]
    ctl("restart", "floods_link").ok()
    call.answer()


def test_a_link_that_is_garbled_is_lost_and_the_worker_is_replaced(ctl, rest):
    before = ctl.worker("floods_link")["pid"]
    answer = ctl.run("floods_link", "garble")
    # The worker's own code sees it as well, and may end before it is ended.
    assert answer.data["code"] in ("link_lost", "worker_exited"), answer.data
    eventually(
        lambda: ctl.worker("floods_link")["pid"] not in (None, before), "another worker runs"
    )
    assert rest.post("/api/plugins/plugins/counter/run/", {"action": "add"}).ok()


def test_no_name_that_a_plugin_gives_becomes_a_series_or_a_label(ctl, rest):
    ctl.result("floods_link", "label")
    text = rest.get("/metrics").body.decode()
    assert "bomb" not in text
    assert 'plugin="floods_link"' in text
