"""Runs in the background, and the history of all runs."""

import os
import shutil
import signal
import threading

import pytest

from harness.ctl import NOT_FOUND, NOT_READY, UNREACHABLE, USAGE
from harness.installation import Installation
from harness.postgres import Postgres
from harness.processes import await_gone, is_alive, stopwatch
from harness.waiting import eventually, lasting, seconds

ACTIONS = """
import os, signal, threading, time
gate = threading.Event()
class Plugin:
    def run(self, action, params, context):
        return getattr(self, "do_" + action)(params, context)
    def do_ping(self, params, context):
        return {"job": context["job_id"]}
    def do_block(self, params, context):
        context["progress"](0.25, "waiting at the gate")
        context["logger"].info("at the gate")
        while not gate.wait(0.02):
            if context["cancelled"]():
                return {"let": "go"}
        return {"job": context["job_id"], "opened": True, "rows": params.get("rows")}
    def do_open(self, params, context):
        gate.set()
    def do_close(self, params, context):
        gate.clear()
    def do_many_steps(self, params, context):
        begin = time.monotonic()
        for i in range(params["steps"]):
            context["progress"]((i + 1) / params["steps"], f"step {i + 1}")
        return {"seconds": time.monotonic() - begin}
    def do_odd_steps(self, params, context):
        context["progress"](0.5, "x" * 100000 + "\\x1b[31m")
        context["progress"](float("nan"), None)
        context["progress"](99)
        return {}
    def do_raise(self, params, context):
        context["logger"].warning("about to raise")
        raise ValueError("this went wrong")
    def do_crash(self, params, context):
        os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(60)
    def do_stubborn(self, params, context):
        end = time.monotonic() + 3600
        while time.monotonic() < end:
            try:
                time.sleep(0.05)
            except BaseException:
                pass
    def do_sleep(self, params, context):
        time.sleep(3600)
    def do_pause(self, params, context):
        while not os.path.exists(params["path"]):
            time.sleep(0.02)
        if "then" in params:
            threading.Timer(0.2, lambda: open(params["then"], "w").close()).start()
        return {"paused": params["path"]}
    def do_large(self, params, context):
        return {"data": "x" * params["bytes"]}
"""
FLAGS = {
    "cancel_grace": "200ms",
    "stuck_after": lasting(1.5),
    "call_timeout": "2s",
    "restart_first_delay": "50ms",
    "quarantine_after": "0",
    "stop_timeout": "2s",
}
OVER = ("succeeded", "failed", "cancelled")


def prepare(installation):
    for key in ("subject", "crashing", "holding", "stopped"):
        installation.write(key, ACTIONS)


@pytest.fixture(scope="module", autouse=True)
def enabled(ctl):
    ctl.enable("subject", "crashing", "holding", "stopped")


def begin(ctl, key, action, params=None, *more):
    import json

    return ctl(
        "run", key, action, "--params", json.dumps(params or {}), "--background", *more
    ).ok()


def ended(ctl, job_id, wait="20s"):
    job = ctl("job", job_id, "--wait", wait, within=30).ok()
    assert job["state"] in OVER, job
    return job


def row(installation, job_id, columns="state"):
    return installation.postgres.query(
        installation.database, f"SELECT {columns} FROM supervisor_jobs WHERE id = '{job_id}'"
    )


def written(installation, job_id):
    """Waits until the end of the job is in the database."""
    return eventually(
        lambda: row(installation, job_id, "ended_at IS NOT NULL") == "t", f"{job_id} is written"
    )


