"""pluginctl for people and for scripts."""

import json
import os
import pty
import re
import subprocess

import pytest

from harness.ctl import FAILED, NOT_FOUND, NOT_READY, OK, TIMED_OUT, UNREACHABLE, USAGE, Ctl
from harness.waiting import eventually

PLUGINS = ["samples/results", "samples/slow", "hostile/crash_in_run", "hostile/import_error"]
NASTY = r"""
class Plugin:
    name = "evil \x1b[31m\x07\u202e 日本 name"
    def run(self, action, params, context):
        raise ValueError("\x1b]0;title\x07 \r overwrites")
"""


def prepare(installation):
    installation.write("nasty", NASTY, manifest={"name": "evil \x1b[31m\x07\u202e 日本 name"})


@pytest.fixture(scope="module", autouse=True)
def enabled(ctl):
    ctl.enable("results", "slow", "crash_in_run", "nasty")
    ctl("enable", "import_error")


def harmless(text):
    return not [
        c for c in text if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 or c == "\u202e"
    ]


def test_exit_codes_tell_scripts_what_happened(ctl):
    assert ctl.human("run", "results", "int").returncode == OK
    assert ctl.human("run", "crash_in_run", "crash").returncode == FAILED
    assert ctl.human("run", "results").returncode == USAGE
    assert ctl.human("run", "nobody", "x").returncode == NOT_FOUND
    assert ctl.human("run", "import_error", "x").returncode == NOT_READY
    assert Ctl(ctl.socket.parent / "none.sock").human("list").returncode == UNREACHABLE
    assert ctl.human("run", "slow", "work", "--timeout", "200ms").returncode == TIMED_OUT
    ctl.run("slow", "cancel")


def test_an_error_is_told_on_stderr_and_with_json_on_stdout_as_one_object(ctl):
    people = ctl.human("run", "crash_in_run", "crash")
    assert people.stdout == ""
    assert people.stderr.startswith("pluginctl: ")
    assert "ZeroDivisionError" in people.stderr
    script = ctl("run", "crash_in_run", "crash")
    assert script.data["success"] is False
    assert script.data["code"] == "plugin_raised"
    assert script.data["exit_status"] == FAILED == script.code


def test_a_wrong_command_line_is_told_with_json_too(ctl):
    answer = ctl("run", "results")
    assert (answer.code, answer.data["code"]) == (USAGE, "invalid_request")
    assert ctl("run", "results", "int", "--params", "{").code == USAGE
    assert ctl("run", "results", "int", "--timeout", "soon").code == USAGE
    assert ctl("unknown_verb").code == USAGE


