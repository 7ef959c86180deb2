"""start, stop, restart, kill, unquarantine and why; what crashes lead to; what outlives a daemon."""

import pytest

from harness.ctl import NOT_FOUND, NOT_READY, USAGE
from harness.processes import identity, is_alive
from harness.rest import refused
from harness.waiting import eventually

CRASHES = """
import os, signal
class Plugin:
    def __init__(self):
        print("constructed", flush=True)
    def run(self, action, params, context):
        if action == "crash":
            print("about to crash", flush=True)
            os.kill(os.getpid(), signal.SIGSEGV)
        if action == "exit":
            os._exit(params.get("code", 0))
        return {"pid": os.getpid()}
    def stop(self, context):
        context["logger"].info("stop was called for %s", context["reason"])
"""
FLAGS = {
    "restart_first_delay": "100ms",
    "restart_max_delay": "400ms",
    "quarantine_after": "3",
    "quarantine_period": "10m",
}
KEYS = [f"plugin_{n}" for n in range(8)]


def prepare(installation):
    for key in KEYS:
        installation.write(key, CRASHES)


def crash(ctl, key, action="crash", params=None):
    """Crashes it once it runs, and waits until that was noticed."""
    worker = ctl.await_state(key, "running")
    answer = ctl.run(key, action, params)
    assert answer.code != 0
    eventually(
        lambda: ctl.worker(key)["restarts"] > worker["restarts"]
        or ctl.worker(key)["state"] in ("quarantined", "stopped"),
        "the crash is counted",
    )


def quarantine(ctl, key):
    ctl.enable(key)
    for _ in range(3):
        crash(ctl, key)
    return ctl.await_state(key, "quarantined")


def test_a_plugin_that_crashes_too_often_is_quarantined_and_says_why(ctl):
    key = KEYS[0]
    worker = quarantine(ctl, key)
    assert worker["pid"] is None
    assert worker["reason"] == "quarantined"
    assert "3 times within 600 s" in worker["failure"]["message"]
    assert worker["failure"]["signal"] == "SIGSEGV"
    assert "about to crash" in worker["failure"]["evidence"]
    refused = ctl.run(key, "x")
    assert refused.code == NOT_READY
    assert refused.data["code"] == "quarantined"
    assert "unquarantine" in refused.data["error"] + refused.data.get("hint", "")


def test_unquarantine_starts_it_again_and_forgets(ctl):
    key = KEYS[1]
    quarantine(ctl, key)
    plugin = ctl("unquarantine", key).ok()["plugin"]
    assert plugin["worker"]["state"] == "running"
    crash(ctl, key)
    assert ctl.await_state(key, "running"), "the first crash is the first again"


def test_switching_it_off_and_on_clears_a_quarantine(ctl):
    key = KEYS[2]
    quarantine(ctl, key)
    ctl.disable(key)
    assert ctl.enable(key)[0]["worker"]["state"] == "running"


def test_unquarantine_leaves_a_running_plugin_alone(ctl):
    before = ctl.enable(KEYS[3])[0]["worker"]["pid"]
    assert ctl("unquarantine", KEYS[3]).ok()["plugin"]["worker"]["pid"] == before


def test_stop_ends_it_until_start_and_calls_are_told(ctl):
    key = KEYS[3]
    process = identity(ctl.enable(key)[0]["worker"]["pid"])
    plugin = ctl("stop", key).ok()["plugin"]
    assert plugin["enabled"] is True
    assert plugin["worker"]["state"] == "stopped"
    assert not is_alive(process)
    assert plugin["worker"]["last_stop"]["forced"] is False
    assert plugin["worker"]["last_stop"]["steps"] == ["stop"]
    ctl.await_log(key, "stop was called for stop")
    refused = ctl.run(key, "x")
    assert refused.code == NOT_READY
    assert "start" in refused.data["hint"]
    assert ctl("stop", key).ok()["plugin"]["worker"]["state"] == "stopped", "twice does no harm"
    assert ctl("start", key).ok()["plugin"]["worker"]["state"] == "running"
    assert ctl.result(key, "x")["pid"]


def test_start_leaves_a_running_plugin_alone(ctl):
    before = ctl.enable(KEYS[3])[0]["worker"]["pid"]
    assert ctl("start", KEYS[3]).ok()["plugin"]["worker"]["pid"] == before