def test_a_background_job_goes_on_while_nobody_waits_and_keeps_its_result(ctl, installation):
    elapsed = stopwatch()
    job = begin(ctl, "subject", "block", {"rows": 3})
    assert elapsed() < seconds(2)
    assert (job["state"], job["kind"], job["plugin"]) == ("running", "background", "subject")
    assert job["requested_by"].startswith("pluginctl:")
    assert row(installation, job["id"]) == "running", "it is written before it is acknowledged"
    listed = ctl("jobs", "subject", "--unfinished").ok()["jobs"]
    assert [each["id"] for each in listed] == [job["id"]]
    progress = eventually(
        lambda: (lambda p: p if p["message"] else None)(ctl("job", job["id"]).ok()["progress"]),
        "its progress is told",
    )
    assert progress == {"fraction": 0.25, "message": "waiting at the gate"}
    # Well beyond the default deadline of a call, which a job has not.
    assert ctl("job", job["id"], "--wait", "2500ms").ok()["state"] == "running"
    ctl.run("subject", "open")
    done = ended(ctl, job["id"])
    assert done["result"] == {"job": job["id"], "opened": True, "rows": 3}
    assert done["duration_ms"] > 2000
    assert done["failure"] is None
    written(installation, job["id"])
    assert ctl("job", job["id"]).ok() == done, "the same from the database as from memory"
    ctl.run("subject", "close")


def test_who_waits_for_a_job_is_told_at_its_end(ctl):
    job = begin(ctl, "subject", "block")
    waiting = ctl.begin("job", job["id"], "--wait", "30s")
    ctl.run("subject", "open")
    assert waiting.answer().ok()["state"] == "succeeded"
    ctl.run("subject", "close")


def test_runs_that_a_caller_waits_for_are_in_the_history_without_their_result(ctl, installation):
    answer = ctl.result("subject", "ping")
    [newest] = ctl("jobs", "subject", "--limit", "1").ok()["jobs"]
    assert newest["id"] == answer["job"]
    assert (newest["action"], newest["kind"], newest["state"]) == ("ping", "run", "succeeded")
    assert newest["requested_by"].startswith("pluginctl:")
    assert newest["duration_ms"] > 0 and newest["result"] is None
    written(installation, answer["job"])
    columns = "plugin_key, action, kind, state, reason, result IS NULL"
    assert row(installation, answer["job"], columns) == "subject|ping|run|succeeded||t"


def test_what_an_action_raised_is_the_failure_of_its_job(ctl):
    done = ended(ctl, begin(ctl, "subject", "raise")["id"])
    assert done["state"] == "failed"
    assert done["failure"]["code"] == "plugin_raised"
    assert "this went wrong" in done["failure"]["message"]
    assert "Traceback" in "\n".join(done["failure"]["evidence"])
    shown = ctl.human("job", done["id"]).stdout
    assert "plugin_raised" in shown and "this went wrong" in shown


def test_what_a_job_logs_carries_its_id(ctl):
    done = ended(ctl, begin(ctl, "subject", "raise")["id"])
    other = ended(ctl, begin(ctl, "subject", "raise")["id"])
    ctl.result("subject", "ping")

    def texts(job_id):
        return "\n".join(line["text"] for line in ctl.logs("subject") if line["job"] == job_id)

    for job in (done, other):
        eventually(lambda: "this went wrong" in texts(job["id"]), "its lines are its own")
        assert texts(job["id"]).count("about to raise") == 1


def test_a_job_of_a_crashed_worker_ends_with_the_crash(ctl, installation):
    blocked = begin(ctl, "crashing", "block")
    caller = ctl.begin_run("crashing", "block", timeout="30s")
    ctl.await_in_flight("crashing", 2)
    crashing = begin(ctl, "crashing", "crash")
    for job in (blocked, crashing):
        done = ended(ctl, job["id"])
        assert done["state"] == "failed"
        assert done["failure"]["code"] == "worker_killed_by_signal"
        assert done["failure"]["signal"] == "SIGSEGV"
        assert done["failure"]["evidence"], "what it said last"
        written(installation, job["id"])
        assert row(installation, job["id"], "state, reason") == "failed|worker_killed_by_signal"
    assert caller.answer().data["code"] == "worker_killed_by_signal", "its own clear error"
    ctl.await_state("crashing", "running")


