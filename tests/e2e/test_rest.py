"""Each endpoint: what it answers, exactly, and what it refuses."""

import pytest

from harness.rest import LIST, refused

HOSTS_KEYS = {
    "key",
    "name",
    "version",
    "description",
    "author",
    "help_url",
    "enabled",
    "ever_enabled",
    "fields",
    "settings",
    "actions",
    "ui_schema",
    "navigation",
    "pages",
    "missing",
    "trusted",
    "loaded",
    "legacy",
    "logo_url",
    "source_repo",
    "source_repo_name",
    "is_official_repo",
    "slug",
    "is_managed",
    "installed_version_is_prerelease",
    "update_available",
    "latest_version",
    "deprecated",
}
OUR_KEYS = {"permissions", "load_error", "last_reload", "worker"}
WORKER_KEYS = {
    "state",
    "reason",
    "pid",
    "started_at",
    "restarts",
    "generation",
    "sandbox_tier",
    "memory_bytes",
    "cpu_seconds",
    "in_flight",
}


@pytest.fixture(scope="module", autouse=True)
def enabled(ctl):
    ctl.enable("hello", "results", "ui_resource")


# GET plugins/


def test_the_list_holds_every_key_of_the_host_and_ours(rest):
    response = rest.get(LIST)
    assert response.status == 200
    assert response.headers["content-type"].startswith("application/json")
    assert set(response.data) == {"plugins"}
    for plugin in response.data["plugins"]:
        assert HOSTS_KEYS | OUR_KEYS <= set(plugin), plugin["key"]
        assert WORKER_KEYS <= set(plugin["worker"]), plugin["key"]


def test_the_list_is_in_the_order_of_the_directory(rest, deployment):
    keys = [plugin["key"] for plugin in rest.get(LIST).ok()["plugins"] if not plugin["missing"]]
    folders = sorted(
        folder.name.encode() for folder in deployment.plugins_dir.iterdir() if folder.is_dir()
    )
    assert keys == [name.decode().lower().replace(" ", "_") for name in folders]


def test_a_running_plugin_is_shown_with_its_worker(rest):
    shown = rest.plugin("hello")
    assert (shown["enabled"], shown["ever_enabled"], shown["trusted"], shown["loaded"]) == (
        True,
    ) * 4
    assert (shown["legacy"], shown["missing"], shown["is_managed"]) == (False,) * 3
    assert shown["load_error"] is None
    worker = shown["worker"]
    assert worker["state"] == "running"
    assert worker["pid"] > 1
    assert worker["memory_bytes"] > 1_000_000
    assert worker["started_at"].endswith("Z")


def test_a_logo_has_an_absolute_address_that_anyone_may_open(rest):
    url = rest.plugin("with_logo")["logo_url"]
    assert url == rest.url + LIST + "with_logo/logo/"
    logo = rest.get(LIST + "with_logo/logo/", token=None)
    assert logo.status == 200
    assert logo.headers["content-type"] == "image/png"
    assert logo.body.startswith(b"\x89PNG")


def test_a_plugin_without_logo_has_none(rest):
    assert rest.plugin("hello")["logo_url"] is None
    refused(rest.get(LIST + "hello/logo/"), 404)
    refused(rest.get(LIST + "nobody/logo/"), 404)


# enabled/


@pytest.mark.parametrize(
    "value, wanted",
    [
        (True, True),
        (False, False),
        (1, True),
        (0, False),
        ("true", True),
        ("False", False),
        ("on", True),
        ("off", False),
        ("yes", True),
        ("no", False),
        ("1", True),
        ("0", False),
    ],
)
def test_enabled_takes_what_the_host_takes(rest, value, wanted):
    data = rest.enable("counter", value).ok()
    assert set(data) == {"success", "enabled", "ever_enabled", "plugin"}
    assert data["success"] is True
    assert data["enabled"] is wanted
    assert data["plugin"]["enabled"] is wanted
    assert data["plugin"]["worker"]["state"] == ("running" if wanted else "disabled")
    assert (data["plugin"]["worker"]["pid"] is not None) is wanted


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"enabled": None},
        {"enabled": "maybe"},
        {"enabled": 2},
        {"enabled": []},
        {"enabled": {}},
        {"enabled": 0.5},
        {"other": True},
        [],
    ],
)
def test_enabled_refuses_what_is_no_boolean(rest, body):
    refused(rest.post(LIST + "hello/enabled/", body), 400, "invalid_request")
    assert rest.plugin("hello")["enabled"] is True


def test_enabling_a_plugin_that_does_not_load_answers_with_the_reason(rest):
    data = rest.enable("import_error").ok()
    assert data["enabled"] is True
    shown = data["plugin"]
    assert (shown["loaded"], shown["worker"]["state"]) == (False, "load_failed")
    assert shown["worker"]["reason"] == "import_failed"
    error = shown["load_error"]
    assert error["code"] == "import_failed"
    assert error["step"] == "import"
    assert error["message"] and error["hint"]
    refused(rest.run("import_error", "x"), 500, "not_loaded")
    rest.enable("import_error", False).ok()


# settings/


def test_settings_are_replaced_and_returned(rest):
    data = rest.settings("results", {"a": 1, "unknown": {"kept": True}}).ok()
    assert data["success"] is True
    assert data["settings"] == {"a": 1, "unknown": {"kept": True}}
    assert rest.settings("results", {}).ok()["settings"] == {}
    assert rest.plugin("results")["settings"] == {}