def test_restart_stops_it_in_order_and_starts_it(ctl):
    key = KEYS[4]
    before = ctl.enable(key)[0]["worker"]
    after = ctl("restart", key).ok()["plugin"]["worker"]
    assert after["state"] == "running"
    assert after["pid"] != before["pid"]
    assert after["generation"] == before["generation"] + 1
    assert after["restarts"] == before["restarts"], "this was no crash"
    ctl.await_log(key, "stop was called for restart")


def test_kill_ends_it_without_stop_and_counts_no_crash(ctl):
    key = KEYS[5]
    before = ctl.enable(key)[0]["worker"]
    after = ctl("kill", key).ok()["plugin"]["worker"]
    assert after["state"] == "running"
    assert after["pid"] != before["pid"]
    assert after["last_stop"]["steps"] == ["sigkill"]
    assert after["last_stop"]["reason"] == "kill"
    assert after["last_crash"] is None
    assert after["restarts"] == before["restarts"]


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "kill", "unquarantine"])
def test_unknown_and_disabled_plugins_are_refused(ctl, verb):
    assert ctl(verb, "nobody").code == NOT_FOUND
    answer = ctl(verb, KEYS[6])
    assert answer.code not in (0, USAGE)
    assert answer.data["code"] == "plugin_disabled"


def test_kill_of_a_stopped_plugin_says_that_there_is_nothing_to_kill(ctl):
    key = KEYS[5]
    ctl.enable(key)
    ctl("stop", key).ok()
    answer = ctl("kill", key)
    assert answer.code == NOT_FOUND
    assert "no worker to kill" in answer.data["error"]
    ctl("start", key).ok()


def test_a_crash_loop_of_one_delays_no_call_of_another(ctl):
    quarantine(ctl, KEYS[7])
    ctl.enable(KEYS[4])
    assert ctl.result(KEYS[4], "x")["pid"]


def test_why_tells_the_story_of_a_crash(ctl):
    key = KEYS[0]
    if ctl.worker(key)["state"] != "quarantined":
        quarantine(ctl, key)
    told = ctl("why", key).ok()
    assert told["state"] == "quarantined"
    assert told["next_step"]
    assert [e for e in told["events"] if e["to"] == "running"]
    crashed = [e for e in told["events"] if e["failure"] and e["to"] == "quarantined"]
    assert crashed[-1]["failure"]["signal"] == "SIGSEGV"
    text = ctl.human("why", key).stdout
    assert f"{key} is quarantined" in text
    assert "about to crash" in text
    assert f"pluginctl unquarantine {key}" in text
    assert ctl("why", "nobody").code == NOT_FOUND


def test_the_steps_of_a_start_are_told(ctl):
    ctl.enable(KEYS[4])
    steps = ctl("why", KEYS[4]).ok()["worker"]["start_steps"]
    assert set(steps) == {
        "fork_ms", "attach_ms", "import_ms", "construct_ms", "ready_ms", "total_ms"
    }
    parts = sum(ms for name, ms in steps.items() if name != "total_ms")
    assert steps["total_ms"] > 0
    assert abs(parts - steps["total_ms"]) < 0.1
    assert "imported" in ctl.human("why", KEYS[4]).stdout


def test_rest_controls_workers_and_explains_them(ctl, installation):
    key = KEYS[4]
    ctl.enable(key)
    rest = installation.start_gateway().rest
    base = "/api/supervisor/workers/"
    rows = {row["key"]: row["worker"] for row in rest.get(base).ok()["workers"]}
    assert rows[key]["state"] == "running"
    stopped = rest.post(f"{base}{key}/stop/").ok()
    assert stopped["success"] is True
    assert stopped["plugin"]["worker"]["state"] == "stopped"
    told = rest.get(f"{base}{key}/").ok()
    assert told["worker"]["state"] == "stopped"
    assert f"pluginctl start {key}" in told["next_step"]
    assert told["events"][-1]["to"] == "stopped"
    for verb in ("start", "restart", "kill", "unquarantine"):
        plugin = rest.post(f"{base}{key}/{verb}").ok()["plugin"]
        assert plugin["worker"]["state"] == "running", verb
    assert "Thread 0x" in rest.post(f"{base}{key}/dump-stacks/").ok()["stacks"]
    refused(rest.post(f"{base}nobody/stop/"), 404, "plugin_not_found")
    refused(rest.get(f"{base}nobody/"), 404, "plugin_not_found")
    refused(rest.get(f"{base}{key}/stop/"), 405, "method_not_allowed")
    refused(rest.post(f"{base}{key}/stop/", token=None), 401, "unauthenticated")
    refused(rest.post(f"{base}{key}/fly/"), 404, "not_found")
    refused(rest.post(f"{base}{KEYS[6]}/stop/"), 403, "plugin_disabled")