def test_a_job_is_cancelled_and_its_worker_goes_on(ctl):
    before = ctl.worker("subject")["pid"]
    for action in ("block", "sleep"):
        job = begin(ctl, "subject", action)
        ctl.await_in_flight("subject", 1)
        cancelled = ctl("cancel", job["id"]).ok()
        assert cancelled["state"] == "cancelled"
        assert cancelled["failure"]["code"] == "cancelled"
        assert ctl("cancel", job["id"]).ok() == cancelled, "one that has ended is left alone"
    eventually(lambda: ctl.run("subject", "ping").code == 0, "it answers")
    assert ctl.worker("subject")["pid"] == before


def test_a_run_that_a_caller_waits_for_can_be_cancelled_by_its_id(ctl):
    caller = ctl.begin_run("subject", "block", timeout="60s")
    [job] = eventually(
        lambda: ctl("jobs", "subject", "--unfinished").ok()["jobs"], "it is listed"
    )
    ctl("cancel", job["id"]).ok()
    assert caller.answer().data["code"] == "cancelled"


def test_a_cancelled_job_that_does_not_let_go_ends_its_worker(ctl):
    before = ctl.worker("holding")["pid"]
    job = begin(ctl, "holding", "stubborn")
    ctl.await_in_flight("holding", 1)
    assert ctl("cancel", job["id"]).ok()["state"] == "cancelled"
    eventually(
        lambda: ctl.worker("holding")["pid"] not in (None, before), "another worker", within=15
    )
    crash = ctl.await_state("holding", "running")["last_crash"]
    assert crash["code"] == "call_stuck"
    assert "do_stubborn" in "\n".join(crash["evidence"])


def test_a_job_with_a_deadline_fails_at_it(ctl):
    elapsed = stopwatch()
    job = begin(ctl, "subject", "sleep", {}, "--timeout", "300ms")
    done = ended(ctl, job["id"])
    assert (done["state"], done["failure"]["code"]) == ("failed", "deadline_exceeded")
    assert elapsed() < seconds(4)


def test_progress_in_a_tight_loop_costs_little_and_ends_at_the_last_step(ctl):
    done = ended(ctl, begin(ctl, "subject", "many_steps", {"steps": 100_000})["id"])
    assert done["progress"] == {"fraction": 1.0, "message": "step 100000"}
    assert done["result"]["seconds"] < seconds(2), "20 us a step, on a machine that is busy"


def test_odd_progress_harms_nobody(ctl):
    done = ended(ctl, begin(ctl, "subject", "odd_steps")["id"])
    assert done["state"] == "succeeded"
    assert done["progress"] == {"fraction": 1.0, "message": ""}


def test_a_large_result_of_a_job_is_kept_whole(ctl, installation):
    job = begin(ctl, "subject", "large", {"bytes": 3_000_000})
    ended(ctl, job["id"])
    written(installation, job["id"])
    assert len(ctl("job", job["id"]).ok()["result"]["data"]) == 3_000_000
    too_large = ended(ctl, begin(ctl, "subject", "large", {"bytes": 50_000_000})["id"])
    assert too_large["failure"]["code"] == "result_too_large"


def test_a_stop_of_the_plugin_cancels_its_jobs(ctl):
    job = begin(ctl, "stopped", "sleep")
    ctl("stop", "stopped").ok()
    done = ended(ctl, job["id"])
    assert done["state"] == "cancelled"
    refused = ctl("run", "stopped", "ping", "--background")
    assert refused.code == NOT_READY
    ctl("start", "stopped").ok()


def test_what_cannot_be_begun_is_refused_and_in_no_history(ctl):
    count = len(ctl("jobs", "--limit", "1000").ok()["jobs"])
    assert ctl("run", "nobody", "x", "--background").code == NOT_FOUND
    assert ctl("run", "subject", "", "--background").code == USAGE
    ctl.disable("stopped")
    assert ctl("run", "stopped", "ping", "--background").data["code"] == "plugin_disabled"
    assert ctl.run("stopped", "ping").data["code"] == "plugin_disabled"
    ctl.enable("stopped")
    assert len(ctl("jobs", "--limit", "1000").ok()["jobs"]) == count


