"""Workers are forked by a spawner: what they share, what they do not, and who heals it."""

import os
import signal

from harness.processes import descendants, frozen, identity, is_alive, name_of, parent
from harness.waiting import eventually

TELLS = """
import os, random, ssl, threading, uuid
class Plugin:
    def run(self, action, params, context):
        if action == "random":
            return {"random": random.random(), "ssl": ssl.RAND_bytes(16).hex(),
                    "uuid4": str(uuid.uuid4()), "uuid1": str(uuid.uuid1())}
        if action == "open":
            return {"open": {fd: os.readlink(f"/proc/self/fd/{fd}")
                             for fd in os.listdir("/proc/self/fd")
                             if os.path.islink(f"/proc/self/fd/{fd}")}}
        if action == "processes":
            return {"pids": [int(name) for name in os.listdir("/proc") if name.isdigit()]}
        return {"pid": os.getpid(), "parent": os.getppid()}
"""
KEYS = ("first", "second", "third")


def prepare(installation):
    for key in (*KEYS, "while_stuck", "after_death"):
        installation.write(key, TELLS)


def spawner_of(installation) -> int:
    daemon = installation.supervisor.pid
    found = [
        pid
        for pid, _ in descendants(daemon)
        if parent(pid) == daemon and name_of(pid).startswith("python")
    ]
    assert len(found) == 1, found
    return found[0]


def test_a_worker_has_an_init_that_is_a_child_of_the_supervisor(ctl, installation):
    worker = ctl.enable("first")[0]["worker"]["pid"]
    init = parent(worker)
    assert name_of(init) == "plugin-init"
    assert parent(init) == installation.supervisor.pid


def test_a_plugin_sees_the_process_number_that_an_admin_sees(ctl):
    worker = ctl.enable("first")[0]["worker"]["pid"]
    assert ctl.result("first", "pid") == {"pid": worker, "parent": 1}


def test_a_plugin_sees_no_process_but_its_own(ctl):
    worker = ctl.enable("first")[0]["worker"]["pid"]
    assert sorted(ctl.result("first", "processes")["pids"]) == [1, worker]


def test_forked_workers_do_not_share_their_random_numbers(ctl):
    ctl.enable(*KEYS)
    told = [ctl.result(key, "random") for key in KEYS]
    for kind in told[0]:
        assert len({answer[kind] for answer in told}) == len(KEYS), kind


def test_a_worker_holds_no_descriptor_of_the_spawner_or_of_another_worker(ctl, installation):
    ctl.enable(*KEYS)
    opened = ctl.result("third", "open")["open"]
    sockets = [fd for fd, target in opened.items() if target.startswith("socket:")]
    assert len(sockets) == 1, f"only its link: {opened}"
    launches = {
        os.path.dirname(target)
        for target in opened.values()
        if target.startswith(str(installation.runtime_dir))
    }
    assert len(launches) == 1, f"only its own pipes: {opened}"


def test_workers_go_on_when_their_spawner_dies_and_the_next_start_makes_another(ctl, installation):
    worker = identity(ctl.enable("first")[0]["worker"]["pid"])
    before = spawner_of(installation)
    os.kill(before, signal.SIGKILL)
    after = ctl.enable("after_death")[0]
    assert after["worker"]["state"] == "running"
    assert spawner_of(installation) != before
    assert is_alive(worker)
    assert ctl.result("first", "pid")["pid"] == worker[0]


def test_a_spawner_that_does_not_answer_is_replaced_within_the_start(ctl, installation):
    stuck = spawner_of(installation)
    with frozen(stuck):
        plugin = ctl.enable("while_stuck")[0]
        assert plugin["worker"]["state"] == "running", plugin
    eventually(lambda: identity(stuck) is None, "the stuck one is gone")


def test_a_killed_init_takes_its_worker_along_and_both_come_back(ctl):
    worker = identity(ctl.enable("second")[0]["worker"]["pid"])
    os.kill(parent(worker[0]), signal.SIGKILL)
    eventually(lambda: not is_alive(worker), "the worker ends with its init")
    again = ctl.await_state("second", "running")
    assert again["pid"] != worker[0]
    assert again["last_crash"]["signal"] == "SIGKILL"
