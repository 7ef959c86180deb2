"""Workers are forked by a spawner: what they share, what they do not, and who heals it."""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
        if action == "environment":
            return {"environment": dict(os.environ), "threads": threading.active_count()}
        if action == "processes":
            return {"pids": [int(name) for name in os.listdir("/proc") if name.isdigit()]}
        return {"pid": os.getpid(), "parent": os.getppid()}
"""
KEYS = ("first", "second", "third")


def prepare(installation):
    for key in (*KEYS, "after_death"):
        installation.write(key, TELLS)


def spawners_of(installation) -> list[int]:
    daemon = installation.supervisor.pid
    return [
        pid
        for pid, _ in descendants(daemon)
        if parent(pid) == daemon and name_of(pid).startswith("python")
    ]


def spawner_of(installation) -> int:
    (found,) = spawners_of(installation)
    return found


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
    # The start may have taken a worker that was spare.
    eventually(
        lambda: (now := spawners_of(installation)) and now != [before], "there is another spawner"
    )
    assert is_alive(worker)
    assert ctl.result("first", "pid")["pid"] == worker[0]


def test_a_killed_init_takes_its_worker_along_and_both_come_back(ctl):
    worker = identity(ctl.enable("second")[0]["worker"]["pid"])
    os.kill(parent(worker[0]), signal.SIGKILL)
    eventually(lambda: not is_alive(worker), "the worker ends with its init")
    again = ctl.await_state("second", "running")
    assert again["pid"] != worker[0]
    assert again["last_crash"]["signal"] == "SIGKILL"


def events(installation, name):
    """What the supervisor, which logs as JSON, has said of this so far."""
    lines = installation.supervisor.log().splitlines(keepends=True)
    told = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]
    return [event for event in told if event["event"] == name]


def workers_of(installation):
    """Spare ones are called otherwise."""
    daemon = installation.supervisor.pid
    return [pid for pid, _ in descendants(daemon) if name_of(pid) == "plugin-worker"]


def test_a_spawner_that_does_not_answer_is_replaced_within_the_start(fresh):
    fresh.write("while_stuck", TELLS)
    fresh.start_supervisor(log_format="json", spare_workers=0)
    eventually(lambda: events(fresh, "spawner.ready"), "the spawner is ready")
    stuck = spawner_of(fresh)
    with frozen(stuck):
        plugin = fresh.ctl.enable("while_stuck")[0]
        assert plugin["worker"]["state"] == "running", plugin
    eventually(lambda: identity(stuck) is None, "the stuck one is gone")


def test_two_hundred_starts_side_by_side_outlive_three_deaths_of_the_spawner(fresh):
    keys = [f"burst_{number:03}" for number in range(200)]
    for key in keys:
        fresh.write(key, TELLS)
    fresh.start_supervisor(log_format="json")
    rest = fresh.start_gateway().rest
    first = identity(fresh.ctl.enable(keys[0])[0]["worker"]["pid"])
    with ThreadPoolExecutor(len(keys)) as pool:
        enabling = [pool.submit(rest.enable, key) for key in keys[1:]]
        for death in range(1, 4):
            eventually(
                lambda: len(events(fresh, "spawner.ready")) == death
                and len(events(fresh, "worker.forked")) >= 40 * death,
                f"spawner {death} has forked some of the workers",
                within=60,
            )
            os.kill(events(fresh, "spawner.started")[-1]["pid"], signal.SIGKILL)
            eventually(
                lambda: len(events(fresh, "spawner.ended")) == death, "its end is noticed"
            )
        enabled = [call.result().ok()["plugin"] for call in enabling]
        told = list(pool.map(lambda key: rest.run(key, "random").ok(), keys))
    assert [plugin["worker"]["state"] for plugin in enabled] == ["running"] * 199
    assert [plugin["worker"]["restarts"] for plugin in enabled] == [0] * 199
    assert is_alive(first), "what the first spawner had forked goes on"
    assert len(events(fresh, "spawner.started")) == 4
    for kind in ("random", "ssl", "uuid4", "uuid1"):
        assert len({answer["result"][kind] for answer in told}) == len(keys), kind
    # A fork whose spawner died before it could tell of it finds no way in.
    eventually(lambda: len(workers_of(fresh)) == len(keys), "no worker that nobody knows", 30)


def test_a_plugin_that_is_disabled_while_it_waits_for_its_turn_is_not_forked(fresh):
    # More than the spawner is asked for at a time.
    keys = [f"line_{number:02}" for number in range(20)]
    for key in (*keys, "last"):
        fresh.write(key, TELLS)
    fresh.start_supervisor(log_format="json")
    ctl = fresh.ctl
    eventually(lambda: events(fresh, "spawner.ready"), "the spawner is ready")
    enable = "UPDATE plugins_pluginconfig SET enabled = true WHERE key"
    # By statements, not by clients: a spawner that says nothing for 5 s is given up.
    with frozen(spawner_of(fresh)):
        fresh.sql(f"{enable} LIKE 'line_%'")
        eventually(
            lambda: len([e for e in events(fresh, "plugin.state") if e["to"] == "starting"]) == 20,
            "all wait for the spawner",
        )
        fresh.sql(f"{enable} = 'last'")
        ctl.await_state("last", "starting")
        fresh.sql("UPDATE plugins_pluginconfig SET enabled = false WHERE key = 'last'")
        eventually(lambda: not ctl.show("last")["enabled"], "it is known to be disabled")
    for key in keys:
        ctl.await_state(key, "running")
    ctl.await_state("last", "disabled")
    states = {key: plugin["worker"]["state"] for key, plugin in ctl.list().items()}
    assert states == {**dict.fromkeys(keys, "running"), "last": "disabled"}
    assert "last" not in [event["plugin"] for event in events(fresh, "worker.forked")]
    assert "state.forbidden" not in fresh.supervisor.log()


def test_a_worker_inherits_no_secret_and_no_thread(ctl, installation):
    ctl.enable("first")
    told = ctl.result("first", "environment")
    assert told["threads"] == 1
    secrets = {installation.database_url, installation.token}
    assert not secrets & set(told["environment"].values())
    assert not [name for name in told["environment"] if name in ("DATABASE_URL", "PGPASSWORD")]
    worker = ctl.worker("first")["pid"]
    environ = Path(f"/proc/{worker}/environ").read_bytes()
    assert not [secret for secret in secrets if secret.encode() in environ]
