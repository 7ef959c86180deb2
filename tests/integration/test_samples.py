"""The sample plugins side by side in one supervisor: each does what its README line says."""

import json

import pytest

from harness.installation import PLUGINS as DIRECTORY
from harness.processes import identity, is_alive, seen_from_here
from harness.waiting import eventually

SAMPLES = sorted(path.name for path in (DIRECTORY / "samples").iterdir() if path.is_dir())
KEYS = [name.lower().replace(" ", "_") for name in SAMPLES]
PLUGINS = [f"samples/{name}" for name in SAMPLES]
FLAGS = {"stop_timeout": "10s"}


@pytest.fixture(scope="module", autouse=True)
def before(ctl):
    """What was listed while all were disabled; then all are enabled at once."""
    listed = ctl.list()
    ctl.enable(*KEYS)
    return listed


def test_every_sample_runs_in_a_process_of_its_own(ctl):
    workers = [row for row in ctl("workers").ok()["workers"]]
    assert {row["state"] for row in workers} == {"running"}
    assert len({row["pid"] for row in workers}) == len(SAMPLES)


def test_a_legacy_plugin_tells_its_literal_attributes_before_it_is_enabled(before):
    shown = before["legacy_literal"]
    assert (shown["name"], shown["version"]) == ("Legacy Literal", "0.9.1")
    assert [field["id"] for field in shown["fields"]] == ["limit", "secret"]
    assert shown["actions"][0]["confirm"] is True


def test_packages_and_fallbacks_find_the_class(ctl):
    told = ctl.result("package_only", "x")
    assert told["module"] == "_dispatcharr_plugin_package_only.core"
    assert told["package"] == "_dispatcharr_plugin_package_only"
    assert ctl.run("both_files", "x").code == 0


def test_imports_with_a_dot_and_by_the_folders_name_find_the_same_modules(ctl):
    told = ctl.result("relative_imports", "x", {"name": "you"})
    assert told["module"] == "_dispatcharr_plugin_relative_imports.plugin"
    assert told["helpers"] == "_dispatcharr_plugin_relative_imports.helpers"
    assert told["answer"] and told["rows"]
    told = ctl.result("alias_import", "x")
    assert told["same_module"] and told["same_class"]


@pytest.mark.parametrize(
    "key, module",
    [
        ("my_plugin-2", "_dispatcharr_plugin_my_plugin_2.plugin"),
        ("7digits_first", "_dispatcharr_plugin_p_7digits_first.plugin"),
        ("json", "_dispatcharr_plugin_json.plugin"),
    ],
)
def test_folder_names_that_are_no_module_names_have_safe_ones(ctl, key, module):
    assert ctl.result(key, "x")["module"] == module


def test_a_folder_called_json_leaves_json_to_everyone_else(ctl):
    assert ctl.result("json", "x")["dumped"] == "[1, 2]"


def test_the_manifest_fills_an_empty_class_and_the_class_wins(ctl):
    shown = ctl.show("manifest_over_empty_class")
    assert (shown["name"], shown["version"]) == ("Manifest Over Empty Class", "5.0")
    told = ctl.result("manifest_over_empty_class", "show")
    assert told["settings"] == {"colour": "green"}
    assert told["actions"] == ["show"]


def test_wrong_entries_are_dropped_before_and_after_loading(ctl, before):
    for shown in (before["invalid_entries"], ctl.show("invalid_entries")):
        assert [field["id"] for field in shown["fields"]] == ["good", "also_good"]
        assert shown["fields"][1]["x-own-key"] == {"kept": [1, 2.5]}
        assert "run_it" in [action["id"] for action in shown["actions"]]
        assert len(shown["warnings"]) >= 4
    assert ctl.result("invalid_entries", "run_it")["settings"] == {
        "good": "kept",
        "also_good": True,
    }


def test_a_broken_manifest_is_a_legacy_plugin_that_runs(ctl):
    assert ctl.show("broken_manifest")["legacy"] is True
    assert ctl.result("broken_manifest", "ping")["message"] == "pong"


def test_fields_that_are_computed_follow_the_settings(ctl):
    ctl.result("dynamic_fields", "add", {"name": "second"})
    ctl("settings", "dynamic_fields", "--set", "first=changed").ok()
    eventually(
        lambda: "second" in [f["id"] for f in ctl.show("dynamic_fields")["fields"]], "the new field"
    )
    settings = ctl.result("dynamic_fields", "settings")["settings"]
    assert settings["first"] == "changed"
    assert settings["second"] == "second default"


def test_the_context_has_its_parts(ctl):
    told = ctl.result("context_reader", "x", {"a": 1})
    assert {"settings", "logger", "actions", "plugin", "emit_event"} <= set(told["keys"])
    assert told["plugin"]["key"] == "context_reader"
    assert told["params"] == {"a": 1}


def test_a_worker_starts_with_a_clean_environment_and_no_stray_descriptors(ctl, installation):
    told = ctl.result("context_reader", "environment")
    text = json.dumps(told["environment"])
    assert installation.database_url not in text and installation.token not in text
    assert not {"DATABASE_URL", "PLUGIN_SUPERVISOR_SOCKET", "HOME_SECRET"} & set(
        told["environment"]
    )
    assert told["path"][-1] == str(installation.plugins_dir)


def test_calls_overlap_and_the_first_is_on_the_main_thread(ctl):
    ctl.result("main_thread", "reset")
    first = ctl.begin_run("main_thread", "hold", {"seconds": 30})
    ctl.await_in_flight("main_thread", 1)
    second = ctl.result("main_thread", "x")
    ctl.result("main_thread", "release")
    held = first.answer().ok()
    assert (held["is_main"], held["imported_on_main"], held["constructed_on_main"]) == (True,) * 3
    assert second["is_main"] is False
    assert ctl.result("main_thread", "signal")["is_main"] is True