@pytest.mark.parametrize("job_id", ["nothing", "0000000000000000zz", "../x", "a" * 100, "ü"])
def test_an_unknown_job_is_not_found(ctl, job_id):
    assert ctl("job", job_id).code == NOT_FOUND
    assert ctl("cancel", job_id).code == NOT_FOUND


def test_people_read_a_table_and_an_id(ctl):
    begun = ctl.human("run", "subject", "ping", "--background").stdout.strip()
    assert ended(ctl, begun)["state"] == "succeeded"
    table = ctl.human("jobs", "subject").stdout
    assert begun in table and "succeeded" in table and table.startswith("ID")


# Over REST.


def test_respond_async_gives_202_and_a_job_that_outlives_the_gateway(installation, ctl):
    gateway = installation.start_gateway()
    begun = gateway.rest.run(
        "subject",
        "block",
        {"rows": 1},
        headers={"Prefer": "wait=10, respond-async", "X-Requested-By": "nightly grün".encode()},
    )
    assert begun.status == 202
    job = begun.data["job"]
    assert begun.headers["location"] == f"/api/supervisor/jobs/{job['id']}/"
    assert job["state"] == "running"
    assert gateway.terminate() == 0
    other = installation.start_gateway()
    path = begun.headers["location"]
    assert other.rest.get(path).ok()["requested_by"] == "api:nightly grün"
    assert other.rest.get(path + "?wait=1").ok()["state"] == "running"
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(other.rest.get(path + "?wait=30")))
    waiting.start()
    ctl.run("subject", "open")
    waiting.join(seconds(15))
    assert answers[0].ok()["result"]["opened"] is True
    ctl.run("subject", "close")
    listed = other.rest.get("/api/supervisor/jobs/?plugin=subject&limit=2").ok()["jobs"]
    assert len(listed) == 2
    assert all(each["plugin"] == "subject" for each in listed)
    assert other.rest.get("/api/supervisor/jobs/?limit=x").status == 400
    assert other.rest.get("/api/supervisor/jobs/nothing/").status == 404
    assert other.rest.get(path, token=None).status == 401
    other.terminate()


def test_delete_cancels_a_job_and_runs_name_theirs(installation, ctl):
    gateway = installation.start_gateway()
    answer = gateway.rest.run("subject", "ping")
    assert answer.headers["x-job-id"] == answer.ok()["result"]["job"]
    assert gateway.rest.get(f"/api/supervisor/jobs/{answer.headers['x-job-id']}").ok()["kind"] == "run"
    begun = gateway.rest.run("subject", "sleep", headers={"Prefer": "respond-async"})
    cancelled = gateway.rest("DELETE", begun.headers["location"])
    assert cancelled.ok()["state"] == "cancelled"
    unfinished = gateway.rest.get("/api/supervisor/jobs/?unfinished=true&plugin=subject")
    assert unfinished.ok()["jobs"] == []
    gateway.terminate()


def test_who_hangs_up_while_waiting_for_a_job_does_not_end_it(installation, ctl):
    gateway = installation.start_gateway()
    begun = gateway.rest.run("subject", "block", headers={"Prefer": "respond-async"})
    connection = gateway.rest.connection()
    connection.request(
        "GET",
        begun.headers["location"] + "?wait=60",
        headers={"Authorization": f"Bearer {installation.token}"},
    )
    connection.close()
    ctl.run("subject", "open")
    assert ended(ctl, begun.data["job"]["id"])["state"] == "succeeded"
    ctl.run("subject", "close")
    gateway.terminate()


# What dies and comes back.


