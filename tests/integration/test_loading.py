"""How a plugin's code is found, imported and constructed, and what is told when it cannot be."""

import os
import signal

import pytest

from harness.ctl import NOT_READY
from harness.waiting import eventually, lasting

WHO_AM_I = """
import sys, threading
LOADED_ON_MAIN = threading.current_thread() is threading.main_thread()
class Plugin:
    def run(self, action, params, context):
        package = sys.modules[__package__] if __package__ else None
        alias = sys.modules.get(params.get("alias", ""))
        return {
            "module": __name__, "package": __package__, "file": __file__,
            "alias_is_package": alias is not None and alias is package,
            "alias_module": sys.modules.get(params.get("alias", "") + ".plugin") is sys.modules[__name__],
            "path_end": sys.path[-1],
            "main": LOADED_ON_MAIN and threading.current_thread() is threading.main_thread(),
        }
"""
SELF_IMPORT = """
import helpful_plugin.part
from .part import VALUE as relative
from helpful_plugin.part import VALUE as absolute
class Plugin:
    def run(self, action, params, context):
        import helpful_plugin.plugin
        return {"relative": relative, "absolute": absolute,
                "same": helpful_plugin.plugin.Plugin is type(self)}
"""
METADATA = """
class Plugin:
    name = "From the class"
    version = ""
    author = "Class"
    @property
    def fields(self):
        return [{"id": "computed", "label": "Computed", "type": "number", "default": 2 + 3}]
    actions = [{"id": "go", "label": "Go"}, {"label": "has no id"}]
    navigation = {"label": "Somewhere", "icon": "x"}
    pages = {"main": {"title": "T", "components": []}}
    def run(self, action, params, context):
        return {"actions": context["actions"], "plugin": context["plugin"], "settings": context["settings"]}
"""
FAILURES = {
    "import_error": (
        "import there_is_no_such_module_anywhere\n",
        "import_failed",
        "import",
        "there_is_no_such_module_anywhere",
    ),
    "syntax_error": (
        "class Plugin:\n    def run(self:\n",
        "import_failed",
        "import",
        "SyntaxError",
    ),
    "no_class": ("VALUE = 1\n", "no_plugin_class", None, "Plugin"),
    "init_raises": (
        "class Plugin:\n    def __init__(self):\n        raise ValueError('no good today')\n",
        "constructor_failed",
        "construct",
        "no good today",
    ),
    "init_exits": (
        "import os\nclass Plugin:\n    def __init__(self):\n        os._exit(7)\n",
        "worker_exited",
        None,
        "7",
    ),
    "import_sys_exit": ("import sys\nsys.exit(3)\n", "import_failed", "import", "SystemExit"),
    "init_segfaults": (
        "import ctypes\nprint('before the fall', flush=True)\nctypes.string_at(0)\n",
        "worker_killed_by_signal",
        None,
        "SIGSEGV",
    ),
    "init_hangs": (
        "import time\ntime.sleep(3600)\nclass Plugin: pass\n",
        "load_timeout",
        None,
        "load",
    ),
    "needs_django": (
        "from apps.channels.models import Channel\nclass Plugin: pass\n",
        "import_failed",
        "import",
        "apps",
    ),
}
FLAGS = {"start_timeout": lasting(4)}


def prepare(installation):
    installation.write("who_am_i", WHO_AM_I)
    installation.write("2nd-Who Am I", WHO_AM_I)
    installation.write("json", WHO_AM_I)
    installation.write("helpful_plugin", SELF_IMPORT, files={"part.py": "VALUE = 42\n"})
    installation.write(
        "both",
        WHO_AM_I.replace("return {", "return {'from': 'plugin.py', "),
        files={"__init__.py": "class Plugin:\n    def run(self, *a): return {'from': 'package'}\n"},
    )
    installation.write(
        "falls_back",
        "# no class here\n",
        files={"__init__.py": "class Plugin:\n    def run(self, *a): return {'from': 'package'}\n"},
    )
    installation.write(
        "metadata",
        METADATA,
        manifest={
            "name": "Manifest",
            "version": "4.5",
            "author": "Manifest",
            "description": "only in the manifest",
            "fields": [{"id": "static", "label": "S", "type": "string"}],
        },
    )
    installation.write(
        "dynamic",
        """
        class Plugin:
            def __init__(self): self.seen = {}
            @property
            def fields(self):
                import json, pathlib
                count = int(pathlib.Path(%r).read_text())
                return [{"id": f"f{i}", "label": "F", "type": "string", "default": str(i)} for i in range(count)]
            def run(self, action, params, context):
                return context["settings"]
        """ % str(installation.directory / "count"),
    )
    (installation.directory / "count").write_text("1")
    for name, (code, *_) in FAILURES.items():
        installation.write(name, code)


