"""Who has changed or controlled what: the audit trail, through pluginctl, REST and the database."""

import hashlib
import os
import pwd
import re
import time

import pytest

from harness.ctl import NOT_FOUND, NOT_READY, UNREACHABLE, USAGE
from harness.installation import Installation
from harness.postgres import Postgres
from harness.rest import refused
from harness.waiting import eventually

AUDIT = "/api/supervisor/audit/"
ME = pwd.getpwuid(os.getuid()).pw_name
CODE = """
import time

class Plugin:
    fields = [
        {"id": "url", "type": "string"},
        {"id": "login", "type": "string", "input_type": "password"},
    ]
    actions = [{"id": "wait"}, {"id": "greet"}]

    def run(self, action, params, context):
        if action == "wait":
            while not context["cancelled"]():
                time.sleep(0.02)
        return {"ok": True}
"""
MANIFEST = {"name": "Watched", "permissions": {"exec": ["ffmpeg"], "devices": ["dri"]}}


@pytest.fixture
def ctl(fresh):
    fresh.write("watched", CODE, MANIFEST)
    fresh.start_supervisor()
    return fresh.ctl


def audit(ctl, *more):
    return ctl("audit", *more).ok()["entries"]


def actions(entries):
    return [entry["action"] for entry in entries]


def stored(installation, columns="action", where="true"):
    rows = installation.sql(
        f"SELECT {columns} FROM supervisor_audit WHERE {where} ORDER BY id DESC"
    )
    return rows.splitlines()


def known_actions(ctl):
    """Those that pluginctl can be asked for."""
    return set(re.search(r"--action (\S+)", ctl.human("audit", "--help").stdout)[1].split("|"))


def test_everything_that_an_admin_does_is_recorded_newest_first(ctl, fresh):
    ctl("enable", "watched", "--grant").ok()
    ctl("settings", "watched", "--set", 'url="http://x"').ok()
    ctl("limits", "watched", "--memory", "100m").ok()
    ctl("permissions", "revoke", "watched", "devices").ok()
    ctl("permissions", "grant", "watched", "environment=TZ").ok()
    ctl("reload", "watched").ok()
    ctl("reload").ok()
    ctl.run("watched", "greet", {"secret": "in params"}).ok()
    job = ctl("run", "watched", "wait", "--background").ok()["id"]
    ctl("cancel", job).ok()
    ctl("doctor", "--attack", "watched")  # Without a sandbox much is open.
    for verb in ("restart", "stop", "start", "kill", "unquarantine", "disable"):
        ctl(verb, "watched").ok()

    entries = audit(ctl)
    assert actions(entries) == [
        *("disable", "unquarantine", "kill", "start", "stop", "restart", "attack", "cancel", "run",
          "run"),
        *("reload", "reload", "grant", "revoke", "options", "settings", "enable", "grant"),
    ]
    assert set(actions(entries)) == known_actions(ctl) - {"prune"}, "there is an untested action"
    assert all(entry["outcome"] == "done" and entry["reason"] is None for entry in entries)
    assert [entry["plugin"] for entry in entries if entry["plugin"] != "watched"] == [None]
    assert [entry["at"] for entry in entries] == sorted((e["at"] for e in entries), reverse=True)

    details = {}
    for entry in reversed(entries):
        details.setdefault(entry["action"], []).append(entry["details"])
    assert details["grant"] == [
        {"granted": ["exec=ffmpeg", "devices=dri"], "revoked": []},
        {"granted": ["environment=TZ"], "revoked": []},
    ]
    assert details["revoke"] == [{"granted": [], "revoked": ["devices=dri"]}]
    assert details["settings"] == [{"keys": ["url"]}]
    assert details["options"] == [{"set": {"memory_bytes": 100 << 20}}]
    assert details["cancel"] == [{"action": "wait", "job": job}]
    assert [run["action"] for run in details["run"]] == ["greet", "wait"]
    assert details["run"][1]["job"] == job
    jobs = {job["id"] for job in ctl("jobs").ok()["jobs"]}
    assert {run["job"] for run in details["run"]} == jobs
    assert "in params" not in fresh.sql("SELECT json_agg(a) FROM supervisor_audit AS a")


