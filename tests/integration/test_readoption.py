"""A supervisor that is killed and started again takes its workers over, with all they know."""

import os
import signal

import pytest

from harness.processes import identity, is_alive, mentioning, name_of, parent
from harness.waiting import eventually

COUNTS = """
import os, time
class Plugin:
    name = "Counts"
    fields = [{"id": "step", "label": "Step", "type": "number", "default": 1}]
    def __init__(self):
        self.total = 0
    def run(self, action, params, context):
        if action == "count":
            self.total += context["settings"]["step"]
        if action == "print":
            print(params["text"], flush=True)
        if action == "log_when_let":
            while not os.path.exists(params["path"]):
                time.sleep(0.01)
            context["logger"].info("it went on")
            self.total = 1000
        return {"pid": os.getpid(), "total": self.total}
    def stop(self, context):
        print("stopping for " + context["reason"], flush=True)
"""


@pytest.fixture(params=["with PID namespaces", "without"])
def installation(fresh, request):
    if request.param == "without":
        fresh.supervisor_prefix = ("setpriv", "--bounding-set", "-sys_admin")
    fresh.write("counts", COUNTS)
    return fresh


def processes_of(installation):
    """Worker processes of this installation, by their environment."""
    return [
        pid for pid in mentioning(installation.plugins_dir) if name_of(pid) == "plugin-worker"
    ]


def test_a_worker_outlives_its_supervisor_and_keeps_its_state(installation):
    installation.start_supervisor()
    ctl = installation.ctl
    worker = identity(ctl.enable("counts")[0]["worker"]["pid"])
    assert ctl.result("counts", "count")["total"] == 1
    before = ctl.show("counts")
    installation.kill_supervisor()
    assert is_alive(worker)
    installation.start_supervisor()
    taken = ctl.await_state("counts", "running")
    assert taken["pid"] == worker[0]
    assert taken["generation"] == before["worker"]["generation"]
    assert taken["restarts"] == 0 and taken["last_crash"] is None
    assert taken["started_at"] == before["worker"]["started_at"]
    assert ctl.result("counts", "count")["total"] == 2
    assert ctl.show("counts")["name"] == "Counts"
    assert taken["adopted"] and not before["worker"]["adopted"]
    assert "earlier supervisor" in ctl.human("why", "counts").stdout


def test_what_is_printed_meanwhile_is_in_the_log(installation, tmp_path):
    installation.start_supervisor()
    ctl = installation.ctl
    ctl.enable("counts")
    ctl.begin_run("counts", "log_when_let", {"path": str(tmp_path / "let")})
    ctl.await_in_flight("counts", 1)
    installation.kill_supervisor()
    (tmp_path / "let").touch()
    installation.start_supervisor()
    ctl.await_log("counts", "it went on")
    assert ctl.result("counts", "count")["total"] == 1001


def test_settings_that_change_while_there_is_no_supervisor_reach_the_worker(installation):
    installation.start_supervisor()
    ctl = installation.ctl
    ctl.enable("counts")
    installation.kill_supervisor()
    installation.sql("""UPDATE plugins_pluginconfig SET settings = '{"step": 50}'""")
    installation.start_supervisor()
    ctl.await_state("counts", "running")
    assert ctl.result("counts", "count")["total"] == 50


def test_a_plugin_that_was_disabled_meanwhile_is_taken_over_to_be_stopped(installation):
    installation.start_supervisor()
    ctl = installation.ctl
    worker = identity(ctl.enable("counts")[0]["worker"]["pid"])
    installation.kill_supervisor()
    installation.sql("UPDATE plugins_pluginconfig SET enabled = false")
    installation.start_supervisor()
    eventually(lambda: not is_alive(worker), "the worker ends")
    ctl.await_state("counts", "disabled")
    ctl.await_log("counts", "stopping for disable")
    eventually(lambda: installation.launches() == [], "nothing is left of the launch")


def test_a_taken_over_worker_is_stopped_like_any_other(installation):
    installation.start_supervisor()
    ctl = installation.ctl
    worker = identity(ctl.enable("counts")[0]["worker"]["pid"])
    installation.kill_supervisor()
    installation.start_supervisor()
    ctl.await_state("counts", "running")
    stopped = ctl("restart", "counts").ok()["plugin"]["worker"]
    assert not is_alive(worker)
    assert stopped["state"] == "running" and stopped["pid"] != worker[0]
    assert stopped["last_stop"]["forced"] is False
    assert "stopping for restart" in ctl.log_texts("counts")


def test_a_taken_over_worker_that_crashes_is_started_again_with_its_signal_told(installation):
    installation.start_supervisor()
    ctl = installation.ctl
    worker = ctl.enable("counts")[0]["worker"]["pid"]
    installation.kill_supervisor()
    installation.start_supervisor()
    ctl.await_state("counts", "running")
    os.kill(worker, signal.SIGSEGV)
    eventually(lambda: ctl.worker("counts")["pid"] not in (0, worker), "another worker")
    assert ctl.await_state("counts", "running")["last_crash"]["signal"] == "SIGSEGV"


