"""Settings and flags: stored in PostgreSQL, whoever writes them."""

import json

import pytest

from harness.ctl import NOT_FOUND, USAGE
from harness.processes import identity, is_alive
from harness.waiting import eventually

SUBJECT = """
class Plugin:
    fields = [
        {"id": "limit", "label": "Limit", "type": "number", "default": 5},
        {"id": "mode", "label": "Mode", "type": "select", "default": "safe",
         "options": [{"value": "safe", "label": "Safe"}, {"value": "fast", "label": "Fast"}]},
        {"id": "flag", "label": "Flag", "type": "boolean", "default": True},
    ]
    def run(self, action, params, context):
        return context["settings"]
"""


def prepare(installation):
    for key in ("subject", "switched", "other"):
        installation.write(key, SUBJECT)


@pytest.fixture(scope="module", autouse=True)
def enabled(ctl):
    ctl.enable("subject", "other")


def store(installation, key, assignment):
    """As the host's ORM would."""
    installation.sql(
        f"UPDATE plugins_pluginconfig SET {assignment}, updated_at = now() WHERE key = '{key}'"
    )


def test_stored_values_are_merged_over_the_fields_defaults(ctl):
    ctl("settings", "subject", "--replace", '{"limit": 9}').ok()
    assert ctl.result("subject", "x") == {"limit": 9, "mode": "safe", "flag": True}


def test_replacing_replaces_the_whole_object(ctl):
    ctl("settings", "subject", "--replace", '{"limit": 1, "mode": "fast"}').ok()
    ctl("settings", "subject", "--replace", '{"flag": false}').ok()
    assert ctl("settings", "subject").ok()["settings"] == {"flag": False}


def test_setting_one_value_leaves_the_others(ctl):
    ctl(
        "settings", "subject", "--replace", '{"limit": 1, "big": 123456789012345678901234567890}'
    ).ok()
    answer = ctl(
        "settings", "subject", "--set", "mode=fast", "limit=2", "text=not json", "list=[1,2]"
    ).ok()
    assert answer["settings"] == {
        "limit": 2,
        "big": 123456789012345678901234567890,
        "mode": "fast",
        "text": "not json",
        "list": [1, 2],
    }


def test_unknown_keys_are_kept_and_values_that_do_not_fit_are_warned_of(ctl):
    answer = ctl(
        "settings", "subject", "--replace", '{"limit": "many", "mode": "never", "mine": [1]}'
    )
    assert answer.ok()["settings"] == {"limit": "many", "mode": "never", "mine": [1]}
    warnings = " ".join(answer.data["warnings"])
    assert "limit" in warnings and "mode" in warnings
    assert "warning" in answer.err


def test_what_is_stored_is_the_hosts_row(ctl, installation):
    ctl("settings", "subject", "--replace", '{"limit": 3}').ok()
    row = installation.sql("SELECT settings FROM plugins_pluginconfig WHERE key = 'subject'")
    assert json.loads(row) == {"limit": 3}


@pytest.mark.parametrize("bad", ["[1]", '"text"', "{", "3"])
def test_settings_that_are_no_object_are_refused(ctl, bad):
    assert ctl("settings", "subject", "--replace", bad).code == USAGE


def test_settings_of_an_unknown_plugin_are_not_found(ctl):
    assert ctl("settings", "nobody", "--set", "a=1").code == NOT_FOUND
    assert ctl("settings", "nobody", "--replace", "{}").code == NOT_FOUND


def test_settings_that_another_client_writes_reach_the_running_plugin(ctl, installation):
    before = ctl.worker("subject")["pid"]
    store(installation, "subject", """settings = '{"limit": 77}'""")
    eventually(lambda: ctl.result("subject", "x")["limit"] == 77, "the new settings are seen")
    assert ctl.worker("subject")["pid"] == before, "it was not restarted for that"


def test_enabling_by_another_client_starts_the_plugin(ctl, installation):
    assert ctl.show("switched")["enabled"] is False
    store(installation, "switched", "enabled = true")
    ctl.await_state("switched", "running")
    assert ctl.result("switched", "x")["limit"] == 5


def test_disabling_by_another_client_leaves_no_process(ctl, installation):
    store(installation, "switched", "enabled = true")
    process = identity(ctl.await_state("switched", "running")["pid"])
    store(installation, "switched", "enabled = false")
    ctl.await_state("switched", "disabled")
    assert not is_alive(process)


def test_a_row_that_another_client_deletes_disables_the_plugin(ctl, installation):
    process = identity(ctl.enable("switched")[0]["worker"]["pid"])
    installation.sql("DELETE FROM plugins_pluginconfig WHERE key = 'switched'")
    eventually(lambda: not is_alive(process), "the worker has ended")
    eventually(lambda: not ctl.show("switched")["enabled"], "it is shown as disabled")


def test_enabling_is_remembered_as_ever_enabled(ctl, installation):
    ctl.enable("other")
    ctl.disable("other")
    shown = ctl.show("other")
    assert (shown["enabled"], shown["ever_enabled"]) == (False, True)
    row = installation.sql(
        "SELECT enabled, ever_enabled FROM plugins_pluginconfig WHERE key = 'other'"
    )
    assert row == "f|t"


def test_disabled_means_no_process(ctl):
    process = identity(ctl.enable("other")[0]["worker"]["pid"])
    assert process
    [shown] = ctl.disable("other")
    assert not is_alive(process), "it had ended before disable answered"
    assert shown["worker"] == {**shown["worker"], "state": "disabled", "pid": None}


def test_settings_of_a_disabled_plugin_are_kept_for_its_next_start(ctl):
    ctl.disable("other")
    ctl("settings", "other", "--replace", '{"limit": 11}').ok()
    ctl.enable("other")
    assert ctl.result("other", "x")["limit"] == 11