def test_a_value_that_does_not_fit_its_field_is_stored_and_warned_of(rest):
    data = rest.settings("hello", {"repeat": "often"}).ok()
    assert data["settings"] == {"repeat": "often"}
    assert any("repeat" in warning for warning in data["warnings"])
    rest.settings("hello", {}).ok()


@pytest.mark.parametrize(
    "body", [{}, {"settings": []}, {"settings": "x"}, {"settings": None}, [], "text"]
)
def test_settings_that_are_no_object_are_refused(rest, body):
    refused(rest.post(LIST + "hello/settings/", body), 400, "invalid_request")


# run/


def test_run_answers_with_the_plugins_result(rest):
    data = rest.run("hello", "greet", {"name": "you"}).ok()
    assert set(data) == {"success", "result"}
    assert data["success"] is True
    assert data["result"]["message"] == "Hello, you!"


def test_run_without_params_gives_the_plugin_an_empty_dict(rest):
    assert rest.run("results", "echo").ok()["result"]["params"] == {}
    response = rest.post(LIST + "results/run/", {"action": "echo", "params": None})
    assert response.ok()["result"]["params"] == {}


@pytest.mark.parametrize(
    "action, value",
    [
        ("text", "just text"),
        ("list", [1, "two", None]),
        ("none", None),
        ("int", 42),
        ("bool", True),
    ],
)
def test_results_that_are_no_dict_are_wrapped(rest, action, value):
    assert rest.run("results", action).ok()["result"] == {"status": "ok", "result": value}


def test_large_numbers_and_odd_text_pass_untouched(rest):
    body = b'{"action": "echo", "params": {"n": 123456789012345678901234567890, "f": 1.0, "s": "\\u0000\xc3\xbc"}}'
    response = rest.post(LIST + "results/run/", body, headers={"Content-Type": "application/json"})
    assert b"123456789012345678901234567890" in response.body
    assert b"1.0" in response.body
    assert response.ok()["result"]["params"]["s"] == "\0ü"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": ""},
        {"action": None},
        {"action": 5},
        {"params": {}},
        {"action": "echo", "params": [1]},
        {"action": "echo", "params": "x"},
        [],
    ],
)
def test_run_refuses_a_body_without_an_action_or_with_odd_params(rest, body):
    refused(rest.post(LIST + "results/run/", body), 400, "invalid_request")


@pytest.mark.parametrize(
    "body", [b"{", b"", b"not json", b'{"action": "echo"} x', b"\xff\xfe", b"[" * 100_000]
)
def test_a_body_that_is_not_json_is_refused(rest, body):
    refused(
        rest.post(LIST + "results/run/", body, headers={"Content-Type": "application/json"}), 400
    )


def test_run_of_a_disabled_plugin_is_forbidden(rest):
    rest.enable("counter", False).ok()
    data = refused(rest.run("counter", "x"), 403, "plugin_disabled")
    assert data["plugin"] == "counter"
    assert data["hint"]


def test_an_exception_is_500_with_the_message(rest):
    rest.enable("crash_in_run").ok()
    data = refused(rest.run("crash_in_run", "custom"), 500, "plugin_raised")
    assert data["plugin"] == "crash_in_run"
    assert data["step"]
    assert "this is the message" in data["error"]


def test_an_unknown_plugin_is_404_everywhere(rest):
    refused(rest.run("nobody", "x"), 404, "plugin_not_found")
    refused(rest.enable("nobody"), 404, "plugin_not_found")
    refused(rest.settings("nobody", {}), 404, "plugin_not_found")
    refused(rest.post(LIST + "nobody/ui/resource/", {"resource": "x"}), 404, "plugin_not_found")


# ui/resource/


def test_a_resource_is_resolved_by_the_plugin(rest):
    data = rest.post(
        LIST + "ui_resource/ui/resource/", {"resource": "metrics", "params": {"x": 1}}
    ).ok()
    assert set(data) == {"success", "result"}
    assert data["result"]["active"] == 2
    assert data["result"]["params"] == {"x": 1}


def test_the_ui_schema_is_listed_and_in_the_context(rest):
    schema = rest.plugin("ui_resource")["ui_schema"]
    assert schema["version"] == 1
    assert (
        rest.post(LIST + "ui_resource/ui/resource/", {"resource": "schema"}).ok()["result"]
        == schema
    )


def test_a_resource_that_raises_is_500_and_one_that_is_missing_is_400(rest):
    refused(rest.post(LIST + "ui_resource/ui/resource/", {"resource": "?"}), 500, "plugin_raised")
    refused(rest.post(LIST + "ui_resource/ui/resource/", {}), 400, "invalid_request")


def test_a_plugin_without_resources_says_so(rest):
    data = refused(
        rest.post(LIST + "results/ui/resource/", {"resource": "x"}), 501, "not_supported"
    )
    assert "resolve_ui_resource" in data["error"]


# reload/


def test_reload_counts_the_plugins(rest):
    data = rest.post(LIST + "reload/").ok()
    present = [plugin for plugin in rest.plugins().values() if not plugin["missing"]]
    assert data == {"success": True, "count": len(present)}
    assert rest.plugin("hello")["worker"]["state"] == "running"
