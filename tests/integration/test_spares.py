"""Workers that are forked before a plugin wants them, and are given one when it does."""

import functools
import os
import re
import signal
from pathlib import Path

import pytest

from harness.processes import (
    await_gone, descendants, frozen, identity, is_alive, mentioning, name_of, parent,
)  # fmt: skip
from harness.waiting import eventually

TELLS = """
import logging, os, resource, sys
class Plugin:
    def run(self, action, params, context):
        return {"pid": os.getpid(), "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
                "modules": sorted(sys.modules), "loggers": sorted(logging.Logger.manager.loggerDict),
                "mark": os.environ["PLUGIN_SUPERVISOR_LAUNCH"], "name": open("/proc/self/comm").read()}
"""

WHERE = """
import ctypes, os
class Plugin:
    def run(self, action, params, context):
        c, pinned, seen = ctypes.CDLL(None), [], []
        for processor in sorted(os.sched_getaffinity(0)):
            os.sched_setaffinity(0, {processor})
            pinned.append(processor)
            seen.append(c.sched_getcpu())
        return {"pinned": pinned, "seen": seen}
"""


@pytest.fixture
def fresh(fresh):
    """With one at a time, unless a test says otherwise: what becomes of it is to be seen."""
    for start in ("start_supervisor", "spawn_supervisor"):
        setattr(fresh, start, functools.partial(getattr(fresh, start), spare_workers=1))
    return fresh


@pytest.fixture(params=["with PID namespaces", "without"])
def installation(fresh, request):
    if request.param == "without":
        fresh.supervisor_prefix = ("setpriv", "--bounding-set", "-sys_admin")
    for key in ("first", "second"):
        fresh.write(key, TELLS)
    return fresh


def spares(installation) -> list[int]:
    """Those that wait for a plugin."""
    daemon = installation.supervisor.pid
    return [
        pid
        for pid, _ in descendants(daemon)
        if name_of(pid) == "plugin-spare" and name_of(parent(pid)) == "plugin-init"
    ]


def await_spares(installation, count=1) -> list[int]:
    eventually(lambda: len(spares(installation)) == count, f"{count} wait for a plugin")
    return spares(installation)


def test_a_start_takes_the_spare_and_another_is_made(installation):
    installation.start_supervisor()
    (waiting,) = await_spares(installation)
    worker = installation.ctl.enable("first")[0]["worker"]
    assert worker["pid"] == waiting
    (other,) = await_spares(installation)
    assert other != waiting
    assert installation.ctl.enable("second")[0]["worker"]["pid"] == other


def test_a_spare_leaves_nothing_of_its_rehearsal_and_has_the_plugin_as_any_worker(installation):
    installation.start_supervisor()
    (waiting,) = await_spares(installation)
    ctl = installation.ctl
    ctl.enable("first")
    told = ctl.result("first", "tell")
    assert told["pid"] == waiting and told["name"] == "plugin-worker\n"
    assert told["mark"].endswith(":1:first")
    assert told["open_files"] == 4096
    assert not [name for name in told["modules"] + told["loggers"] if "rehearsed" in name]
    limits = ctl("limits", "first").ok()["limits"]
    assert limits["processes"]["used"] >= 1 and limits["memory_bytes"]["limit"] == 1 << 30


def test_a_plugin_with_limits_of_its_own_gets_a_fork_of_its_own(installation):
    installation.start_supervisor()
    (waiting,) = await_spares(installation)
    ctl = installation.ctl
    ctl("limits", "first", "--open-files", "300").ok()
    assert ctl.enable("first")[0]["worker"]["pid"] != waiting
    assert ctl.result("first", "tell")["open_files"] == 300
    assert ctl.enable("second")[0]["worker"]["pid"] == waiting


def test_a_spare_that_was_killed_is_missed_by_nobody(installation):
    installation.start_supervisor()
    (waiting,) = await_spares(installation)
    mine = [identity(waiting), identity(parent(waiting))]
    os.kill(parent(waiting), signal.SIGKILL)
    eventually(lambda: not [p for p in mine if is_alive(p)], "it has ended")
    worker = installation.ctl.enable("first")[0]["worker"]
    assert worker["state"] == "running" and worker["restarts"] == 0
    assert await_spares(installation)


def test_a_spare_ends_with_its_supervisor_and_the_next_has_its_own(installation):
    installation.start_supervisor()
    (waiting,) = await_spares(installation)
    mine = [identity(waiting), identity(parent(waiting))]
    installation.kill_supervisor()
    eventually(lambda: not [p for p in mine if is_alive(p)], "it has ended")
    installation.start_supervisor()
    await_spares(installation)
    assert len(list((installation.runtime_dir / "w").iterdir())) == 1