def test_a_poll_is_answered_during_a_long_action(ctl):
    long = ctl.begin_run("slow", "work", {"seconds": 30})
    eventually(lambda: ctl.result("slow", "status")["progress"] > 0, "progress is seen")
    ctl.result("slow", "cancel")
    assert long.answer().ok()["status"] == "cancelled"


@pytest.mark.parametrize(
    "action, expected",
    [
        ("text", {"status": "ok", "result": "just text"}),
        ("none", {"status": "ok", "result": None}),
        ("tuple", {"status": "ok", "result": [1, [2, 3]]}),
        ("big_int", {"status": "ok", "result": 123456789012345678901234567890}),
        ("float", {"status": "ok", "result": 0.1}),
        ("dict", {"anything": "goes", "without": "status"}),
        ("queued", {"status": "queued", "message": "started"}),
        ("error", {"status": "error", "message": "did not work", "error": "did not work"}),
        ("unicode", {"message": 'grüße, 日本, 𝄞, \0, \u2028, "quoted" \\ \n'}),
    ],
)
def test_each_kind_of_result_arrives(ctl, action, expected):
    assert ctl.result("results", action) == expected


def test_params_keep_their_types(ctl):
    params = {"i": 1, "f": 1.0, "t": "x", "b": True, "n": None, "l": [], "o": {}}
    assert ctl.result("results", "echo", params)["types"] == {
        "i": "int",
        "f": "float",
        "t": "str",
        "b": "bool",
        "n": "NoneType",
        "l": "list",
        "o": "dict",
    }


@pytest.mark.parametrize("size", [1, 1000, 1_000_000, 8_000_000])
def test_results_of_every_size_arrive(ctl, size):
    assert len(ctl.result("results", "sized", {"bytes": size})["data"]) == size


def test_state_lives_between_calls_and_ends_with_the_process(ctl):
    first = ctl.result("counter", "add", {"by": 5})
    assert ctl.result("counter", "add")["count"] == first["count"] + 1
    ctl("reload", "counter").ok()
    after = ctl.result("counter", "x")
    assert (after["count"], after["total"]) == (0, 0)
    assert after["pid"] != first["pid"]


def test_threads_of_the_constructor_run_between_calls(ctl):
    assert ctl.result("threads_in_init", "x") == {"status": "ok", "grew": True, "alive": True}
    ctl.await_log("threads_in_init", "the thread of __init__ ticks")


def test_programs_of_a_plugin_run_and_end_with_it(ctl):
    assert ctl.result("subprocess_user", "echo")["output"] == "hello\n"
    assert ctl.result("subprocess_user", "python")["output"] == "3\n"
    assert ctl.result("subprocess_user", "fail")["code"] == 7
    inside = ctl.result("subprocess_user", "start")["pid"]
    child = identity(seen_from_here(inside, ctl.worker("subprocess_user")["pid"]))
    assert is_alive(child)
    ctl.disable("subprocess_user")
    assert not is_alive(child)


@pytest.mark.parametrize(
    "action, text",
    [
        ("print", "print"),
        ("error", "error"),
        ("child", "printed by a child"),
        ("raw", "raw "),
        ("escapes", "red"),
    ],
)
def test_whatever_is_printed_is_logged_and_disturbs_no_answer(ctl, action, text):
    assert ctl.result("prints", action) == {"status": "ok", "action": action}
    ctl.await_log("prints", text)


def test_a_line_without_an_end_is_logged_when_the_plugin_ends(ctl):
    ctl.result("prints", "no_newline", {"text": "an unfinished line"})
    ctl("reload", "prints").ok()
    ctl.await_log("prints", "an unfinished line")


def test_standard_input_is_empty(ctl):
    assert ctl.result("prints", "input")["input"] == ""


@pytest.mark.parametrize(
    "action, text",
    [
        ("module", "from the module's logger"),
        ("root", "from the root logger"),
        ("exception", "ValueError"),
        ("later", "from a thread, after the answer"),
        ("odd", "second line"),
    ],
)
def test_whatever_is_logged_arrives(ctl, action, text):
    ctl.result("logging_all_levels", action)
    ctl.await_log("logging_all_levels", text)


@pytest.mark.parametrize("action", ["emit", "emit_later", "emit_unusable"])
def test_events_may_be_sent_from_anywhere(ctl, action):
    answer = ctl.result("events_out", action, {"count": 1000})
    assert answer["status"] == ("error" if action == "emit_unusable" else "ok")


def test_navigation_and_pages_are_shown(ctl):
    shown = ctl.show("navigation_pages")
    assert shown["navigation"]["label"] == "My Page"
    assert "main" in shown["pages"]


def test_a_ui_schema_is_shown(ctl):
    assert ctl.show("ui_resource")["ui_schema"]["version"] == 1


@pytest.mark.parametrize(
    "key, line",
    [
        ("stop_recorder", {"reason": "disable"}),
        ("stop_action_fallback", {"action": "stop", "params": {}}),
        ("stop_no_args", None),
    ],
)
def test_the_three_ways_to_be_stopped(ctl, tmp_path, key, line):
    file = tmp_path / "stopped"
    ctl("settings", key, "--set", f"file={file}").ok()
    ctl.result(key, "remember")
    ctl.disable(key)
    [text] = file.read_text().splitlines()
    if line is None:
        assert text == "stopped without arguments"
    else:
        assert line.items() <= json.loads(text).items()
