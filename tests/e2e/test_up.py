"""deploy/up and deploy/down: two commands, clear errors, nothing left behind."""

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from harness.deployment import (
    Deployment,
    Foreground,
    down,
    environment,
    started_for,
    up,
    up_command,
)
from harness.processes import descendants, is_alive
from harness.waiting import ROOT, eventually


def one_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 1, text
    return lines[0]


def refusal(done, state) -> str:
    """What a deploy/up that did not start says, on its last line."""
    assert done.returncode != 0
    assert done.stdout == ""
    assert started_for(state) == []
    return done.stderr.strip().splitlines()[-1]


@pytest.fixture
def foreground(place):
    started = []

    def start(*arguments, **variables):
        started.append(Foreground(place / f"state{len(started)}", *arguments, **variables))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_when_ready_it_prints_one_line_of_json_and_everything_works(own):
    told = json.loads(one_line(own.said.stdout))
    assert set(told) == {"url", "token", "state"}
    assert told["url"].startswith("http://127.0.0.1:")
    assert own.rest.get("/readyz").status == 200
    assert "hello" in own.rest.plugins(), "one sample plugin is copied in"
    own.rest.enable("hello").ok()
    assert own.rest.run("hello", "greet").ok()["result"]["message"] == "Hello, World!"


def test_the_token_and_the_database_are_closed_to_other_users(own):
    assert (own.state / "token").stat().st_mode & 0o077 == 0
    assert (own.state / "postgres").stat().st_mode & 0o077 == 0
    assert (own.state / "log").stat().st_mode & 0o077 == 0


def test_up_on_a_state_that_already_runs_is_refused_and_harms_it_not(own):
    done = up("--state", own.state, "--listen", "127.0.0.1:0", "--detach")
    assert done.returncode != 0
    assert own.told["url"] in one_line(done.stderr)
    assert own.rest.get("/readyz").status == 200


def test_two_instances_run_side_by_side(own, deployment):
    assert own.told["url"] != deployment.told["url"]
    assert own.told["token"] != deployment.told["token"]
    own.rest.enable("hello").ok()
    deployment.rest.enable("hello", False).ok()
    assert own.rest.run("hello", "greet").status == 200
    assert deployment.rest.run("hello", "greet").status == 403
    assert deployment.rest.get("/api/plugins/plugins/", token=own.told["token"]).status == 401


def test_what_was_enabled_and_the_token_outlive_down_a_kill_and_another_instance(place, deployment):
    first = Deployment.detached(place / "state")
    first.rest.enable("hello").ok()
    first.rest.settings("hello", {"greeting": "Again"}).ok()
    first.down()
    assert os.listdir(place / "state" / "plugins") == ["hello"], "the state stays"
    assert deployment.rest.get("/readyz").status == 200, "stopping one leaves the other"

    second = Deployment.detached(place / "state")
    assert second.told["token"] == first.told["token"]
    second.ctl.await_state("hello", "running")
    assert second.rest.run("hello", "greet").ok()["result"]["message"] == "Again, World!"
    for name in ("supervisor", "gateway", "postgres"):
        os.kill(int((place / "state" / "pids" / name).read_text().split()[0]), signal.SIGKILL)

    third = Deployment.detached(place / "state")
    third.ctl.await_state("hello", "running")
    assert third.rest.run("hello", "greet").ok()["result"]["message"] == "Again, World!"
    third.down()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_everything_and_leaves_no_process(foreground, number):
    one = foreground()
    made = one.ready()
    made.rest.enable("hello").ok()
    below = descendants(one.process.pid)
    assert len(below) >= 4, "PostgreSQL, supervisor, gateway, worker"
    if number == signal.SIGINT:
        one.press_control_c()
    else:
        one.process.send_signal(number)
    one.wait()
    eventually(lambda: not [p for p in below if is_alive(p)], "nothing is left")
    assert started_for(one.state) == []


def test_ctrl_c_while_it_starts_leaves_no_process(foreground):
    one = foreground()
    eventually(
        lambda: (one.state / "pids" / "postgres").exists(), "PostgreSQL is started", within=60
    )
    one.press_control_c()
    assert one.wait() != 0
    eventually(lambda: started_for(one.state) == [], "nothing is left")


def test_down_stops_one_in_the_foreground_as_well(foreground):
    one = foreground()
    one.ready()
    assert down(one.state).returncode == 0
    one.wait()
    eventually(lambda: started_for(one.state) == [], "nothing is left")


def test_a_part_that_ends_by_itself_ends_the_rest_and_is_named(foreground):
    one = foreground()
    made = one.ready()
    pid = int((made.state / "pids" / "supervisor").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    assert one.wait() != 0
    assert "supervisor ended by itself" in one.log_path.read_text()
    eventually(lambda: started_for(one.state) == [], "nothing is left")


def test_down_says_so_when_nothing_runs(place):
    done = down(place / "none")
    assert done.returncode == 0
    assert "nothing runs" in one_line(done.stderr)


# Errors


def test_a_port_that_is_taken_is_named(place):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = up("--state", place / "state", "--listen", f"127.0.0.1:{port}", "--detach")
        assert str(port) in one_line(done.stderr)
        refusal(done, place / "state")


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["--no-such-flag"], "--no-such-flag"),
        (["word"], "word"),
        (["--state"], "--state"),
        (["--listen", "nowhere"], "nowhere"),
        (["--listen", "127.0.0.1:99999"], "99999"),
        (["--plugins", "/no/such/directory"], "/no/such/directory"),
        (["--plugins", "--detach"], "--plugins"),
    ],
)
def test_a_wrong_argument_is_told_in_one_line(place, arguments, named):
    done = subprocess.run(
        up_command(*arguments),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(),
        cwd=place,
    )
    assert done.returncode != 0
    assert done.stdout == ""
    assert named in one_line(done.stderr)


def test_a_state_that_cannot_be_written_is_told_in_one_line(place):
    (place / "file").write_text("in the way")
    done = up("--state", place / "file" / "state", "--detach")
    assert "state" in one_line(done.stderr)
    refusal(done, place / "file")


@pytest.mark.parametrize(
    "url", ["postgresql:///none?host=/no/such/place", "postgresql://%zz", "nonsense"]
)
def test_a_database_that_does_not_work_is_told_and_nothing_is_left(place, url):
    done = up("--state", place / "state", "--listen", "127.0.0.1:0", "--detach", DATABASE_URL=url)
    assert "database" in refusal(done, place / "state").lower()


def test_a_given_database_is_used_and_its_password_told_to_nobody(place, postgres):
    url = postgres.create("given_to_up") + "&password=a-secret-word"
    made = Deployment.detached(place / "state", DATABASE_URL=url)
    assert not (place / "state" / "postgres").exists(), "none is started"
    made.rest.enable("hello").ok()
    assert (
        postgres.query("given_to_up", "SELECT key, enabled FROM plugins_pluginconfig") == "hello|t"
    )
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [line for line in lines if b"a-secret-word" in line]
    worker = made.ctl.worker("hello")["pid"]
    assert (
        b"a-secret-word" not in Path(f"/proc/{worker}/environ").read_bytes()
    ), "nor does a plugin get it"
    made.down()


def test_help_is_for_people_and_no_error():
    done = subprocess.run(
        [ROOT / "deploy" / "up", "--help"], capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 0
    for flag in ("--plugins", "--state", "--listen", "--detach", "--no-install"):
        assert flag in done.stdout