def test_modules_have_the_hosts_names(ctl, installation):
    ctl.enable("who_am_i")
    told = ctl.result("who_am_i", "x", {"alias": "who_am_i"})
    assert told["module"] == "_dispatcharr_plugin_who_am_i.plugin"
    assert told["package"] == "_dispatcharr_plugin_who_am_i"
    assert told["file"] == str(installation.plugins_dir / "who_am_i" / "plugin.py")
    assert told["alias_is_package"] and told["alias_module"]


def test_the_plugins_directory_is_last_on_the_path(ctl, installation):
    ctl.enable("who_am_i")
    assert ctl.result("who_am_i", "x")["path_end"] == str(installation.plugins_dir)


def test_a_plugin_is_loaded_and_called_on_the_main_thread(ctl):
    ctl.enable("who_am_i")
    assert ctl.result("who_am_i", "x")["main"] is True


def test_a_key_that_is_no_identifier_gets_a_safe_module_name_and_no_alias(ctl):
    ctl.enable("2nd-who_am_i")
    told = ctl.result("2nd-who_am_i", "x", {"alias": "2nd-Who Am I"})
    assert told["module"] == "_dispatcharr_plugin_p_2nd_who_am_i.plugin"
    assert not told["alias_is_package"]


def test_a_folder_never_shadows_the_standard_library(ctl):
    ctl.enable("json")
    told = ctl.result("json", "x", {"alias": "json"})
    assert told["module"] == "_dispatcharr_plugin_json.plugin"
    assert not told["alias_is_package"]


def test_a_plugin_imports_its_own_parts_by_either_name(ctl):
    ctl.enable("helpful_plugin")
    assert ctl.result("helpful_plugin", "x") == {"relative": 42, "absolute": 42, "same": True}


def test_plugin_py_comes_before_the_package(ctl):
    ctl.enable("both")
    assert ctl.result("both", "x")["from"] == "plugin.py"


def test_the_package_is_tried_when_plugin_py_has_no_class(ctl):
    ctl.enable("falls_back")
    assert ctl.result("falls_back", "x")["from"] == "package"


def test_the_class_wins_and_the_manifest_fills_what_it_leaves_empty(ctl):
    [shown] = ctl.enable("metadata")
    assert shown["name"] == "From the class"
    assert shown["author"] == "Class"
    assert shown["version"] == "4.5"
    assert shown["description"] == "only in the manifest"
    assert [field["id"] for field in shown["fields"]] == ["computed"]
    assert [action["id"] for action in shown["actions"]] == ["go"]
    assert shown["navigation"]["label"] == "Somewhere"
    assert shown["pages"]["main"]["title"] == "T"
    assert any("action" in warning for warning in shown["warnings"])


def test_the_context_tells_the_plugin_about_itself(ctl):
    ctl.enable("metadata")
    context = ctl.result("metadata", "go")
    assert context["settings"] == {"computed": 5}
    assert context["actions"]["go"]["label"] == "Go"
    assert context["plugin"]["key"] == "metadata"
    assert context["plugin"]["name"] == "From the class"


def test_computed_fields_are_evaluated_again_when_settings_change(ctl, installation):
    [shown] = ctl.enable("dynamic")
    assert [field["id"] for field in shown["fields"]] == ["f0"]
    (installation.directory / "count").write_text("3")
    ctl("settings", "dynamic", "--set", "f0=mine").ok()
    eventually(lambda: len(ctl.show("dynamic")["fields"]) == 3, "the fields are computed again")
    assert ctl.result("dynamic", "x") == {"f0": "mine", "f1": "1", "f2": "2"}


