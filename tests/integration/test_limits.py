"""Each limit is hit for real, held, and told; by cgroups and without them."""

import os
import re

import pytest

from harness.ctl import FAILED
from harness.processes import await_gone, descendants, stopwatch
from harness.waiting import eventually, seconds

PLUGINS = [
    f"hostile/{name}"
    for name in ("memory_hog", "endless_forks", "thread_bomb", "opens_files", "burns_cpu", "segfault")
] + ["samples/results"]
FLAGS = {
    "memory_limit": "160m",
    "process_limit": "100",
    "open_files_limit": "200",
    "restart_first_delay": "50ms",
    "quarantine_after": "0",
}


@pytest.fixture(scope="module", autouse=True)
def enabled(ctl):
    ctl.enable("memory_hog", "endless_forks", "thread_bomb", "opens_files", "segfault", "results")


def limits_of(ctl, key):
    return ctl("limits", key).ok()["limits"]


def groups(installation):
    """The directories that hold the groups of this supervisor's launches."""
    name = re.search(r"groups=(plugin-supervisor-\w+)", installation.supervisor.log())[1]
    return [
        os.path.join(directory, name)
        for directory, names, _ in os.walk("/sys/fs/cgroup")
        if name in names
    ]


def mechanism(installation):
    """What this machine has for memory, as the supervisor says."""
    log = installation.supervisor.log()
    for version in ("V1", "V2"):
        if f"memory=LIMIT_MECHANISM_CGROUP_{version}" in log:
            return f"cgroup_{version.lower()}"
    pytest.skip("no cgroup with a memory controller can be made here")


def test_limits_show_what_sees_to_them_and_what_is_used(installation, ctl):
    limits = limits_of(ctl, "results")
    by = mechanism(installation)
    assert limits["memory_bytes"]["limit"] == 160 << 20
    assert limits["memory_bytes"]["by"] == by and limits["processes"]["by"] == by
    assert 0 < limits["memory_bytes"]["used"] < 100 << 20
    assert 2 <= limits["processes"]["used"] < 50
    assert limits["open_files"]["by"] == "rlimit" and limits["open_files"]["limit"] == 200
    assert 3 <= limits["open_files"]["used"] < 100
    assert limits["cpus"] == {"limit": None, "by": "none", "used": None}


def test_a_worker_out_of_memory_says_so_to_its_caller_with_its_last_words(installation, ctl):
    rest = installation.start_gateway().rest
    hit = rest.run("memory_hog", "hog")
    assert (hit.status, hit.data["code"]) == (502, "out_of_memory")
    assert "memory limit of 160.0 MiB" in hit.data["error"]
    assert hit.data["signal"] == "SIGKILL"
    assert any("taking memory" in line for line in hit.data["evidence"])
    ctl.await_state("memory_hog", "running")
    assert ctl.worker("memory_hog")["last_crash"]["code"] == "out_of_memory"
    assert ctl.result("results", "int") == {"status": "ok", "result": 42}


def test_a_child_out_of_memory_ends_alone_and_is_told_in_the_log(ctl):
    before = ctl.await_state("memory_hog", "running")["generation"]
    assert ctl.result("memory_hog", "hog_in_child") == {"child": -9}
    ctl.await_log("memory_hog", "for want of memory")
    assert ctl.worker("memory_hog")["generation"] == before
    # What it survived is not what it dies of later.
    os.kill(ctl.worker("memory_hog")["pid"], 9)
    crash = eventually(
        lambda: (c := ctl.worker("memory_hog")["last_crash"])
        and c["code"] == "worker_killed_by_signal"
        and c,
        "it was killed",
    )
    assert crash["signal"] == "SIGKILL"


def test_a_crash_that_no_limit_caused_is_not_blamed_on_one(ctl):
    crash = ctl.run("segfault", "crash")
    assert (crash.code, crash.data["code"]) == (FAILED, "worker_killed_by_signal")


def test_a_fork_bomb_is_refused_more_and_told_of(installation, ctl):
    bombed = ctl.result("endless_forks", "bomb")
    assert bombed["refused"] == "EAGAIN" and bombed["started"] < 100
    ctl.await_log("endless_forks", "100 are the plugin's limit")
    assert limits_of(ctl, "endless_forks")["processes"]["used"] <= 100
    left = descendants(installation.supervisor.pid)
    assert len(left) < 200
    ctl("restart", "endless_forks").ok()
    assert limits_of(ctl, "endless_forks")["processes"]["used"] < 50


def test_threads_count_and_a_plugin_may_live_with_the_refusal(ctl):
    bombed = ctl.result("thread_bomb", "bomb")
    assert bombed["started"] < 100 and "thread" in bombed["refused"]
    assert ctl.result("thread_bomb", "ping")["status"] == "ok"
    ctl("restart", "thread_bomb").ok()