def test_pluginctl_names_the_user_and_for_whom(ctl, fresh, monkeypatch):
    monkeypatch.delenv("SUDO_USER", raising=False)
    ctl.enable("watched")
    monkeypatch.setenv("SUDO_USER", "alice")
    ctl.disable("watched")
    disabled, enabled = audit(ctl)
    assert enabled["actor"] == disabled["actor"] == ME
    assert enabled["origin"] == "pluginctl"
    assert enabled["on_behalf_of"] is None and disabled["on_behalf_of"] == "alice"
    assert enabled["client"] is None and enabled["request_id"] is None
    table = ctl.human("audit", "watched").stdout
    assert f"{ME} for alice" in table and "pluginctl" in table and "disable" in table


def test_the_gateway_names_the_token_but_not_what_it_is(ctl, fresh):
    rest = fresh.start_gateway().rest
    said = {"X-Requested-By": "Zoë".encode().decode("latin-1"), "X-Request-Id": "req-17"}
    rest.enable("watched").ok()
    rest.run("watched", "greet", headers=said).ok()
    ran, enabled = rest.get(AUDIT).ok()["entries"]
    name = "token:" + hashlib.sha256(fresh.token.encode()).hexdigest()[:8]
    assert ran["actor"] == enabled["actor"] == name
    assert ran["origin"] == "gateway" and ran["client"] == "127.0.0.1"
    assert ran["request_id"] == "req-17" and ran["on_behalf_of"] == "Zoë"
    assert enabled["request_id"] is None and enabled["on_behalf_of"] is None
    assert fresh.token not in fresh.sql("SELECT json_agg(a) FROM supervisor_audit AS a")
    rest.post("/api/supervisor/workers/watched/restart/").ok()
    assert rest.get(AUDIT).ok()["entries"][0]["action"] == "restart"


def test_no_value_of_a_setting_is_recorded(ctl, fresh):
    ctl.enable("watched")
    ctl("settings", "watched", "--set", 'login="hunter2"', "--set", 'url="http://y"').ok()
    ctl("settings", "watched", "--set", 'login="hunter3"').ok()
    assert [entry["details"] for entry in audit(ctl, "--action", "settings")] == [
        {"keys": ["login"]},
        {"keys": ["login", "url"]},
    ]
    everything = fresh.sql("SELECT json_agg(a) FROM supervisor_audit AS a")
    assert "hunter" not in everything and "http" not in everything


def test_what_is_refused_is_recorded_with_the_reason(ctl, fresh):
    rest = fresh.start_gateway().rest
    assert ctl("enable", "nobody").code == NOT_FOUND
    refused(rest.enable("nobody"), 404)
    assert ctl("kill", "watched").code == NOT_READY, "it is disabled"
    assert ctl("limits", "watched", "--sandbox", "nonsense=off").code == USAGE
    assert ctl("cancel", "nojob").code == NOT_FOUND
    entries = audit(ctl)
    assert [(e["action"], e["plugin"], e["outcome"], e["reason"]) for e in entries] == [
        ("cancel", None, "refused", "not_found"),
        ("options", "watched", "refused", "invalid_request"),
        ("kill", "watched", "refused", "plugin_disabled"),
        ("enable", "nobody", "refused", "plugin_not_found"),
        ("enable", "nobody", "refused", "plugin_not_found"),
    ]
    assert [entry["origin"] for entry in entries[3:]] == ["gateway", "pluginctl"]
    assert ctl.run("watched", "greet").code == NOT_READY
    assert len(audit(ctl)) == 5, "a run that did not begin is none"
    assert "refused: plugin_not_found" in ctl.human("audit").stdout


def test_no_acknowledged_change_is_lost_with_a_killed_supervisor(ctl, fresh):
    changes = [
        ("enable",),
        ("settings", "--set", "url=1"),
        ("limits", "--memory", "90m"),
        ("disable",),
    ]
    for number, (verb, *more) in enumerate(changes, 1):
        ctl(verb, "watched", *more).ok()
        fresh.kill_supervisor()
        assert len(stored(fresh)) == number, f"{verb} was acknowledged"
        fresh.start_supervisor()
        ctl.await_state("watched", "running", "disabled")
    assert stored(fresh) == ["disable", "options", "settings", "enable"]