def test_a_stopped_spare_of_a_killed_supervisor_is_ended_by_the_next(installation):
    installation.start_supervisor()
    (waiting,) = await_spares(installation)
    mine = [identity(waiting), identity(parent(waiting))]
    with frozen(waiting):
        installation.kill_supervisor()
        installation.start_supervisor()
        eventually(lambda: not [p for p in mine if is_alive(p)], "it has ended")
    await_spares(installation)


@pytest.mark.parametrize("point", ["start.recorded", "start.assigned"])
def test_a_supervisor_killed_when_it_gives_a_spare_its_plugin_converges(installation, point):
    os.environ["PLUGIN_SUPERVISOR_FAULT_POINT"] = point
    try:
        installation.start_supervisor()
    finally:
        del os.environ["PLUGIN_SUPERVISOR_FAULT_POINT"]
    await_spares(installation)
    call = installation.ctl.begin("enable", "first")
    assert installation.supervisor.wait(20) == -signal.SIGKILL
    call.answer()
    installation.start_supervisor()
    worker = installation.ctl.await_state("first", "running")
    assert (worker["restarts"], worker["last_crash"]) == (0, None)
    eventually(lambda: len(installation.launches()) == 1, "one launch")


def test_a_shutdown_while_a_spare_is_being_made_leaves_nothing(installation):
    installation.start_supervisor()
    await_spares(installation)
    daemon = installation.supervisor.pid
    (spawner,) = [pid for pid, _ in descendants(daemon) if name_of(pid).startswith("python")]
    groups = re.search(r"groups=(plugin-supervisor-\w+)", installation.supervisor.log())[1]
    ours = [
        Path(directory) / groups for directory, names, _ in os.walk("/sys/fs/cgroup") if groups in names
    ]
    with frozen(spawner):
        installation.ctl.enable("first")  # Takes the spare; another is asked for.
        below = descendants(daemon)
        installation.supervisor.signal(signal.SIGTERM)
        assert installation.supervisor.wait(10) == 0
    await_gone(below)
    assert mentioning(installation.plugins_dir) == []
    assert list((installation.runtime_dir / "w").iterdir()) == []
    assert not [directory for directory in ours if directory.exists()]


def test_a_spare_that_came_to_nothing_is_replaced(fresh):
    fresh.write("broken", "import a_module_that_nobody_has")
    fresh.start_supervisor()
    (waiting,) = await_spares(fresh)
    assert fresh.ctl("enable", "broken").code != 0
    eventually(lambda: waiting not in spares(fresh), "it was taken")
    await_spares(fresh)


def test_there_is_none_where_each_plugin_has_a_processor_limit(fresh):
    fresh.write("first", TELLS)
    fresh.start_supervisor(cpu_limit=1)
    assert fresh.ctl.enable("first")[0]["worker"]["state"] == "running"
    assert spares(fresh) == []


def test_a_worker_knows_the_processor_it_is_on(fresh):
    fresh.write("where", WHERE)
    fresh.start_supervisor()
    await_spares(fresh)
    fresh.ctl.enable("where")
    told = fresh.ctl.result("where", "tell")
    assert told["seen"] == told["pinned"]


def test_how_many_there_are_is_the_admins_choice(fresh):
    fresh.write("first", TELLS)
    fresh.start_supervisor(spare_workers=3)
    waiting = await_spares(fresh, 3)
    assert fresh.ctl.enable("first")[0]["worker"]["pid"] in waiting
    await_spares(fresh, 3)
    ended = descendants(fresh.supervisor.pid)
    assert fresh.supervisor.terminate() == 0
    await_gone(ended)
    assert list((fresh.runtime_dir / "w").iterdir()) == []
    fresh.start_supervisor(spare_workers=0)
    fresh.ctl.await_state("first", "running")
    assert spares(fresh) == []


def test_the_spare_of_a_changed_profile_is_ended(fresh, tmp_path):
    fresh.write("first", TELLS)
    profiles = tmp_path / "profiles.toml"
    profiles.write_text("")
    fresh.start_supervisor(profiles=profiles)
    (waiting,) = await_spares(fresh)
    before = identity(waiting)
    profiles.write_text('[profile.standalone]\npreload = ["wave"]\n')
    fresh.supervisor.signal(signal.SIGHUP)
    eventually(lambda: not is_alive(before), "the spare of the old profile ends")
    fresh.ctl.enable("first")
    assert "wave" in fresh.ctl.result("first", "tell")["modules"]