def test_a_job_goes_on_over_the_death_of_the_supervisor(fresh):
    fresh.write("subject", ACTIONS)
    fresh.start_supervisor()
    ctl = fresh.ctl
    ctl.enable("subject")
    job = begin(ctl, "subject", "block", {"rows": 7})
    caller = ctl.begin_run("subject", "pause", {"path": str(fresh.directory / "go")}, "60s")
    [run] = eventually(
        lambda: [j for j in ctl("jobs", "--unfinished").ok()["jobs"] if j["kind"] == "run"],
        "the run is listed",
    )
    done_before = ended(ctl, begin(ctl, "subject", "ping")["id"])
    written(fresh, done_before["id"])
    fresh.kill_supervisor()
    assert caller.answer().code == UNREACHABLE
    assert row(fresh, job["id"]) == "running"
    fresh.start_supervisor()
    ctl.await_state("subject", "running")
    assert ctl("job", job["id"], "--wait", "300ms").ok()["state"] == "running"
    (fresh.directory / "go").touch()
    assert ctl("job", run["id"], "--wait", "10s").ok()["state"] == "succeeded"
    ctl.run("subject", "open")
    done = ended(ctl, job["id"])
    assert done["state"] == "succeeded"
    assert done["result"] == {"job": job["id"], "opened": True, "rows": 7}
    assert done["created_at"] == job["created_at"]
    written(fresh, job["id"])
    assert ctl("jobs", "--unfinished").ok()["jobs"] == []
    assert ctl("job", done_before["id"]).ok() == done_before
    assert ctl.worker("subject")["restarts"] == 0


def test_a_job_that_ended_without_a_supervisor_keeps_its_result(fresh):
    fresh.write("subject", ACTIONS)
    fresh.start_supervisor()
    fresh.ctl.enable("subject")
    go, gone = fresh.directory / "go", fresh.directory / "gone"
    job = begin(fresh.ctl, "subject", "pause", {"path": str(go), "then": str(gone)})
    for _ in range(2):
        fresh.kill_supervisor()
        go.touch()
        eventually(gone.exists, "the action has come to its end")
        fresh.start_supervisor()
        done = ended(fresh.ctl, job["id"])
        assert (done["state"], done["result"]) == ("succeeded", {"paused": str(go)})
        written(fresh, job["id"])
    # What is written need not be kept by the worker: nothing is told twice.
    assert fresh.ctl("jobs", "--unfinished").ok()["jobs"] == []


def test_a_cancel_reaches_a_job_that_was_begun_under_another_supervisor(fresh):
    fresh.write("subject", ACTIONS)
    fresh.start_supervisor()
    fresh.ctl.enable("subject")
    job = begin(fresh.ctl, "subject", "sleep")
    fresh.kill_supervisor()
    fresh.start_supervisor()
    fresh.ctl.await_state("subject", "running")
    assert fresh.ctl("cancel", job["id"]).ok()["state"] == "cancelled"
    eventually(lambda: fresh.ctl.run("subject", "ping").code == 0, "the worker is free again")
    assert fresh.ctl.worker("subject")["restarts"] == 0


def test_an_unfinished_job_whose_worker_died_with_the_supervisor_ends_as_failed(fresh):
    for key in ("subject", "other"):
        fresh.write(key, ACTIONS)
    fresh.start_supervisor()
    fresh.ctl.enable("subject", "other")
    jobs = [begin(fresh.ctl, key, "sleep") for key in ("subject", "other")]
    workers = fresh.kill_supervisor()
    for process in workers:
        if is_alive(process):
            os.kill(process[0], signal.SIGKILL)
    await_gone(workers)
    shutil.rmtree(fresh.plugins_dir / "other")
    assert [row(fresh, job["id"]) for job in jobs] == ["running", "running"]
    fresh.start_supervisor()
    for job in jobs:
        done = ended(fresh.ctl, job["id"])
        assert done["state"] == "failed"
        assert done["failure"]["code"] in ("not_adopted", "worker_killed_by_signal", "link_lost")
        assert done["failure"]["message"]
        written(fresh, job["id"])
    assert fresh.ctl("jobs", "--unfinished").ok()["jobs"] == []


def test_a_clean_stop_of_the_supervisor_writes_down_how_its_jobs_ended(fresh):
    fresh.write("subject", ACTIONS)
    fresh.start_supervisor()
    fresh.ctl.enable("subject")
    job = begin(fresh.ctl, "subject", "sleep")
    run = fresh.ctl.result("subject", "ping")["job"]
    assert fresh.supervisor.terminate() == 0
    assert row(fresh, job["id"]) == "cancelled"
    assert row(fresh, run) == "succeeded"