def test_a_supervisor_that_ends_writes_down_what_waits(ctl, fresh):
    ctl.enable("watched")
    ctl("stop", "watched").ok()
    assert fresh.supervisor.terminate() == 0
    assert stored(fresh) == ["stop", "enable"]


def test_rows_wait_while_the_database_is_away():
    own = Postgres()
    made = Installation(own)
    try:
        made.write("watched", CODE, MANIFEST)
        made.start_supervisor()
        ctl = made.ctl
        ctl.enable("watched")
        own.stop()
        ctl("restart", "watched").ok()
        ctl.run("watched", "greet").ok()
        assert ctl("disable", "watched").code == UNREACHABLE
        assert ctl("audit").code == UNREACHABLE
        back_at = time.time()
        own.start()
        eventually(lambda: len(stored(made)) == 4, "all is written")
        disabled, *others = audit(ctl)
        assert actions(others) == ["run", "restart", "enable"]
        assert (disabled["action"], disabled["reason"]) == ("disable", "database_unavailable")
        assert float(stored(made, "extract(epoch FROM at)")[0]) < back_at
    finally:
        made.close()
        own.close()


def test_the_database_refuses_to_change_or_forget(ctl, fresh):
    ctl.enable("watched")
    for statement in (
        "UPDATE supervisor_audit SET actor = 'nobody'",
        "DELETE FROM supervisor_audit",
        "TRUNCATE supervisor_audit",
    ):
        with pytest.raises(RuntimeError, match="append-only"):
            fresh.sql(statement)
    assert stored(fresh) == ["enable"]


def test_pruning_removes_what_is_old_and_is_recorded(ctl, fresh):
    ctl.enable("watched")
    ctl.disable("watched")
    middle = fresh.sql("SELECT max(at) FROM supervisor_audit")
    assert fresh.sql(f"SELECT supervisor_audit_prune('{middle}')") == "1"
    pruned, disabled = audit(ctl)
    assert disabled["action"] == "disable"
    assert (pruned["action"], pruned["origin"], pruned["actor"]) == ("prune", "database", "postgres")
    assert pruned["details"]["rows"] == 1


def test_the_trail_is_searched_and_read_in_pages(ctl, fresh):
    fresh.write("other", CODE)
    ctl("reload").ok()
    rest = fresh.start_gateway().rest
    ctl.enable("watched", "other")
    ctl("restart", "other").ok()
    rest.run("watched", "greet").ok()
    assert actions(audit(ctl, "other")) == ["restart", "enable"]
    assert actions(audit(ctl, "--action", "run")) == ["run"]
    assert actions(audit(ctl, "--actor", ME, "-n", "2")) == ["restart", "enable"]
    assert audit(ctl, "--actor", "nobody") == []
    assert len(audit(ctl, "--since", "7d")) == 5
    eventually(lambda: audit(ctl, "--since", "1s") == [], "nothing happened lately")
    assert ctl("audit", "--action", "fly").code == USAGE
    assert ctl("audit", "--since", "soon").code == USAGE

    everything = rest.get(AUDIT).ok()["entries"]
    assert everything == audit(ctl)
    page = rest.get(AUDIT + "?limit=2").ok()["entries"]
    rest_of_it = rest.get(f"{AUDIT}?before={page[-1]['id']}").ok()["entries"]
    assert page + rest_of_it == everything
    assert audit(ctl, "--before", str(page[-1]["id"])) == rest_of_it
    assert rest.get(AUDIT + "?plugin=other&action=enable").ok()["entries"] == audit(
        ctl, "other", "--action", "enable"
    )
    assert rest.get(AUDIT + "?actor=nobody&since=3600").ok()["entries"] == []
    refused(rest.get(AUDIT + "?action=fly"), 400, "invalid_request")
    refused(rest.get(AUDIT + "?since=soon"), 400, "invalid_request")
    refused(rest.get(AUDIT, token=None), 401)
    refused(rest.post(AUDIT), 405)


def test_the_number_of_lost_entries_is_a_metric(ctl, fresh):
    rest = fresh.start_gateway().rest
    metrics = rest.get("/metrics").body.decode()
    assert re.search(r"^plugin_supervisor_audit_entries_lost_total 0$", metrics, re.M)
