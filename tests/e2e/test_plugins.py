"""Plugins in real use through HTTP: the first one, those of the guides, the hostile ones."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.installation import PLUGINS
from harness.processes import identity, is_alive, stopwatch
from harness.waiting import eventually, seconds


def error(response, status, code):
    assert response.status == status, response
    assert response.data["code"] == code
    return response.data


# The first plugin, as in the README


def test_a_plugin_dropped_into_the_directory_is_found_enabled_run_crashed_and_restarted(
    deployment, rest, ctl
):
    shutil.copytree(PLUGINS / "samples" / "hello", deployment.plugins_dir / "first_plugin")
    shown = rest.plugin("first_plugin")
    assert (shown["enabled"], shown["name"], shown["worker"]["state"]) == (
        False,
        "Hello",
        "disabled",
    )
    rest.enable("first_plugin").ok()
    assert rest.run("first_plugin", "greet").ok()["result"]["message"] == "Hello, World!"
    rest.settings("first_plugin", {"greeting": "Good day", "loud": True}).ok()
    assert rest.run("first_plugin", "greet").ok()["result"]["message"] == "GOOD DAY, WORLD!"
    rest.enable("counter").ok()

    crash = error(rest.run("first_plugin", "crash"), 502, "worker_exited")
    assert crash["exit_code"] == 3
    ctl.enable("counter")
    assert rest.plugin("counter")["worker"]["state"] == "running"
    eventually(lambda: rest.plugin("first_plugin")["worker"]["state"] == "running", "it runs again")
    assert rest.plugin("first_plugin")["worker"]["restarts"] == 1
    assert rest.run("first_plugin", "greet").ok()["result"]["count"] == 1
    assert any("greeting number 1" in text for text in ctl.log_texts("first_plugin"))

    rest.enable("first_plugin", False).ok()
    shutil.rmtree(deployment.plugins_dir / "first_plugin")
    assert rest.plugin("first_plugin")["missing"] is True


# The plugins that the guides print


def test_my_plugin_answers(rest):
    rest.enable("my_plugin").ok()
    assert rest.run("my_plugin", "do_work").ok()["result"] == {
        "status": "ok",
        "processed": 5,
        "mode": "safe",
    }
    rest.settings("my_plugin", {"limit": 9, "mode": "fast"}).ok()
    assert rest.run("my_plugin", "do_work").ok()["result"] == {
        "status": "ok",
        "processed": 9,
        "mode": "fast",
    }
    assert rest.run("my_plugin", "other").ok()["result"]["status"] == "error"
    shown = rest.plugin("my_plugin")
    assert (shown["author"], shown["legacy"]) == ("Acme Labs", False)
    assert shown["actions"][0]["button_color"] == "blue"


def test_hello_world_is_a_legacy_plugin_and_answers(rest):
    before = rest.plugin("hello_world")
    assert before["legacy"] is True
    assert before["name"] == "Hello World", "read from the syntax tree"
    assert [field["id"] for field in before["fields"]] == ["greeting", "enabled"]
    rest.enable("hello_world").ok()
    assert rest.run("hello_world", "say_hello").ok()["result"] == {
        "status": "success",
        "message": "Hello, World!",
    }
    rest.settings("hello_world", {"enabled": False}).ok()
    assert rest.run("hello_world", "say_hello").ok()["result"]["status"] == "error"


def test_the_sports_calendar_shows_its_navigation_and_pages(rest):
    rest.enable("sports_calendar").ok()
    shown = rest.plugin("sports_calendar")
    assert shown["navigation"] == {
        "label": "Sports Calendar",
        "icon": "calendar",
        "position": "bottom",
    }
    [tabs] = shown["pages"]["main"]["components"]
    assert [item["id"] for item in tabs["items"]] == ["calendars", "events"]
    assert (
        rest.run("sports_calendar", "sync_calendar", {"_id": 1}).ok()["result"]["status"]
        == "queued"
    )


def test_the_maintenance_plugin_fails_with_an_error_that_names_django(rest):
    rest.enable("database_maintenance").ok()
    told = error(rest.run("database_maintenance", "cleanup_old_programs"), 500, "plugin_raised")
    # Without Django, or with one that knows nothing of the host.
    assert "django" in (told["error"] + " ".join(told["evidence"])).lower()
    assert told["hint"]
    vacuum = rest.run("database_maintenance", "vacuum_database")
    assert "django" in json.dumps(vacuum.data).lower()
    assert vacuum.status == 500 or vacuum.data["result"]["status"] == "error"
    assert rest.plugin("database_maintenance")["worker"]["state"] == "running"


def test_refresh_all_fails_with_an_error_that_names_what_it_needs(rest):
    rest.enable("refresh_all").ok()
    told = error(rest.run("refresh_all", "refresh_all"), 500, "plugin_raised")
    assert "apps" in told["error"]
    assert told["hint"]
    assert rest.run("refresh_all", "other").ok()["result"]["status"] == "error"


# Hostile ones


def test_a_segfault_while_20_calls_are_in_flight_elsewhere_harms_none_of_them(rest, ctl):
    keys = ["main_thread", "slow", "results", "counter"]
    ctl.enable("segfault", *keys)
    ctl.result("main_thread", "reset")
    before = {key: rest.plugin(key)["worker"] for key in keys}
    with ThreadPoolExecutor(20) as pool:
        # Four and four that wait inside the plugin, and twelve behind one that waits.
        held = [pool.submit(rest.run, "main_thread", "hold", {"seconds": 50}) for _ in range(4)]
        held += [pool.submit(rest.run, "slow", "work", {"seconds": 50}) for _ in range(4)]
        ctl.await_in_flight("main_thread", 4)
        ctl.await_in_flight("slow", 4)
        quick = [pool.submit(rest.run, keys[2 + n % 2], "int") for n in range(12)]
        told = error(rest.run("segfault", "crash"), 502, "worker_killed_by_signal")
        assert told["signal"] == "SIGSEGV" and "SIGSEGV" in told["error"]
        assert any("about to read address zero" in line for line in told["evidence"])
        assert not any(call.done() for call in held)
        rest.run("main_thread", "release").ok()
        rest.run("slow", "cancel").ok()
        assert all(call.result().status == 200 for call in held + quick)
    after = {key: rest.plugin(key)["worker"] for key in keys}
    assert {key: worker["pid"] for key, worker in after.items()} == {
        key: worker["pid"] for key, worker in before.items()
    }
    shown = rest.plugin("segfault")["worker"]
    assert shown["restarts"] == 1
    eventually(lambda: rest.run("segfault", "ping").status == 200, "it is back")
    rest.enable("segfault", False).ok()


def test_an_infinite_loop_is_ended_at_its_deadline_and_the_others_go_on(rest, ctl):
    ctl.enable("infinite_loop", "results")
    elapsed = stopwatch()
    call = ctl.begin_run("infinite_loop", "loop", timeout="2s")
    ctl.await_in_flight("infinite_loop", 1)
    assert rest.run("results", "int").status == 200
    assert call.answer().data["code"] == "deadline_exceeded"
    assert elapsed() < seconds(6)


@pytest.mark.parametrize(
    "key, action, status, code",
    [
        ("os_exit", "exit", 502, "worker_exited"),
        ("kills_itself_sigkill", "kill", 502, "worker_killed_by_signal"),
        ("sys_exit", "exit", 500, "plugin_raised"),
        ("crash_in_run", "crash", 500, "plugin_raised"),
        ("result_not_json", "object", 500, "result_not_json"),
        ("result_50mb", "big", 500, "result_too_large"),
    ],
)
def test_the_caller_learns_what_happened_and_nobody_else_notices(
    rest, ctl, key, action, status, code
):
    ctl.enable(key, "results")
    told = error(rest.run(key, action), status, code)
    assert told["success"] is False and told["error"] and told["plugin"] == key
    assert rest.run("results", "int").status == 200
    rest.enable(key, False).ok()


@pytest.mark.parametrize(
    "key, code",
    [
        ("init_raises", "constructor_failed"),
        ("import_error", "import_failed"),
        ("syntax_error", "import_failed"),
        ("no_plugin_class", "no_plugin_class"),
        ("import_sys_exit", "import_failed"),
        ("import_exits", "worker_exited"),
    ],
)
def test_what_does_not_load_is_listed_with_its_error(rest, key, code):
    rest.enable(key).ok()
    shown = rest.plugin(key)
    assert (shown["enabled"], shown["loaded"]) == (True, False)
    assert shown["worker"]["state"] == "load_failed"
    assert shown["load_error"]["code"] == code
    assert shown["load_error"]["step"] and shown["load_error"]["hint"]
    assert rest.run(key, "x").status == 500
    rest.enable(key, False).ok()


def test_a_thread_that_outlives_its_call_ends_with_its_plugin(rest):
    pid = rest.enable("thread_outlives_call").ok()["plugin"]["worker"]["pid"]
    process = identity(pid)
    rest.run("thread_outlives_call", "start").ok()
    rest.enable("thread_outlives_call", False).ok()
    assert not is_alive(process)


def test_printing_disturbs_nothing(rest, ctl):
    rest.enable("prints_a_lot").ok()
    assert rest.run("prints_a_lot", "flood").ok()["result"]["status"] == "ok"
    assert ctl.log_texts("prints_a_lot")
    rest.enable("prints_a_lot", False).ok()
