"""Runtime profiles: which interpreter a plugin gets, what it has imported, and what follows when
the file of profiles changes."""

import os
import signal
import subprocess
import venv
from pathlib import Path

import pytest

from harness.processes import identity, is_alive
from harness.waiting import eventually

TELLS = """
import json, os, sys
import apps.plugins.models as models
class Plugin:
    def run(self, action, params, context):
        if action == "crash":
            os.abort()
        told = {"models": models.__file__, "pid": os.getpid(), "prefix": sys.prefix,
                "environment": dict(os.environ), "arguments": sys.argv[1:],
                "modules": sorted(name for name in sys.modules if name.startswith("fake"))}
        if "fakehost" in sys.modules:
            import fakehost
            told["setups"] = fakehost.setups
        return told
"""
USES_GEVENT = """
import sys
class Plugin:
    def run(self, action, params, context):
        monkey = sys.modules.get("gevent.monkey")
        return {"patched": bool(monkey), "early": bool(monkey) and monkey.early}
"""
HANGS = "import time\n{at_import}\nclass Plugin:\n    def __init__(self):\n        {at_init}\n"


def write_host(directory: Path):
    """What stands for a host with Django: a package that is set up once, and apps."""
    for file, text in {
        "fakehost/__init__.py": "import os\nsetups = []\ndef setup():\n"
        "    setups.append({'pid': os.getpid(), 'settings': os.environ['FAKE_SETTINGS']})\n",
        "fakehost/broken.py": "def setup():\n    raise RuntimeError('no database today')\n",
        "apps/__init__.py": "",
        "apps/plugins/__init__.py": "",
        "apps/plugins/models.py": "import fakehost\nassert fakehost.setups\n",
        "without/gevent.py": "raise ModuleNotFoundError(\"No module named 'gevent'\")\n",
        "early/gevent/__init__.py": "def reinit():\n    pass\n",
        "early/gevent/monkey.py": "import sys\nearly = None\ndef patch_all():\n    global early\n"
        "    early = 'ssl' not in sys.modules and 'logging' not in sys.modules\n"
        "def is_module_patched(name):\n    return False\n",
    }.items():
        (directory / file).parent.mkdir(parents=True, exist_ok=True)
        (directory / file).write_text(text)


def host_profile(directory: Path, more: str = "") -> str:
    return f"""
[profile.host]
path = ["{directory}"]
setup = ["fakehost:setup"]
environment = {{ FAKE_SETTINGS = "fake.settings" }}
{more}
"""


class Profiles:
    """An installation with a file of profiles."""

    def __init__(self, installation):
        self.installation = installation
        self.host = installation.directory / "host"
        self.file = installation.directory / "profiles.toml"
        write_host(self.host)

    def write(self, text: str):
        """As an editor does: the file is never half there."""
        new = self.file.with_suffix(".new")
        new.write_text(text)
        os.replace(new, self.file)

    def start(self, **flags):
        self.installation.start_supervisor(profiles=self.file, **flags)
        return self.installation.ctl

    def plugin(self, key, profile=None, code=TELLS, **runtime):
        runtime = {**runtime, **({"profile": profile} if profile else {})}
        manifest = {"name": key, "permissions": {"runtime": runtime}} if runtime else None
        return self.installation.write(key, code, manifest)


@pytest.fixture
def profiles(fresh):
    return Profiles(fresh)


def load_error(ctl, key) -> dict:
    """Why enabling it failed."""
    assert ctl("enable", key).code != 0
    return ctl.show(key)["load_error"]


def own_interpreter(directory: Path) -> Path:
    venv.EnvBuilder(with_pip=False, symlinks=True).create(directory)
    # Of the interpreter that the tests run under; the workers' has the same version.
    return directory / "bin" / "python3"


def test_a_host_is_set_up_once_and_its_modules_are_its_own(profiles):
    profiles.write(host_profile(profiles.host))
    for key in ("first", "second"):
        profiles.plugin(key, "host")
    profiles.plugin("alone")
    ctl = profiles.start()
    for plugin in ctl.enable("first", "second", "alone"):
        assert plugin["worker"]["state"] == "running", plugin
    told = {key: ctl.result(key, "x") for key in ("first", "second", "alone")}
    for key in ("first", "second"):
        assert told[key]["models"].startswith(str(profiles.host))
        assert ctl.worker(key)["profile"] == "host"
    # In the spawner, before either was forked.
    assert told["first"]["setups"] == told["second"]["setups"]
    assert [setup["settings"] for setup in told["first"]["setups"]] == ["fake.settings"]
    assert told["first"]["setups"][0]["pid"] not in (told["first"]["pid"], told["second"]["pid"])
    assert "/compat/" in told["alone"]["models"]
    assert told["alone"]["modules"] == [] and "FAKE_SETTINGS" not in told["alone"]["environment"]
    assert ctl.worker("alone")["profile"] == "standalone"


