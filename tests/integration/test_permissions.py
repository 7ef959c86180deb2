"""What plugins ask for, what an admin grants, and what is remembered of it."""

import shutil

import pytest

from harness.ctl import NOT_FOUND, NOT_READY, USAGE
from harness.waiting import eventually

CODE = """
class Plugin:
    def run(self, action, params, context):
        return {"ok": True}
"""
ASKS = {"network": {"listen": [9192]}, "exec": ["ffmpeg"], "limits": {"memory_mb": 200}}


def manifest(permissions):
    return {"name": "Asks", "permissions": permissions}


@pytest.fixture
def ctl(fresh):
    fresh.write("asks", CODE, manifest(ASKS))
    fresh.write("quiet", CODE, {"name": "Quiet"})
    fresh.start_supervisor()
    return fresh.ctl


def permissions(ctl, key="asks"):
    return ctl("permissions", "show", key).ok()["permissions"]


def test_what_a_plugin_asks_for_is_shown_and_not_granted(ctl):
    shown = permissions(ctl)
    assert shown["asked"] == shown["waiting"] == ASKS
    assert shown["granted"] is None and shown["effective"] == {}
    assert permissions(ctl, "quiet")["asked"] is None
    answer = ctl.human("enable", "asks")
    assert answer.returncode == 0
    assert "it asks for more than it has been granted" in answer.stderr
    assert "network.listen=9192, exec=ffmpeg, limits.memory_mb=200" in answer.stderr
    assert permissions(ctl)["effective"] == {}
    assert ctl.human("enable", "quiet").stderr == ""


def test_enabling_can_grant_all_that_is_asked(ctl, fresh):
    assert ctl("enable", "asks", "--grant").ok()["plugin"]["permissions"]["effective"] == ASKS
    shown = permissions(ctl)
    assert shown["granted"] == ASKS and shown["waiting"] is None
    assert shown["granted_by"] and shown["granted_at"] and not shown["outdated"]
    assert ctl("limits", "asks").ok()["limits"]["memory_bytes"]["limit"] == 200 << 20
    assert ctl("enable", "quiet", "--grant").ok()["plugin"]["permissions"]["granted"] is None


def test_a_grant_waits_for_a_plugin_whose_files_come_back_later(ctl, fresh, tmp_path):
    ctl("permissions", "grant", "asks", "--all").ok()
    ctl("limits", "asks", "--processes", "64").ok()
    fresh.supervisor.terminate()
    away = tmp_path / "asks"
    shutil.move(fresh.plugins_dir / "asks", away)
    fresh.sql("DELETE FROM plugins_pluginconfig WHERE key = 'asks'")
    fresh.start_supervisor()
    assert ctl("permissions", "show", "asks").code == NOT_FOUND  # Nothing is left but these.
    shutil.move(away, fresh.plugins_dir / "asks")
    ctl("reload").ok()
    assert permissions(ctl)["granted"] == ASKS
    assert ctl("limits", "asks").ok()["options"]["processes"] == 64


def test_a_grant_outlives_the_supervisor_and_its_worker_keeps_what_it_has(ctl, fresh):
    ctl("enable", "asks", "--grant").ok()
    pid = ctl.worker("asks")["pid"]
    fresh.kill_supervisor()
    fresh.start_supervisor()
    eventually(lambda: ctl.worker("asks")["state"] == "running", "it is taken over")
    assert ctl.worker("asks")["pid"] == pid
    assert permissions(ctl)["granted"] == permissions(ctl)["effective"] == ASKS
    ctl("permissions", "revoke", "asks", "exec").ok()
    fresh.kill_supervisor()
    fresh.start_supervisor()
    eventually(lambda: ctl.worker("asks")["state"] == "running", "it is taken over")
    shown = permissions(ctl)
    assert shown["effective"] == ASKS and shown["outdated"], "as its worker was started with"
    assert "exec" not in shown["granted"]


def test_permissions_are_granted_and_revoked_one_by_one(ctl):
    ctl.enable("asks")
    shown = ctl("permissions", "grant", "asks", "network.listen=9192", "devices=dri").ok()
    shown = shown["permissions"]
    assert shown["granted"] == {"network": {"listen": [9192]}, "devices": ["dri"]}
    assert shown["waiting"] == {"exec": ["ffmpeg"], "limits": {"memory_mb": 200}}
    assert shown["outdated"] and shown["effective"] == {}
    pid = ctl.worker("asks")["pid"]
    shown = ctl("permissions", "revoke", "asks", "devices", "--now").ok()["permissions"]
    assert shown["effective"] == shown["granted"] == {"network": {"listen": [9192]}}
    assert not shown["outdated"] and ctl.worker("asks")["pid"] != pid
    shown = ctl("permissions", "revoke", "asks", "--all").ok()["permissions"]
    assert shown["granted"] == {}
    text = ctl.human("permissions", "show", "asks").stdout
    assert "network.listen=9192" in text and "pluginctl permissions grant asks --all" in text
    assert "pluginctl restart asks" in text


