"""What is found in the plugins directory, and that nothing of it is run."""

import os

import pytest

from harness.waiting import eventually

# Leaves a file behind wherever it is imported.
EXECUTED = """
import pathlib
pathlib.Path({mark!r}).touch()
class Plugin:
    name = "Told by the syntax tree"
    version = "3.1"
    description = "never run"
    fields = [{{"id": "n", "label": "N", "type": "number", "default": 5}}]
    actions = [{{"id": "go", "label": "Go"}}]
    def run(self, action, params, context):
        return {{}}
"""
PLAIN = """
class Plugin:
    def run(self, action, params, context):
        return {"status": "ok"}
"""
MANIFEST = {
    "name": "From the manifest",
    "version": "1.2.3",
    "description": "d",
    "author": "A",
    "help_url": "https://example.com/",
    "fields": [
        {"id": "limit", "label": "Limit", "type": "number", "default": 5},
        {"label": "no id", "type": "string"},
        {"id": "odd", "label": "Odd", "type": "no-such-type"},
        {"id": "bad_options", "label": "Bad", "type": "select", "options": ["x"]},
        {"id": "kept", "label": "Kept", "type": "string"},
    ],
    "actions": [
        {"id": "go", "label": "Go", "something_unknown": {"passes": "through"}},
        {"label": "no id"},
    ],
}


def prepare(installation):
    mark = str(installation.directory / "executed")
    installation.write(
        "My Plugin",
        EXECUTED.format(mark=mark),
        manifest=MANIFEST,
        files={"logo.png": b"\x89PNG\r\n\x1a\nnot much of a picture"},
    )
    installation.write("legacy", EXECUTED.format(mark=mark))
    installation.write("No-Name", PLAIN)
    installation.write("broken_manifest", PLAIN, manifest="{not json")
    installation.write("list_manifest", PLAIN, manifest="[]")
    installation.write("a_package", files={"__init__.py": EXECUTED.format(mark=mark)})
    installation.write("huge_manifest", PLAIN, manifest="{")
    os.truncate(installation.plugins_dir / "huge_manifest" / "plugin.json", 100 * 1000 * 1000)
    installation.write("deep_manifest", PLAIN, manifest='{"a":' + "[" * 200_000)
    installation.write("Same Key", PLAIN)
    installation.write("same_key", PLAIN)
    installation.write("k" * 129, PLAIN)
    (installation.plugins_dir / "circle").symlink_to("circle")
    (installation.plugins_dir / "no_code").mkdir()
    (installation.plugins_dir / "just_a_file").write_text("x")
    odd = os.fsencode(installation.plugins_dir) + b"/not-utf8-\xff"
    os.mkdir(odd)
    with open(odd + b"/plugin.py", "w") as file:
        file.write(PLAIN)


@pytest.fixture(scope="module")
def plugins(ctl):
    return ctl.list()


def complaint(plugin) -> str:
    """The reason code that the list shows for a plugin whose files are wrong."""
    told = plugin["load_error"] or plugin["worker"]["failure"]
    return told["code"] if told else ""


def test_key_is_the_folder_name_in_lower_case_with_underscores(plugins):
    assert "my_plugin" in plugins
    assert "no-name" in plugins, "hyphens stay"


def test_the_manifest_tells_the_metadata(plugins):
    shown = plugins["my_plugin"]
    for name in ("name", "version", "description", "author", "help_url"):
        assert shown[name] == MANIFEST[name]
    assert shown["legacy"] is False
    assert shown["has_logo"] is True


def test_invalid_entries_are_dropped_with_a_warning_and_the_rest_stay(plugins):
    shown = plugins["my_plugin"]
    assert [field["id"] for field in shown["fields"]] == ["limit", "kept"]
    assert [action["id"] for action in shown["actions"]] == ["go"]
    assert len(shown["warnings"]) >= 4


def test_unknown_keys_of_an_action_pass_through(plugins):
    assert plugins["my_plugin"]["actions"][0]["something_unknown"] == {"passes": "through"}


def test_a_legacy_plugin_is_described_by_its_syntax_tree(plugins):
    shown = plugins["legacy"]
    assert shown["legacy"] is True
    assert shown["name"] == "Told by the syntax tree"
    assert shown["version"] == "3.1"
    assert [field["id"] for field in shown["fields"]] == ["n"]
    assert [action["id"] for action in shown["actions"]] == ["go"]


def test_a_package_is_a_plugin(plugins):
    assert plugins["a_package"]["name"] == "Told by the syntax tree"


def test_no_code_is_executed_while_a_plugin_is_disabled(installation, plugins):
    assert all(not plugin["enabled"] for plugin in plugins.values())
    assert not (installation.directory / "executed").exists()


def test_a_plugin_without_a_name_is_called_as_its_folder(plugins):
    assert plugins["no-name"]["name"] == "No-Name"