def test_a_plugin_that_dies_of_the_refusal_is_told_as_such(ctl):
    crash = ctl.run("thread_bomb", "bomb_and_abort")
    assert (crash.code, crash.data["code"]) == (FAILED, "too_many_processes")
    assert "100 are its limit" in crash.data["error"] and crash.data["signal"] == "SIGABRT"


def test_open_files_are_limited_and_the_worker_lives(ctl):
    opened = ctl.result("opens_files", "open")
    assert opened["refused"] == "EMFILE" and 100 < opened["opened"] < 200
    assert ctl.result("opens_files", "close") == {"opened": 0}


def test_processor_time_is_a_share_from_the_next_start_on(ctl):
    ctl.enable("burns_cpu")
    ctl("limits", "burns_cpu", "--cpus", "0.25", "--now").ok()
    limits = limits_of(ctl, "burns_cpu")["cpus"]
    assert limits["limit"] == 0.25
    if limits["by"] == "none":
        pytest.skip("no cgroup with a cpu controller can be made here")
    # A period's share may be used up before the first and after the last look.
    got = ctl.result("burns_cpu", "burn", {"seconds": 4})["cpu_seconds"]
    assert 0.1 < got < 4 * 0.25 + 0.3


def test_limits_are_set_shown_and_forgotten(ctl):
    told = ctl.human("limits", "results", "--memory", "96m", "--processes", "64")
    assert told.returncode == 0 and "next time" in told.stdout
    options = ctl.show("results")["options"]
    assert (options["memory_bytes"], options["processes"]) == (96 << 20, 64)
    assert limits_of(ctl, "results")["memory_bytes"]["limit"] == 160 << 20
    now = ctl("limits", "results", "--memory", "default", "--open-files", "none", "--now").ok()
    assert now["limits"]["processes"]["limit"] == 64
    assert now["limits"]["memory_bytes"]["limit"] == 160 << 20
    assert now["limits"]["open_files"]["limit"] is None
    shown = ctl.human("limits", "results").stdout
    assert "processes" in shown and "64" in shown and "cgroup" in shown
    reset = ctl("limits", "results", "--reset", "--now").ok()
    assert set(reset["options"].values()) == {None}
    assert reset["limits"]["processes"]["limit"] == 100


@pytest.mark.parametrize(
    "flag, value",
    [("--memory", "much"), ("--cpus", "two"), ("--processes", "-1"), ("--stop-timeout", "soon")],
)
def test_a_limit_that_makes_no_sense_is_refused(ctl, flag, value):
    refused = ctl("limits", "results", f"{flag}={value}")
    assert refused.code == 2 and value in refused.err


def test_nothing_is_left_of_the_groups_when_all_has_ended(fresh):
    fresh.install("samples/results")
    fresh.start_supervisor()
    fresh.ctl.enable("results")
    mechanism(fresh)
    ours = groups(fresh)
    assert ours
    fresh.ctl("restart", "results").ok()
    for directory in ours:
        launches = [name for name in os.listdir(directory) if name.startswith("results.")]
        assert len(launches) <= 1, launches
    fresh.supervisor.terminate()
    assert not [directory for directory in ours if os.path.exists(directory)]


def test_what_a_killed_supervisor_left_of_groups_is_removed_by_the_next(fresh):
    fresh.install("samples/results")
    fresh.start_supervisor()
    fresh.ctl.enable("results")
    mechanism(fresh)
    ours = groups(fresh)
    fresh.ctl.disable("results")
    stale = [os.path.join(directory, "long_gone.7") for directory in ours]
    for directory in stale:
        os.mkdir(directory)
    below = descendants(fresh.supervisor.pid)
    fresh.supervisor.signal(9)
    fresh.supervisor.wait(10)
    await_gone(below)
    fresh.start_supervisor()
    eventually(
        lambda: not [directory for directory in stale if os.path.exists(directory)],
        "the groups of launches that are gone are removed",
    )


def test_the_choice_of_cgroups_is_refused_where_none_can_be_had(fresh):
    fresh.supervisor_prefix = ("unshare", "--mount", "sh", "-c", 'umount -a -t cgroup,cgroup2; exec "$@"', "sh")
    daemon = fresh.spawn_supervisor(limit_mechanism="cgroup")
    assert daemon.said_nothing() and daemon.wait(20) == 1
    assert "--limit-mechanism is cgroup" in daemon.log()


# Without cgroups: the supervisor looks.