@pytest.mark.parametrize("key", FAILURES)
def test_why_a_plugin_does_not_load_is_told(ctl, key):
    _, code, step, evidence = FAILURES[key]
    answer = ctl("enable", key)
    assert answer.code in (NOT_READY, 1), answer.err
    shown = answer.data["plugin"]
    assert shown["enabled"] is True
    assert shown["loaded"] is False
    assert shown["worker"]["state"] == "load_failed"
    assert shown["worker"]["pid"] is None
    error = shown["load_error"]
    assert error["code"] == code
    assert error["step"] and (step is None or error["step"] == step)
    assert error["hint"], "a hint says what to do next"
    assert error["plugin"] == key
    assert evidence in error["message"] + "\n".join(error["evidence"])


def test_the_last_lines_printed_before_a_crash_in_the_constructor_are_shown(ctl):
    ctl("enable", "init_segfaults")
    error = ctl.show("init_segfaults")["load_error"]
    assert error["signal"] == "SIGSEGV"
    assert any("before the fall" in line for line in error["evidence"])


def test_running_a_plugin_that_is_not_loaded_says_why(ctl):
    ctl("enable", "import_error")
    answer = ctl.run("import_error", "x")
    assert answer.code == NOT_READY
    assert answer.data["code"] == "not_loaded"
    assert "there_is_no_such_module_anywhere" in answer.err


def test_a_missing_host_is_named_with_what_to_do(ctl):
    ctl("enable", "needs_django")
    error = ctl.show("needs_django")["load_error"]
    assert "django" in (error["message"] + error["hint"]).lower()


def test_a_repaired_plugin_loads_by_itself_when_it_is_looked_at(ctl, installation):
    installation.write("repaired", "import no_such_module\n")
    eventually(lambda: "repaired" in ctl.list(), "it is listed")
    assert ctl("enable", "repaired").code == NOT_READY
    installation.write(
        "repaired", "class Plugin:\n    def run(self, *a): return {'repaired': True}\n"
    )
    eventually(lambda: ctl.list()["repaired"]["worker"]["state"] == "running", "it runs")
    assert ctl.result("repaired", "x") == {"repaired": True}


WAITS = """
import os, time
while not os.path.exists(os.path.join(os.path.dirname(__file__), "go")):
    time.sleep(0.01)
class Plugin:
    def run(self, action, params, context):
        return {"pid": os.getpid()}
"""


def test_a_worker_that_is_killed_while_it_loads_is_started_again(fresh):
    """As the kernel does when memory is short: it says nothing about the plugin's code."""
    fresh.write("waits", WAITS)
    fresh.start_supervisor()
    ctl = fresh.ctl
    enabling = ctl.begin("enable", "waits")
    first = eventually(lambda: ctl.worker("waits")["pid"], "it loads")
    os.kill(first, signal.SIGKILL)
    second = eventually(
        lambda: ctl.worker("waits")["pid"] not in (None, 0, first) and ctl.worker("waits"),
        "another loads",
    )
    assert second["state"] == "starting"
    assert second["last_crash"]["signal"] == "SIGKILL"
    (fresh.plugins_dir / "waits" / "go").touch()
    assert enabling.answer().ok()["plugin"]["worker"]["state"] == "running"
    assert ctl.worker("waits")["restarts"] == 1


def test_one_that_is_killed_whenever_it_loads_comes_into_quarantine(fresh):
    fresh.write("waits", WAITS)
    flags = {"restart_first_delay": "20ms", "restart_max_delay": "20ms", "quarantine_after": "3"}
    fresh.start_supervisor(**flags)
    ctl = fresh.ctl
    enabling = ctl.begin("enable", "waits")
    for _ in range(3):
        loading = eventually(
            lambda: (lambda w: w["state"] == "starting" and w["pid"])(ctl.worker("waits")), "it loads"
        )
        os.kill(loading, signal.SIGKILL)
        eventually(lambda: ctl.worker("waits")["pid"] != loading, "it is gone")
    ctl.await_state("waits", "quarantined")
    assert enabling.answer().code != 0


def test_nothing_is_left_of_a_worker_whose_plugin_did_not_load(fresh):
    fresh.write("broken", "import a_module_that_nobody_has")
    fresh.start_supervisor()
    assert fresh.ctl("enable", "broken").code != 0
    fresh.ctl.await_state("broken", "load_failed")
    eventually(lambda: fresh.launches() == [], "its directory is gone")