@pytest.mark.parametrize("key", ["broken_manifest", "list_manifest"])
def test_a_manifest_that_is_not_an_object_makes_a_legacy_plugin_with_a_warning(plugins, key):
    assert plugins[key]["legacy"] is True
    assert plugins[key]["name"] == key
    assert any("plugin.json" in warning for warning in plugins[key]["warnings"])


@pytest.mark.parametrize("key", ["huge_manifest", "deep_manifest"])
def test_an_outrageous_manifest_is_a_clear_error_of_that_plugin_alone(plugins, key):
    shown = plugins[key]
    told = " ".join(shown["warnings"]) + str(shown["load_error"]) + str(shown["worker"]["failure"])
    assert "plugin.json" in told


def test_of_two_folders_with_one_key_the_first_is_used_and_the_other_is_told(plugins, ctl):
    assert complaint(plugins["same_key"]) == ""
    assert plugins["same_key"]["directory"].endswith("/Same Key")
    [other] = [plugin for plugin in plugins.values() if complaint(plugin) == "key_duplicate"]
    assert other["key"].startswith("same_key")
    assert other["directory"].endswith("/same_key")


def test_a_key_that_is_too_long_is_an_error_of_that_plugin_alone(plugins):
    long = [plugin for key, plugin in plugins.items() if key.startswith("kkkk")]
    assert len(long) == 1
    assert complaint(long[0]) == "key_invalid"


def test_a_folder_name_that_is_not_utf8_is_an_error_of_that_plugin_alone(plugins):
    odd = [plugin for key, plugin in plugins.items() if "not-utf8" in key]
    assert len(odd) == 1
    assert complaint(odd[0]) == "key_invalid"


def test_a_symlink_loop_is_told_and_harms_no_other(plugins):
    assert complaint(plugins["circle"]) == "symlink_loop"


def test_what_holds_no_code_is_no_plugin(plugins):
    assert "no_code" not in plugins
    assert "just_a_file" not in plugins


def test_all_others_can_be_enabled_all_the_same(ctl):
    for plugin in ctl.enable("my_plugin", "no-name", "broken_manifest"):
        assert plugin["worker"]["state"] == "running"
    ctl.disable("my_plugin", "no-name", "broken_manifest")


def test_a_plugin_that_is_dropped_in_appears_in_the_list(installation, ctl):
    installation.write("dropped_in", PLAIN)
    eventually(lambda: "dropped_in" in ctl.list(), "the new plugin is listed")


def test_changed_metadata_appears_in_the_list(installation, ctl):
    installation.write("changing", PLAIN, manifest={"name": "Before"})
    eventually(lambda: ctl.list().get("changing", {}).get("name") == "Before", "the old name")
    installation.write("changing", manifest={"name": "After", "version": "2"})
    eventually(lambda: ctl.list()["changing"]["name"] == "After", "the new name")


def test_a_plugin_whose_files_are_gone_is_listed_as_missing_after_the_others(installation, ctl):
    installation.write("aaa_goes", PLAIN, manifest={"name": "Goes away", "version": "9"})
    eventually(lambda: "aaa_goes" in ctl.list(), "it is listed")
    ctl("settings", "aaa_goes", "--set", "kept=1").ok()
    (installation.plugins_dir / "aaa_goes").rename(installation.directory / "aaa_goes")
    gone = eventually(
        lambda: (lambda p: p if p["missing"] else None)(ctl.list()["aaa_goes"]), "it is missing"
    )
    assert gone["worker"]["state"] == "missing"
    assert gone["name"] == "Goes away"
    assert gone["settings"] == {"kept": 1}
    assert list(ctl.list())[-1] == "aaa_goes"
    (installation.directory / "aaa_goes").rename(installation.plugins_dir / "aaa_goes")
    eventually(lambda: not ctl.list()["aaa_goes"]["missing"], "it is back")


def test_a_running_plugin_whose_files_go_is_stopped(installation, ctl):
    installation.write("running_goes", PLAIN)
    eventually(lambda: "running_goes" in ctl.list(), "it is listed")
    ctl.enable("running_goes")
    (installation.plugins_dir / "running_goes").rename(installation.directory / "running_goes")
    # Noticed when the list is fetched.
    worker = eventually(
        lambda: (lambda p: p["worker"] if p["missing"] else None)(ctl.list()["running_goes"]),
        "missing",
    )
    ctl.await_state("running_goes", "missing")
    assert ctl.worker("running_goes")["pid"] is None
    assert worker is not None


def test_every_plugin_has_its_row_in_the_hosts_table(installation, plugins):
    rows = installation.sql(
        "SELECT key, name, version, enabled FROM plugins_pluginconfig ORDER BY key"
    )
    assert "my_plugin|From the manifest|1.2.3|f" in rows.splitlines()
