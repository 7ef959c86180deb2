"""Completion in bash and zsh, and the manual page, as the shells and man see them."""

import os
import re
import shlex
import shutil
import subprocess

import pytest

from harness.ctl import OK, USAGE
from harness.processes import frozen, stopwatch
from harness.pseudo_terminal import PseudoTerminal
from harness.waiting import seconds

PLUGINS = ["samples/results", "samples/slow", "hostile/import_error"]
# What a directory may be called; none of it may be run by pressing Tab.
NASTY = "nasty_$(touch_pwned)_`id`_'x'"
VERBS = (
    "list show enable disable settings permissions reload audit run jobs job cancel top workers "
    "why logs dump-stacks start stop restart kill unquarantine limits doctor completion man"
).split()


def prepare(installation):
    installation.write(NASTY, "class Plugin:\n    name = 'Nasty'\n")
    installation.write("with space", "class Plugin:\n    name = 'Space'\n")


@pytest.fixture(scope="module", autouse=True)
def enabled(ctl):
    ctl.enable("results", "slow")


@pytest.fixture(scope="module")
def bash(ctl):
    """What bash would offer for a line whose last word is being typed."""

    def complete(*words, socket=ctl.socket, current=None):
        current = len(words) if current is None else current
        script = f"""
            set -u
            source <({shlex.quote(str(ctl.program))} completion bash)
            compopt() {{ :; }}  # Only where readline completes.
            COMP_WORDS=(pluginctl {' '.join(map(shlex.quote, words))})
            COMP_CWORD={current}
            _pluginctl
            printf '%s\\n' "${{COMPREPLY[@]+"${{COMPREPLY[@]}}"}}"
        """
        done = subprocess.run(
            ["bash", "--norc", "--noprofile", "-c", script],
            capture_output=True,
            text=True,
            timeout=seconds(30),
            env={**os.environ, "PLUGIN_SUPERVISOR_SOCKET": str(socket)},
        )
        assert done.returncode == 0 and done.stderr == "", done.stderr
        return done.stdout.split("\n")[:-1] if done.stdout.strip() else []

    return complete


def test_bash_offers_verbs_and_options(bash):
    assert sorted(bash("")) == sorted(VERBS)
    assert bash("un") == ["unquarantine"]
    assert bash("--socket", "/x", "un") == ["unquarantine"]
    assert set(bash("logs", "k", "--")) == {
        *("--tail", "--follow", "--since", "--level", "--job"),
        *("--help", "--socket", "--json", "--version"),
        *("--supervisor", "--tls-cert", "--tls-key", "--tls-ca", "--show-secrets"),
    }
    assert bash("--js") == ["--json"]


def test_bash_offers_the_words_that_an_option_takes(bash):
    assert bash("logs", "k", "--level", "") == ["debug", "info", "warning", "error", "critical"]
    assert bash("logs", "--level", "c") == ["critical"]
    # As bash splits "--level=c".
    assert bash("logs", "--level", "=", "c") == ["critical"]
    assert len(bash("logs", "--level", "=")) == 5
    assert bash("top", "--sort", "m") == ["memory"]
    assert bash("completion", "") == ["bash", "zsh"]
    assert bash("jobs", "--limit", "") == []


def test_bash_offers_keys_actions_and_jobs_of_the_supervisor(ctl, bash):
    assert bash("why", "re") == ["results"]
    assert bash("--json", "restart", "sl") == ["slow"]
    assert {"results", "slow", "import_error"} <= set(bash("enable", ""))
    assert bash("why", "results", "") == []
    assert "echo" in bash("run", "results", "")
    assert bash("run", "results", "ech") == ["echo"]
    assert bash("run", "nobody", "") == []
    job = ctl("run", "slow", "work", "--background").ok()["id"]
    ended = ctl("run", "results", "int", "--background").ok()["id"]
    ctl("job", ended, "--wait", "30s").ok()
    assert {job, ended} <= set(bash("job", ""))
    assert bash("job", job[:-1]) == [job]
    assert job in bash("cancel", "") and ended not in bash("cancel", "")
    ctl("cancel", job).ok()


def test_bash_asks_the_supervisor_that_the_line_names(ctl, bash, tmp_path):
    nobody = tmp_path / "none.sock"
    assert bash("why", "re", socket=nobody) == []
    assert bash("--socket", str(ctl.socket), "why", "re", socket=nobody) == ["results"]
    assert bash("why", "--socket", "=", str(ctl.socket), "re", socket=nobody) == ["results"]


def test_bash_offers_files_where_a_path_is_wanted(bash, tmp_path):
    (tmp_path / "a file.sock").touch()
    assert bash("--socket", f"{tmp_path}/a") == [f"{tmp_path}/a file.sock"]


def test_what_directories_are_called_is_quoted_and_never_run(bash):
    assert bash("why", "nasty") == [r"nasty_\$\(touch_pwned\)_\`id\`_\'x\'"]
    assert shlex.split(bash("why", "nasty")[0]) == [NASTY.lower()]
    assert bash("why", "with") == ["with_space"]