def test_quarantine_and_generations_outlive_the_daemon(fresh):
    fresh.write("loops", CRASHES)
    fresh.start_supervisor(**FLAGS)
    before = quarantine(fresh.ctl, "loops")
    fresh.supervisor.terminate()
    fresh.start_supervisor(**FLAGS)
    after = fresh.ctl.await_state("loops", "quarantined")
    assert after["failure"]["signal"] == "SIGSEGV"
    again = fresh.ctl("start", "loops").ok()["plugin"]["worker"]
    assert again["generation"] > before["generation"]


def test_a_killed_daemon_remembers_a_quarantine(fresh):
    fresh.write("loops", CRASHES)
    fresh.start_supervisor(**FLAGS)
    quarantine(fresh.ctl, "loops")
    rows = "SELECT count(*) FROM supervisor_crash_ledger WHERE quarantined_at IS NOT NULL"
    eventually(lambda: fresh.sql(rows) == "1", "it is written")
    fresh.kill_supervisor()
    fresh.start_supervisor(**FLAGS)
    assert fresh.ctl.await_state("loops", "quarantined")


def test_a_quarantine_is_remembered_in_whatever_order_the_database_answers(fresh):
    fresh.write("loops", CRASHES)
    fresh.start_supervisor(**FLAGS)
    before = quarantine(fresh.ctl, "loops")
    fresh.supervisor.terminate()
    with fresh.postgres.locked(fresh.database, "supervisor_jobs", 2):
        # It waits for the jobs, and is told of all rows meanwhile.
        fresh.start_supervisor(**FLAGS)
    fresh.ctl.await_state("loops", "quarantined")
    again = fresh.ctl("start", "loops").ok()["plugin"]["worker"]
    assert again["generation"] > before["generation"]
    assert "to=missing" not in fresh.supervisor.log()


def test_a_quarantine_outlives_the_absence_of_the_files(fresh):
    fresh.write("loops", CRASHES)
    fresh.start_supervisor(**FLAGS)
    quarantine(fresh.ctl, "loops")
    fresh.supervisor.terminate()
    (fresh.plugins_dir / "loops").rename(fresh.directory / "loops")
    fresh.start_supervisor(**FLAGS)
    fresh.ctl.await_state("loops", "missing")
    (fresh.directory / "loops").rename(fresh.plugins_dir / "loops")
    eventually(lambda: fresh.ctl.list()["loops"]["worker"]["state"] == "quarantined", "as before")


def test_backoff_shows_the_next_attempt_and_outlives_the_daemon(fresh):
    fresh.write("loops", CRASHES)
    flags = {"restart_first_delay": "60s", "restart_max_delay": "60s"}
    fresh.start_supervisor(**flags)
    fresh.ctl.enable("loops")
    crash(fresh.ctl, "loops")
    crash(fresh.ctl, "loops")
    waiting = fresh.ctl.await_state("loops", "backoff")
    assert waiting["next_start_at"]
    fresh.supervisor.terminate()
    fresh.start_supervisor(**flags)
    after = fresh.ctl.await_state("loops", "backoff")
    assert after["next_start_at"][:19] == waiting["next_start_at"][:19]
    assert fresh.ctl("start", "loops").ok()["plugin"]["worker"]["state"] == "running"


def test_on_failure_leaves_a_worker_ended_that_exited_with_0(fresh):
    fresh.write("loops", CRASHES)
    fresh.start_supervisor(restart="on-failure")
    fresh.ctl.enable("loops")
    crash(fresh.ctl, "loops", "exit", {"code": 3})
    fresh.ctl.await_state("loops", "running")
    fresh.ctl.run("loops", "exit", {"code": 0})
    ended = fresh.ctl.await_state("loops", "stopped")
    assert ended["failure"]["code"] == "worker_exited"
    assert fresh.ctl("start", "loops").ok()["plugin"]["worker"]["state"] == "running"


def test_never_leaves_every_worker_ended(fresh):
    fresh.write("loops", CRASHES)
    fresh.start_supervisor(restart="never")
    fresh.ctl.enable("loops")
    fresh.ctl.run("loops", "crash")
    assert fresh.ctl.await_state("loops", "stopped")["failure"]["signal"] == "SIGSEGV"