def test_the_history_catches_up_with_a_database_that_was_away():
    own = Postgres()
    installation = Installation(own)
    try:
        installation.write("subject", ACTIONS)
        installation.start_supervisor()
        ctl = installation.ctl
        ctl.enable("subject")
        job = begin(ctl, "subject", "block")
        own.stop()
        during = [ctl.result("subject", "ping")["job"] for _ in range(5)]
        refused = ctl("run", "subject", "ping", "--background", within=40)
        assert refused.code == UNREACHABLE
        assert refused.data["code"] == "database_unavailable"
        gateway = installation.start_gateway()
        answer = gateway.rest.run("subject", "ping", headers={"Prefer": "respond-async"})
        assert (answer.status, answer.data["code"]) == (503, "database_unavailable")
        assert ctl("jobs", within=40).data["code"] == "database_unavailable"
        unfinished = ctl("jobs", "--unfinished").ok()["jobs"]
        assert [each["id"] for each in unfinished] == [job["id"]], "these are known without it"
        ctl.run("subject", "open")
        assert ended(ctl, job["id"])["state"] == "succeeded", "and so is what is not yet written"
        own.start()
        for each in [job["id"], *during]:
            eventually(lambda: row(installation, each) == "succeeded", "it is written", within=20)
        assert (
            installation.postgres.query(
                installation.database,
                "SELECT count(*) FROM supervisor_jobs WHERE state IN ('queued', 'running')",
            )
            == "0"
        )
        begin(ctl, "subject", "ping")
    finally:
        installation.close()
        own.close()


def test_what_is_too_old_or_too_much_is_removed_and_what_runs_is_kept(fresh):
    fresh.write("subject", ACTIONS)
    flags = {"job_keep_days": "7", "job_keep_runs": "5", "job_sweep_every": "200ms"}
    fresh.start_supervisor(**flags)
    ctl = fresh.ctl
    ctl.enable("subject")
    running = begin(ctl, "subject", "sleep")
    old = begin(ctl, "subject", "ping")
    recent = begin(ctl, "subject", "ping")
    for job in (old, recent):
        ended(ctl, job["id"])
        written(fresh, job["id"])
    for each in (running, old):
        fresh.postgres.query(
            fresh.database,
            "UPDATE supervisor_jobs SET created_at = now() - interval '8 days'"
            f" WHERE id = '{each['id']}'",
        )
    eventually(lambda: row(fresh, old["id"]) == "", "the old one is removed")
    runs = [ctl.result("subject", "ping")["job"] for _ in range(8)]
    written(fresh, runs[-1])
    eventually(
        lambda: fresh.postgres.query(
            fresh.database, "SELECT count(*) FROM supervisor_jobs WHERE kind = 'run'"
        )
        == "5",
        "five runs are kept",
    )
    kept = fresh.postgres.query(
        fresh.database, "SELECT id FROM supervisor_jobs WHERE kind = 'run' ORDER BY id"
    )
    assert kept.split() == sorted(runs)[-5:]
    assert row(fresh, running["id"]) == "running"
    assert row(fresh, recent["id"]) == "succeeded"
    assert ctl("job", old["id"]).code == NOT_FOUND


def test_an_end_that_the_killed_supervisor_had_not_written_is_not_lost(fresh):
    """SIGKILL between the end of a job and its row: the worker has kept its result."""
    fresh.write("subject", ACTIONS)
    fresh.start_supervisor()
    fresh.ctl.enable("subject")
    jobs = [begin(fresh.ctl, "subject", "ping") for _ in range(3)]
    fresh.kill_supervisor()
    fresh.start_supervisor()
    for job in jobs:
        done = ended(fresh.ctl, job["id"])
        assert (done["state"], done["result"]) == ("succeeded", {"job": job["id"]})