def test_a_supervisor_that_is_away_or_hangs_does_not_hold_up_typing(installation, ctl, bash):
    done = ctl.human("__candidates", "plugins")
    assert done.returncode == OK and done.stdout
    with frozen(installation.supervisor.pid):
        elapsed = stopwatch()
        assert bash("why", "re") == []
        assert elapsed() < seconds(8)


def interactive(shell, ctl, tmp_path):
    """A person's shell, with a prompt that can be waited for, and completion on."""
    environment = {
        "HOME": str(tmp_path),
        "ZDOTDIR": str(tmp_path),
        "PLUGIN_SUPERVISOR_SOCKET": str(ctl.socket),
        "PS1": "ready> ",
        "LC_ALL": "C.UTF-8",
    }
    flags = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"]}[shell]
    terminal = PseudoTerminal([shell, *flags], rows=50, environment=environment, directory=tmp_path)
    terminal.read_until("ready> ", "a prompt")
    setting = {
        "bash": "bind 'set enable-bracketed-paste off'; bind 'set completion-query-items 1000'",
        "zsh": "LISTMAX=1000; unset zle_bracketed_paste",
    }[shell]
    # An alias, as in the README: the script knows its program all the same.
    terminal.send(
        f"{setting}; alias pluginctl={ctl.program}; "
        f"source <({ctl.program} completion {shell}); echo sour''ced\n"
    )
    terminal.read_until("sourced\r\n", "that the script was read", within=60)
    return terminal


SHELLS = [shell for shell in ("bash", "zsh") if shutil.which(shell)]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_person_can_type_it_with_the_tab_key(ctl, tmp_path, shell):
    with interactive(shell, ctl, tmp_path) as terminal:
        since = terminal.mark()
        terminal.send("pluginctl unq\t")
        terminal.read_until("pluginctl unquarantine ", "the verb", since)
        terminal.send("imp\t")
        terminal.read_until("pluginctl unquarantine import_error", "the key", since)
        terminal.send("\x15")
        since = terminal.mark()
        terminal.send("pluginctl logs results --lev\t")
        terminal.read_until("results --level", "the option", since)
        terminal.send(" crit\t" if shell == "bash" else "crit\t")
        terminal.read_until("critical", "its value", since)
        terminal.send("\x15")
        since = terminal.mark()
        terminal.send("pluginctl run results ech\t")
        terminal.read_until("results echo", "the action", since)
        terminal.send("\x15pluginctl why nasty\t")
        terminal.read_until(lambda text: "touch_pwned" in text, "the nasty key", since)
        terminal.send("\x15echo the e''nd\n")
        terminal.read_until("the end\r\n", "that the shell goes on", since)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_tab_key_lists_what_there_is(ctl, tmp_path, shell):
    with interactive(shell, ctl, tmp_path) as terminal:
        since = terminal.mark()
        terminal.send("pluginctl \t\t")
        terminal.read_until(
            lambda text: all(re.search(rf"\b{verb}\b", text) for verb in VERBS), "all verbs", since
        )
        terminal.send("\x15")
        since = terminal.mark()
        terminal.send("pluginctl why \t\t")
        listed = terminal.read_until(
            lambda text: "results" in text and "slow" in text and "import_error" in text,
            "all keys",
            since,
        )
        if shell == "zsh":
            assert "load_failed" in listed or "disabled" in listed or "running" in listed


def test_the_scripts_are_sound(ctl, tmp_path):
    for shell in SHELLS:
        script = tmp_path / f"completion.{shell}"
        script.write_text(ctl.human("completion", shell).stdout)
        subprocess.run([shell, "-n", script], check=True, timeout=60)
    shellcheck = shutil.which("shellcheck")
    if shellcheck:
        subprocess.run(
            [shellcheck, "--severity=warning", "--shell=bash", tmp_path / "completion.bash"],
            check=True,
            timeout=60,
        )
    assert ctl.human("completion", "fish").returncode == USAGE
    assert ctl.human("completion").returncode == USAGE


def test_the_manual_page_is_sound_and_tells_all(ctl, tmp_path):
    page = ctl.human("man").stdout
    file = tmp_path / "pluginctl.1"
    file.write_text(page)
    shown = subprocess.run(
        ["man", "--warnings", "-l", file],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "100", "MAN_KEEP_FORMATTING": ""},
        stdin=subprocess.DEVNULL,
    )
    assert shown.returncode == 0 and shown.stderr == "", shown.stderr
    text = re.sub(r".\x08", "", shown.stdout)
    for verb in VERBS:
        assert re.search(rf"^ +pluginctl {verb}\b", text, re.MULTILINE), verb
    for part in ("EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "--follow", "NO_COLOR"):
        assert part in text
    for status in range(7):
        assert re.search(rf"^ +{status} ", text, re.MULTILINE), status