def test_an_end_while_there_was_no_supervisor_is_told(installation):
    installation.start_supervisor()
    ctl = installation.ctl
    worker = identity(ctl.enable("counts")[0]["worker"]["pid"])
    installation.kill_supervisor()
    os.kill(worker[0], signal.SIGABRT)
    eventually(lambda: not is_alive(worker), "the worker ends")
    installation.start_supervisor()
    again = ctl.await_state("counts", "running")
    assert again["pid"] != worker[0]
    assert again["last_crash"]["signal"] == "SIGABRT"
    assert "No supervisor was running" in again["last_crash"]["message"]
    assert len(installation.launches()) == 1


def test_a_worker_whose_supervisor_never_comes_back_ends_itself(installation):
    installation.start_supervisor(reattach_window="1s")
    ctl = installation.ctl
    worker = ctl.enable("counts")[0]["worker"]["pid"]
    mine = [identity(worker), identity(parent(worker))]
    installation.kill_supervisor()
    eventually(lambda: not [p for p in mine if is_alive(p)], "worker and init end", 15)
    installation.start_supervisor()
    again = ctl.await_state("counts", "running")
    assert again["pid"] != worker and again["last_crash"] is None, "it is no crash"


def test_a_worker_outlives_many_supervisors(installation):
    installation.start_supervisor()
    ctl = installation.ctl
    worker = identity(ctl.enable("counts")[0]["worker"]["pid"])
    for total in range(1, 6):
        assert ctl.result("counts", "count")["total"] == total
        installation.kill_supervisor()
        installation.start_supervisor()
        assert ctl.await_state("counts", "running")["pid"] == worker[0]


def test_a_launch_of_an_older_supervisor_keeps_its_groups(fresh):
    """Its record does not name them."""
    fresh.write("counts", COUNTS)
    fresh.start_supervisor(spare_workers=0)
    ctl = fresh.ctl
    worker = ctl.enable("counts")[0]["worker"]["pid"]
    before = ctl("limits", "counts").ok()["limits"]
    fresh.kill_supervisor()
    (directory,) = fresh.launches()
    record = (directory / "launch").read_bytes()
    group = b"\x52\x08counts.1"  # Field 10.
    # And nothing that comes after it.
    assert group in record
    (directory / "launch").write_bytes(record[: record.rindex(group)])
    fresh.start_supervisor(spare_workers=0)
    assert ctl.await_state("counts", "running")["pid"] == worker
    after = ctl("limits", "counts").ok()["limits"]
    for name in ("memory_bytes", "processes"):
        assert (after[name]["limit"], after[name]["by"]) == (before[name]["limit"], before[name]["by"])


def test_a_process_that_only_has_the_number_of_an_init_is_left_alone(installation):
    installation.start_supervisor()
    ctl = installation.ctl
    worker = ctl.enable("counts")[0]["worker"]["pid"]
    init = parent(worker)
    installation.kill_supervisor()
    (directory,) = installation.launches()
    # The record says that the init was this test.
    record = (directory / "exit").read_text()
    assert record.startswith(f"began {init} ")
    (directory / "exit").write_text(record.replace(str(init), str(os.getpid())))
    os.kill(init, signal.SIGKILL)
    eventually(lambda: identity(init) is None, "the init is gone")
    installation.start_supervisor()
    assert ctl.await_state("counts", "running")["pid"] != worker


STARTING = ("start.directory", "start.recorded", "start.requested", "start.forked",
            "start.attached", "start.loaded", "running")
STOPPING = ("stop.asked", "stop.exited", "stop.reaped")
FORCED = ("stop.sigterm", "stop.sigkill")
STUBBORN = """
        time.sleep(60)
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
"""


@pytest.mark.parametrize("point", STARTING + STOPPING + FORCED)
def test_a_supervisor_killed_at_any_step_of_start_and_stop_converges(installation, point):
    if point in FORCED:
        installation.write("counts", COUNTS + STUBBORN)
    os.environ["PLUGIN_SUPERVISOR_FAULT_POINT"] = point
    try:
        # A spare would get to the point before any plugin does.
        installation.start_supervisor(stop_timeout="500ms", spare_workers=0)
    finally:
        del os.environ["PLUGIN_SUPERVISOR_FAULT_POINT"]
    ctl = installation.ctl
    call = ctl.begin("enable", "counts")
    if point.startswith("stop"):
        call.answer()
        call = ctl.begin("disable", "counts")
    assert installation.supervisor.wait(20) == -signal.SIGKILL, "it was killed at that step"
    call.answer()
    wanted = "disabled" if point.startswith("stop") else "running"
    installation.start_supervisor(stop_timeout="500ms")
    ctl.await_state("counts", wanted)
    count = 1 if wanted == "running" else 0
    eventually(lambda: len(processes_of(installation)) == count, f"{count} worker")
    eventually(lambda: len(installation.launches()) == count, f"{count} launch")
    worker = ctl.worker("counts")
    assert (worker["restarts"], worker["last_crash"]) == (0, None), "it has done nothing wrong"
    if point == "start.recorded":
        assert worker["generation"] == 2, "the first is used up, whatever the ledger knows of it"
    if count:
        assert ctl.result("counts", "count")["total"] == 1
        assert processes_of(installation) == [ctl.worker("counts")["pid"]]
    assert "state.forbidden" not in installation.supervisor.log()