@pytest.fixture(scope="module")
def sampled(postgres):
    from harness.installation import Installation

    made = Installation(postgres)
    try:
        for source in PLUGINS:
            made.install(source)
        made.start_supervisor(**FLAGS, limit_mechanism="sampling")
        made.ctl.enable("memory_hog", "endless_forks", "thread_bomb", "opens_files", "results")
        yield made
    finally:
        made.close()


def test_sampling_is_shown_as_such(sampled):
    def seen():
        limits = limits_of(sampled.ctl, "results")
        return limits["memory_bytes"]["used"] and limits

    limits = eventually(seen, "the first sample")
    assert limits["memory_bytes"]["by"] == "sampling" and limits["processes"]["by"] == "sampling"
    assert 0 < limits["memory_bytes"]["used"] < 160 << 20
    assert limits["open_files"]["by"] == "rlimit"
    told = sampled.ctl("limits", "results", "--cpus", "0.5", "--now").ok()
    assert told["limits"]["cpus"] == {"limit": 0.5, "by": "none", "used": None}
    assert "not enforced here" in sampled.ctl.human("limits", "results").stdout


def test_a_worker_seen_over_its_memory_is_ended_for_it(sampled):
    rest = sampled.start_gateway().rest
    hit = rest.run("memory_hog", "hog")
    assert (hit.status, hit.data["code"]) == (502, "out_of_memory")
    assert "its limit is 160.0 MiB" in hit.data["error"]
    assert any("taking memory" in line for line in hit.data["evidence"])


def test_a_fork_bomb_seen_over_its_limit_is_ended_with_all_its_processes(sampled):
    elapsed = stopwatch()
    crash = sampled.ctl.run("endless_forks", "bomb")
    assert (crash.code, crash.data["code"]) == (FAILED, "too_many_processes")
    assert elapsed() < seconds(20)
    sampled.ctl.await_state("endless_forks", "running")
    eventually(
        lambda: len(descendants(sampled.supervisor.pid)) < 40, "the bomb's processes are gone"
    )


def test_open_files_are_limited_without_cgroups_too(sampled):
    assert sampled.ctl.result("opens_files", "open")["refused"] == "EMFILE"


def test_a_worker_that_is_taken_over_keeps_its_limits_and_still_tells_its_end(fresh):
    fresh.install("hostile/memory_hog")
    fresh.start_supervisor(memory_limit="160m")
    fresh.ctl.enable("memory_hog")
    by = mechanism(fresh)
    pid = fresh.ctl.worker("memory_hog")["pid"]
    fresh.supervisor.signal(9)
    fresh.supervisor.wait(10)
    fresh.start_supervisor(memory_limit="512m")
    worker = fresh.ctl.await_state("memory_hog", "running")
    assert worker["pid"] == pid
    memory = limits_of(fresh.ctl, "memory_hog")["memory_bytes"]
    assert (memory["limit"], memory["by"]) == (160 << 20, by) and memory["used"]
    crash = fresh.ctl.run("memory_hog", "hog")
    assert (crash.code, crash.data["code"]) == (FAILED, "out_of_memory")
    fresh.ctl.await_state("memory_hog", "running")
    assert limits_of(fresh.ctl, "memory_hog")["memory_bytes"]["limit"] == 512 << 20


EATS_LATER = """
import os, threading, time
def eat():
    while not os.path.exists(os.path.join(os.path.dirname(__file__), "go")):
        time.sleep(0.01)
    taken = []
    while len(taken) < 2048:
        taken.append(bytearray(b"x") * (1 << 20))
class Plugin:
    def __init__(self):
        threading.Thread(target=eat, daemon=True).start()
    def run(self, action, params, context):
        return {"pid": os.getpid()}
"""
SLOW_TO_INSPECT = """#!/bin/sh
case "$*" in *inspect*) sleep 3 ;; esac
exec /usr/bin/python3 "$@"
"""


def test_a_limit_hit_while_there_was_no_supervisor_is_told_however_slow_the_next_one_starts(fresh):
    fresh.write("eats", EATS_LATER)
    fresh.start_supervisor(memory_limit="64m")
    mechanism(fresh)
    fresh.ctl.enable("eats")
    workers = fresh.kill_supervisor()
    (fresh.plugins_dir / "eats" / "go").touch()
    await_gone(workers)
    (fresh.plugins_dir / "eats" / "go").unlink()
    # It reads the plugins' files for longer than what is left over is let lie.
    python = fresh.directory / "python"
    python.write_text(SLOW_TO_INSPECT)
    python.chmod(0o755)
    fresh.start_supervisor(memory_limit="64m", python=python)
    assert fresh.ctl.await_state("eats", "running")["last_crash"]["code"] == "out_of_memory"
