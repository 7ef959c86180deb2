"""pluginctl doctor looks at the host and says what each missing thing costs."""

import subprocess

import pytest

from harness.ctl import FAILED, OK, Ctl
from harness.processes import mentioning, stopwatch
from harness.waiting import ROOT, eventually, seconds


@pytest.fixture(scope="module")
def nobody(tmp_path_factory):
    """A pluginctl without a supervisor."""
    return Ctl(tmp_path_factory.mktemp("doctor") / "supervisor.sock")


def finding(answer, name):
    (found,) = [f for f in answer.data["findings"] if f["name"] == name]
    return found


def program(directory, name, text):
    path = directory / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def test_a_host_that_runs_these_tests_is_fit(nobody, postgres):
    answer = nobody("doctor", "--database", postgres.url("postgres"))
    assert answer.code == OK, answer.text
    assert answer.data["success"] is True
    required = [f for f in answer.data["findings"] if f["required"]]
    assert {f["verdict"] for f in required} == {"ok"}
    assert {"kernel", "clone3", "pidfd", "interpreter", "database", "runtime directory"} <= {
        f["name"] for f in required
    }
    assert finding(answer, "database")["detail"].startswith("PostgreSQL ")
    assert "Python 3." in finding(answer, "interpreter")["detail"]
    assert finding(answer, "supervisor")["verdict"] == "skipped"


def test_a_supervisor_that_runs_is_seen(installation, ctl):
    answer = ctl("doctor", "--database", installation.database_url)
    assert answer.code == OK, answer.text
    assert finding(answer, "supervisor")["verdict"] == "ok"


def test_a_database_that_is_away_makes_it_unfit_and_keeps_its_password(nobody):
    url = "postgresql://u:geheim@127.0.0.1:1/db"
    answer = nobody("doctor", "--database", url)
    assert answer.code == FAILED and answer.data["success"] is False
    database = finding(answer, "database")
    assert (database["verdict"], database["required"]) == ("failed", True)
    assert database["cost"]
    assert "geheim" not in answer.text
    told = nobody.human("doctor", "--database", url)
    assert told.returncode == FAILED and "cannot run here" in told.stdout


def test_an_interpreter_that_hangs_costs_the_deadline_and_is_ended(nobody, tmp_path):
    python = program(tmp_path, "hangs", "sleep 600 & sleep 600\n")
    elapsed = stopwatch()
    answer = nobody("doctor", "--python", python.as_posix(), "--deadline", "1s")
    assert elapsed() < seconds(10)
    assert answer.code == FAILED
    assert "no answer within 1 s" in finding(answer, "interpreter")["detail"]
    assert finding(answer, "disk")["verdict"] == "ok"
    eventually(lambda: mentioning(python) == [], "what it had started is ended")


@pytest.mark.parametrize(
    "text, why",
    [
        ("echo 3 9 18 0\n", "3.11 or newer"),
        ("echo 3 14 0 1\n", "without the GIL"),
        ("echo Lua\n", "is no Python"),
        ("kill -SEGV $$\n", "is no Python"),
    ],
)
def test_an_interpreter_that_will_not_do_is_told_why(nobody, tmp_path, text, why):
    python = program(tmp_path, "python", text)
    answer = nobody("doctor", "--python", python.as_posix())
    assert answer.code == FAILED
    assert why in finding(answer, "interpreter")["detail"]


def test_an_interpreter_that_is_not_there_is_missing(nobody):
    answer = nobody("doctor", "--python", "/nowhere/python3")
    assert answer.code == FAILED and finding(answer, "interpreter")["verdict"] == "missing"


def test_a_runtime_directory_that_is_too_long_or_open_is_told(nobody, tmp_path):
    answer = nobody("doctor", "--runtime-dir", f"/tmp/{'x' * 100}")
    assert answer.code == FAILED and "bytes" in finding(answer, "runtime directory")["detail"]
    tmp_path.chmod(0o755)
    answer = nobody("doctor", "--runtime-dir", "/var/tmp")
    found = finding(answer, "runtime directory")
    assert answer.code == OK and found["verdict"] == "failed" and "chmod 700" in found["cost"]


def test_what_a_container_lacks_is_missing_with_its_cost(nobody):
    command = [nobody.program, "--socket", nobody.socket, "doctor"]
    told = subprocess.run(
        ["setpriv", "--bounding-set", "-sys_admin", *command],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.returncode == OK, told.stdout + told.stderr
    line = next(line for line in told.stdout.splitlines() if line.startswith("PID namespaces"))
    assert "missing" in line and "not permitted" in line
    assert "searching for it, not by the kernel" in told.stdout


def test_a_default_container_will_do(nobody):
    confined = ["/usr/bin/python3", ROOT / "tests/harness/confined.py", "container"]
    told = subprocess.run(
        [*confined, nobody.program, "--socket", nobody.socket, "doctor"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.returncode == OK, told.stdout + told.stderr
    lines = {line.split("  ")[0]: line for line in told.stdout.splitlines()}
    for missing in ("clone3", "PID namespaces", "mount namespaces", "user namespaces"):
        assert "missing" in lines[missing], lines[missing]
    assert "A supervisor can run here." in told.stdout