def test_a_permission_that_makes_no_sense_is_refused_and_changes_nothing(ctl):
    ctl("permissions", "grant", "asks", "--all").ok()
    for wrong in ("network.listen=x", "network.listen=70000", "nothing=1", "exec", "filesystem.read=a"):
        answer = ctl("permissions", "grant", "asks", wrong)
        assert (answer.code, answer.data["code"]) == (USAGE, "invalid_request"), wrong
    assert ctl("permissions", "revoke", "asks", "devices").code == USAGE
    assert ctl("permissions", "grant", "asks").code == USAGE
    assert ctl("permissions", "show", "asks", "--all").code == USAGE
    assert ctl("permissions", "show", "nobody").code == NOT_FOUND
    assert permissions(ctl)["granted"] == ASKS


def test_an_update_that_asks_for_more_needs_consent_again(ctl, fresh):
    ctl("enable", "asks", "--grant").ok()
    more = {**ASKS, "exec": ["ffmpeg", "yt-dlp"]}
    fresh.write("asks", CODE, manifest(more))
    ctl("reload", "asks").ok()
    shown = permissions(ctl)
    assert shown["asked"] == more and shown["effective"] == ASKS
    assert shown["waiting"] == {"exec": ["yt-dlp"]}
    ctl("enable", "asks", "--grant").ok()
    assert permissions(ctl)["granted"] == more


def test_a_mistake_in_permissions_refuses_the_start_and_names_its_place(ctl, fresh):
    fresh.write("asks", CODE, manifest({"network": {"listen": [9192, "http"]}}))
    ctl("reload").ok()
    message = "permissions.network.listen[1] must be a whole number"
    answer = ctl("enable", "asks")
    assert (answer.code, answer.data["code"]) == (NOT_READY, "permissions_invalid")
    assert message in answer.data["error"] and "plugin.json" in answer.data["hint"]
    plugin = ctl.show("asks")
    assert plugin["worker"]["state"] == "load_failed" and plugin["worker"]["pid"] is None
    assert any(message in warning for warning in plugin["warnings"])
    assert ctl("enable", "asks", "--grant").data["code"] == "permissions_invalid"
    ctl.enable("quiet")
    fresh.write("asks", CODE, manifest(ASKS))
    ctl("reload").ok()
    assert ctl.await_state("asks", "running")["pid"]


def test_permissions_that_are_no_object_are_a_mistake_too(ctl, fresh):
    fresh.write("asks", CODE, manifest(["network"]))
    ctl("reload").ok()
    assert "permissions must be an object" in ctl("enable", "asks").data["error"]


def test_a_profile_says_what_plugins_may_do_that_ask_for_nothing(fresh):
    profiles = fresh.directory / "profiles.toml"
    profiles.write_text('[profile.standalone.permissions]\nexec = ["ffprobe"]\n')
    fresh.write("asks", CODE, manifest(ASKS))
    fresh.write("quiet", CODE, {"name": "Quiet"})
    fresh.start_supervisor(profiles=profiles)
    ctl = fresh.ctl
    assert permissions(ctl, "quiet")["effective"] == {"exec": ["ffprobe"]}
    assert permissions(ctl)["effective"] == {}
    # An admin's word begins at what the plugin has.
    shown = ctl("permissions", "grant", "quiet", "devices=dri").ok()["permissions"]
    assert shown["granted"] == {"exec": ["ffprobe"], "devices": ["dri"]}
    assert ctl("permissions", "revoke", "quiet", "--all").ok()["permissions"]["effective"] == {}


def test_permissions_over_rest(ctl, fresh):
    rest = fresh.start_gateway().rest
    path = "/api/supervisor/workers/asks/permissions/"
    answer = rest.get(path)
    assert answer.status == 200 and answer.data["permissions"]["asked"] == ASKS
    answer = rest(
        "PUT", path, {"network": {"listen": [9192]}}, headers={"X-Requested-By": "carol"}
    )
    assert answer.status == 200
    assert answer.data["permissions"]["granted"] == {"network": {"listen": [9192]}}
    assert answer.data["permissions"]["granted_by"] == "api:carol"
    for wrong in ({"network": {"listen": ["x"]}}, ["x"], None):
        answer = rest("PUT", path, wrong)
        assert (answer.status, answer.data["code"]) == (400, "invalid_request"), wrong
    assert rest.get("/api/supervisor/workers/nobody/permissions/").status == 404
    enabled = rest.post(
        "/api/plugins/plugins/asks/enabled/", {"enabled": True, "grant": "asked"}
    ).data
    assert enabled["plugin"]["permissions"]["effective"] == ASKS
    assert rest.get("/api/plugins/plugins/").data["plugins"][0]["permissions"]["waiting"] is None


def test_a_grant_of_what_is_not_there_is_told(ctl, fresh):
    there, absent = fresh.directory / "there", fresh.directory / "absent"
    there.mkdir()
    grants = [f"filesystem.write={there}", f"filesystem.read={absent}"]
    ctl("permissions", "grant", "quiet", *grants).ok()
    ctl.enable("quiet")
    told = [line["text"] for line in ctl.logs("quiet")]
    assert f"it was granted {absent}, which is not there" in told
    assert not any(str(there) in text for text in told)
