"""Where no PID namespace can be had, as in a default container, everything still ends."""

import os
import signal

import pytest

from harness.processes import descendants, is_alive, name_of, parent
from harness.waiting import eventually

# A supervisor that may do what root may, but not administer the system.
WITHOUT_NAMESPACES = ("setpriv", "--bounding-set", "-sys_admin")

LEAVES = """
import os, signal, subprocess, sys, time
class Plugin:
    def run(self, action, params, context):
        if action == "leave":
            double = ("import os, time\\n"
                      "if os.fork(): os._exit(0)\\n"
                      "os.setsid()\\n"
                      "if os.fork(): os._exit(0)\\n"
                      "time.sleep(3600)\\n")
            subprocess.Popen(["sleep", "3600"])
            subprocess.run([sys.executable, "-c", double])
            stubborn = "import signal, time; signal.signal(15, 1); print(1, flush=True); time.sleep(3600)"
            child = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE)
            child.stdout.readline()
            if os.fork() == 0:
                time.sleep(3600)
                os._exit(0)
        if action == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        if action == "exit":
            os._exit(3)
        return {"pid": os.getpid()}
"""


@pytest.fixture
def ctl(fresh):
    fresh.supervisor_prefix = WITHOUT_NAMESPACES
    fresh.write("leaves", LEAVES)
    fresh.start_supervisor(restart_first_delay="50ms")
    eventually(lambda: "spawner.ready" in fresh.supervisor.log(), "the spawner is ready")
    assert "pid_namespace=false" in fresh.supervisor.log(), fresh.supervisor.log_tail()
    return fresh.ctl


def leave_things(ctl):
    worker = ctl.enable("leaves")[0]["worker"]["pid"]
    assert name_of(parent(worker)) == "plugin-init"
    assert ctl.result("leaves", "leave")["pid"] == worker
    below = descendants(parent(worker))
    assert len(below) >= 5, "the worker and four that it has left"
    return worker, below


@pytest.mark.parametrize("verb", ["disable", "stop", "restart", "kill"])
def test_whatever_ends_a_worker_ends_all_that_it_started(ctl, verb):
    _, below = leave_things(ctl)
    ctl(verb, "leaves").ok()
    assert not [p for p in below if is_alive(p)]


def test_a_crash_ends_all_that_the_worker_started(ctl):
    _, below = leave_things(ctl)
    assert ctl.run("leaves", "segfault").data["signal"] == "SIGSEGV"
    eventually(lambda: not [p for p in below if is_alive(p)], "nothing is left")
    assert ctl.await_state("leaves", "running")


def test_an_exit_code_is_told(ctl):
    ctl.enable("leaves")
    answer = ctl.run("leaves", "exit")
    assert answer.data["code"] == "worker_exited"
    assert answer.data["exit_code"] == 3


def test_what_a_killed_init_leaves_is_ended_as_well(ctl):
    worker, below = leave_things(ctl)
    os.kill(parent(worker), signal.SIGKILL)
    eventually(lambda: not [p for p in below if is_alive(p)], "nothing is left")
    assert ctl.await_state("leaves", "running")["pid"] != worker