def test_params_come_from_the_command_line_a_file_or_stdin(ctl, tmp_path):
    (tmp_path / "params.json").write_text('{"from": "file"}')
    assert ctl("run", "results", "echo", "--params", '{"from": "line"}').ok()["params"] == {
        "from": "line"
    }
    assert ctl("run", "results", "echo", "--params", f"@{tmp_path}/params.json").ok()["params"] == {
        "from": "file"
    }
    done = subprocess.run(
        [ctl.program, "--socket", ctl.socket, "--json", "run", "results", "echo", "--params", "-"],
        input='{"from": "stdin"}',
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert json.loads(done.stdout)["params"] == {"from": "stdin"}


def test_the_list_is_an_aligned_table(ctl):
    lines = ctl.human("list").stdout.splitlines()
    for title in ("KEY", "NAME", "VERSION", "ENABLED", "STATE", "REASON", "PID", "RESTARTS"):
        assert title in lines[0]
    assert len(lines) == 1 + len(ctl.list())
    row = next(line for line in lines if line.startswith("import_error"))
    assert "load_failed" in row and "import_failed" in row
    at = lines[0].index("NAME")
    assert all(line[at - 1] == " " and line[at] != " " for line in lines)


def test_show_explains_a_plugin_that_does_not_load(ctl):
    shown = ctl.human("show", "import_error").stdout
    for part in ("load_failed", "import_failed", "step", "hint", "evidence", "Traceback"):
        assert part in shown


def test_workers_lists_each_process(ctl):
    rows = {row["key"]: row for row in ctl("workers").ok()["workers"]}
    assert rows["results"]["pid"] == ctl.worker("results")["pid"]
    assert rows["import_error"]["pid"] is None
    assert str(rows["results"]["pid"]) in ctl.human("workers").stdout


def test_what_a_plugin_calls_itself_cannot_touch_the_terminal(ctl):
    for arguments in (
        ["list"],
        ["show", "nasty"],
        ["run", "nasty", "x"],
        ["logs", "nasty"],
        ["list", "--json"],
    ):
        done = ctl.human(*arguments)
        assert harmless(done.stdout), arguments
        assert harmless(done.stderr), arguments
    assert ctl.list()["nasty"]["name"] == "evil \x1b[31m\x07\u202e 日本 name"


def on_terminal(ctl, *arguments, **environment):
    """What is shown where stdout is a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [ctl.program, "--socket", ctl.socket, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        env={**os.environ, **environment},
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:
        pass  # EIO: the other end is closed.
    os.close(ours)
    assert process.wait(10) == 0
    return shown.decode()


def test_colours_are_for_terminals_and_not_when_no_color_is_set(ctl):
    assert "\x1b[32mrunning\x1b[0m" in on_terminal(ctl, "list", NO_COLOR="")
    assert "\x1b" not in on_terminal(ctl, "list", NO_COLOR="1")
    assert "\x1b" not in ctl.human("list").stdout


def test_a_result_is_pretty_on_a_terminal_and_one_line_elsewhere(ctl):
    assert (
        on_terminal(ctl, "run", "results", "int").replace("\r", "")
        == '{\n  "status": "ok",\n  "result": 42\n}\n'
    )
    assert ctl.human("run", "results", "int").stdout.count("\n") == 1
    assert on_terminal(ctl, "--json", "run", "results", "int").count("\n") == 1


def test_the_socket_may_come_from_the_environment_or_the_current_directory(ctl, tmp_path):
    def listed(directory, **environment):
        return subprocess.run(
            [ctl.program, "list"],
            capture_output=True,
            text=True,
            cwd=directory,
            env={**os.environ, **environment},
            timeout=60,
        )

    assert listed("/", PLUGIN_SUPERVISOR_SOCKET=str(ctl.socket)).returncode == OK
    (tmp_path / ".state").mkdir()
    (tmp_path / ".state" / "run").symlink_to(ctl.socket.parent)
    assert listed(tmp_path, PLUGIN_SUPERVISOR_SOCKET="").returncode == OK


def test_enable_and_disable_say_what_became_of_it(ctl):
    assert str(ctl.worker("results")["pid"]) in ctl.human("enable", "results").stdout
    assert "no process" in ctl.human("disable", "slow").stdout
    done = ctl.human("enable", "import_error")
    assert done.returncode == NOT_READY
    assert "import" in done.stderr and "hint:" in done.stderr
    assert ctl.human("enable", "nobody").returncode == NOT_FOUND
    ctl.enable("slow")


def test_every_verb_stands_in_a_group_and_has_help_with_the_exit_codes(ctl):
    whole = ctl.human("--help").stdout
    groups = re.findall(r"^(Plugins|Runs of actions|Workers|This host.*):$", whole, re.MULTILINE)
    assert len(groups) == 4
    verbs = re.findall(r"^  ([a-z-]+) {2,}[A-Z]", whole[whole.index("Plugins:") :], re.MULTILINE)
    assert {"list", "run", "jobs", "cancel", "top", "why", "logs", "dump-stacks"} <= set(verbs)
    assert {"start", "stop", "restart", "kill", "unquarantine", "limits", "doctor"} <= set(verbs)
    for verb in verbs:
        done = ctl.human(verb, "--help")
        assert done.returncode == OK
        assert "Exit status:" in done.stdout and f"pluginctl {verb}" in done.stdout
        assert "TEXT" not in done.stdout, "it says what kind of value is wanted"


def test_a_failed_job_is_shown_with_its_message(ctl):
    ctl.run("crash_in_run", "crash")
    job = ctl("jobs", "crash_in_run", "--limit", "1").ok()["jobs"][0]
    shown = ctl.human("job", job["id"]).stdout
    assert re.search(r"^why: +plugin_raised$", shown, re.MULTILINE)
    assert re.search(r"^message: +\S", shown, re.MULTILINE)
    assert not re.search(r"^:", shown, re.MULTILINE)


def test_reload_of_an_unknown_plugin_is_not_found(ctl):
    assert ctl("reload", "nobody").code == NOT_FOUND
    eventually(lambda: ctl.worker("results")["state"] == "running", "the others run")