def test_a_profile_that_does_not_exist_is_named_and_the_plugin_runs_once_it_does(profiles):
    profiles.write("")
    profiles.plugin("waits", "host")
    ctl = profiles.start()
    error = load_error(ctl, "waits")
    assert ctl.worker("waits")["state"] == "load_failed"
    assert (error["code"], error["step"]) == ("launch_failed", "profile")
    assert "'host'" in error["message"] and "standalone" in error["hint"]
    profiles.write(host_profile(profiles.host))  # Nobody says a word.
    assert ctl.await_state("waits", "running")["profile"] == "host"


def test_an_admin_puts_a_plugin_under_another_profile(profiles):
    profiles.write(host_profile(profiles.host))
    profiles.plugin("moved")
    ctl = profiles.start()
    ctl.enable("moved")
    rest = profiles.installation.start_gateway().rest
    rest("PATCH", "/api/supervisor/workers/moved/options/", {"profile": "host"}).ok()
    ctl("restart", "moved").ok()
    assert ctl.worker("moved")["profile"] == "host"
    assert ctl.result("moved", "x")["models"].startswith(str(profiles.host))
    rest("PATCH", "/api/supervisor/workers/moved/options/", {"profile": "nowhere"}).ok()
    ctl("restart", "moved")
    ctl.await_state("moved", "load_failed")
    rest("PATCH", "/api/supervisor/workers/moved/options/", {"profile": None}).ok()
    assert ctl.await_state("moved", "running")["profile"] == "standalone"


def test_a_changed_profile_gets_a_new_spawner_and_running_workers_go_on(profiles):
    profiles.write(host_profile(profiles.host))
    for key in ("old", "new"):
        profiles.plugin(key, "host")
    ctl = profiles.start()
    before = identity(ctl.enable("old")[0]["worker"]["pid"])
    setup = ctl.result("old", "x")["setups"][0]
    profiles.write(host_profile(profiles.host).replace("fake.settings", "new.settings"))
    os.kill(profiles.installation.supervisor.pid, signal.SIGHUP)
    log = profiles.installation.supervisor.log
    eventually(lambda: "spawner.recycled profile=host" in log(), "the spawner is replaced")
    ctl.enable("new")
    told = ctl.result("new", "x")
    assert told["environment"]["FAKE_SETTINGS"] == "new.settings"
    assert told["setups"][0]["settings"] == "new.settings"
    assert told["setups"][0]["pid"] != setup["pid"]
    assert is_alive(before)
    assert ctl.result("old", "x")["setups"] == [setup]
    ctl("restart", "old").ok()
    assert ctl.result("old", "x")["setups"] == told["setups"]


def test_a_file_that_became_wrong_changes_nothing_and_is_told(profiles):
    profiles.write(host_profile(profiles.host))
    profiles.plugin("goes_on", "host")
    ctl = profiles.start()
    profiles.write("[profile.host]\npyhton = '/usr/bin/python3'\n")
    os.kill(profiles.installation.supervisor.pid, signal.SIGHUP)
    log = profiles.installation.supervisor.log
    eventually(lambda: "profiles.refused" in log(), "the mistake is logged")
    assert "line 2: a profile has no member 'pyhton'" in log()
    assert ctl.enable("goes_on")[0]["worker"]["state"] == "running"


def test_a_wrong_file_keeps_the_supervisor_from_starting(profiles):
    profiles.write("[profile.host]\ncompat = 'yes'\n")
    daemon = profiles.installation.spawn_supervisor(profiles=profiles.file)
    assert daemon.wait(10) == 1
    assert "profiles.toml, line 2: compat must be true or false" in daemon.log()


def test_a_host_that_cannot_be_set_up_says_why_and_leaves_the_others_alone(profiles):
    profiles.write(
        host_profile(profiles.host).replace("fakehost:setup", "fakehost.broken:setup")
    )
    profiles.plugin("broken", "host")
    profiles.plugin("well")
    ctl = profiles.start()
    error = load_error(ctl, "broken")
    assert (error["code"], error["step"]) == ("launch_failed", "fork")
    assert any("no database today" in line for line in error["evidence"]), error
    assert ctl.enable("well")[0]["worker"]["state"] == "running"


def test_a_plugin_with_an_interpreter_of_its_own_is_executed_under_it(profiles):
    python = own_interpreter(profiles.installation.directory / "venv")
    profiles.write("")
    profiles.plugin("own", python=str(python))
    ctl = profiles.start()
    shown = ctl.enable("own")[0]
    assert shown["worker"]["state"] == "running", shown
    assert shown["worker"]["profile"] == f"standalone, {python}"
    told = ctl.result("own", "x")
    assert told["prefix"] == str(python.parent.parent)
    assert told["pid"] == shown["worker"]["pid"]
    assert told["arguments"] == [] and "/compat/" in told["models"]
    steps = ctl("why", "own").ok()["worker"]["start_steps"]
    assert all(steps[name] > 0 for name in ("fork_ms", "attach_ms", "import_ms", "total_ms")), steps
    # It crashes, comes back and stops like any other.
    assert ctl.run("own", "crash").data["signal"] == "SIGABRT"
    ctl.await_state("own", "running")
    worker = identity(ctl.worker("own")["pid"])
    stopped = ctl.disable("own")[0]["worker"]["last_stop"]
    assert not stopped["forced"], stopped
    assert not is_alive(worker)


@pytest.mark.parametrize(
    "python, reason, step, part",
    [
        ("/nonexistent/python3", "launch_failed", "exec", "/nonexistent/python3: No such file"),
        ("/etc/passwd", "launch_failed", "exec", "Permission denied"),
        ("python3", "permissions_invalid", "permissions", "absolute path"),
        ("/bin/false", "worker_exited", "attach", "exit code 1"),
    ],
)
def test_an_interpreter_that_is_none_is_named(profiles, python, reason, step, part):
    profiles.write("")
    profiles.plugin("own", python=python)
    error = load_error(profiles.start(), "own")
    assert (error["code"], error["step"]) == (reason, step), error
    assert part in error["message"]


def test_gevent_patches_come_before_everything_else(profiles):
    profiles.write(f'[profile.standalone]\npath = ["{profiles.host}/early"]\n')
    profiles.plugin("patched", code=USES_GEVENT, gevent=True)
    profiles.plugin("plain", code=USES_GEVENT)
    ctl = profiles.start()
    ctl.enable("patched", "plain")
    assert ctl.result("patched", "x") == {"patched": True, "early": True}
    assert ctl.result("plain", "x") == {"patched": False, "early": False}
    assert ctl.worker("patched")["profile"] == "standalone+gevent"


def test_gevent_that_is_not_installed_is_named(profiles):
    profiles.write(f'[profile.standalone]\npath = ["{profiles.host}/without"]\n')
    profiles.plugin("patched", code=USES_GEVENT, gevent=True)
    error = load_error(profiles.start(), "patched")
    assert error["code"] == "launch_failed"
    assert any("No module named 'gevent'" in line for line in error["evidence"]), error


TICKS = """
import threading, time
class Plugin:
    def __init__(self):
        self.ticks = 0
        threading.Thread(target=self.tick, daemon=True).start()
    def tick(self):
        while True:
            time.sleep(0.01)
            self.ticks += 1
    def run(self, action, params, context):
        from gevent import monkey
        if action == "sleep":
            time.sleep(params["seconds"])
        return {"ticks": self.ticks, "patched": monkey.is_module_patched("threading")}
    def stop(self, context):
        context["logger"].info("stopped after %d ticks", self.ticks)
"""


def test_under_gevent_a_plugins_threads_run_while_no_call_does(profiles):
    pytest.importorskip("gevent", reason="python3-gevent is not installed")
    profiles.write("")
    profiles.plugin("ticks", code=TICKS, gevent=True)
    ctl = profiles.start()
    ctl.enable("ticks")
    first = ctl.result("ticks", "x")
    assert first["patched"]
    eventually(lambda: ctl.result("ticks", "x")["ticks"] > first["ticks"] + 5, "it ticks on")
    asleep = ctl.begin_run("ticks", "sleep", {"seconds": 1})
    ctl.await_in_flight("ticks", 1)
    assert ctl.run("ticks", "x").code == 0 and asleep.is_waiting()
    assert asleep.answer().ok()["ticks"] > first["ticks"] + 20
    assert not ctl.disable("ticks")[0]["worker"]["last_stop"]["forced"]
    ctl.await_log("ticks", "stopped after")


@pytest.mark.parametrize("step, at_import, at_init", [
    ("import", "time.sleep(3600)", "pass"), ("construct", "pass", "time.sleep(3600)")])
def test_a_start_that_takes_too_long_names_its_step_and_where_it_was(profiles, step, at_import,
                                                                     at_init):
    profiles.write("")
    profiles.plugin("hangs", code=HANGS.format(at_import=at_import, at_init=at_init))
    ctl = profiles.start(start_timeout="2s")
    error = load_error(ctl, "hangs")
    assert (error["code"], error["step"]) == ("load_timeout", step)
    assert any("plugin.py" in line for line in error["evidence"]), error
