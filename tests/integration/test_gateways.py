"""Gateways keep no state: any number of them, and every restart heals by itself."""

import os
import signal
import threading
import time

import pytest

from harness.processes import frozen, stopwatch
from harness.waiting import eventually, seconds

PLUGINS = ["samples/results", "samples/slow", "hostile/infinite_loop"]
FLAGS = {"call_timeout": "2s"}


@pytest.fixture(scope="module", autouse=True)
def enabled(ctl):
    ctl.enable("results", "slow", "infinite_loop")


def test_two_gateways_serve_one_supervisor(installation):
    first, second = installation.start_gateway(), installation.start_gateway()
    first.rest.settings("results", {"seen": "by both"}).ok()
    assert second.rest.plugin("results")["settings"] == {"seen": "by both"}
    second.rest.enable("slow", False).ok()
    assert first.rest.plugin("slow")["enabled"] is False
    first.rest.enable("slow").ok()
    assert first.terminate() == 0
    assert second.rest.run("results", "int").ok()["result"]["result"] == 42
    assert second.terminate() == 0


def test_a_gateway_may_start_before_the_supervisor_and_waits_for_it(fresh):
    fresh.install("samples/results")
    gateway = fresh.start_gateway()
    assert gateway.rest.get("/healthz").status == 200
    assert gateway.rest.get("/readyz").status == 503
    refused = gateway.rest.get("/api/plugins/plugins/")
    assert (refused.status, refused.data["code"]) == (503, "supervisor_unavailable")
    fresh.start_supervisor()
    eventually(lambda: gateway.rest.get("/readyz").status == 200, "it is ready", within=20)
    assert "results" in gateway.rest.plugins()


def test_a_restart_of_the_supervisor_heals_by_itself(fresh):
    fresh.install("samples/results")
    fresh.start_supervisor()
    gateway = fresh.start_gateway()
    gateway.rest.enable("results").ok()
    fresh.supervisor.terminate()
    elapsed = stopwatch()
    refused = gateway.rest.run("results", "int")
    assert (refused.status, refused.data["code"]) == (503, "supervisor_unavailable")
    assert elapsed() < seconds(5)
    assert gateway.rest.get("/readyz").status == 503
    fresh.start_supervisor()
    eventually(
        lambda: gateway.rest.run("results", "int").status == 200, "it answers again", within=20
    )


def test_a_supervisor_that_is_killed_under_a_call_is_told_to_the_caller(fresh):
    fresh.install("samples/slow")
    fresh.start_supervisor()
    gateway = fresh.start_gateway()
    gateway.rest.enable("slow").ok()
    answers = []
    caller = threading.Thread(
        target=lambda: answers.append(gateway.rest.run("slow", "work", {"seconds": 30}))
    )
    caller.start()
    fresh.ctl.await_in_flight("slow", 1)
    fresh.supervisor.signal(signal.SIGKILL)
    caller.join(seconds(10))
    assert answers and answers[0].status == 503
    assert answers[0].data["code"] == "supervisor_unavailable"
    fresh.supervisor.wait(10)
    fresh.start_supervisor()
    eventually(lambda: gateway.rest.run("slow", "status").status == 200, "it heals", within=20)


def test_a_call_past_the_default_deadline_is_504(installation):
    gateway = installation.start_gateway()
    elapsed = stopwatch()
    late = gateway.rest.run("infinite_loop", "loop")
    assert (late.status, late.data["code"]) == (504, "deadline_exceeded")
    assert elapsed() < seconds(5)
    assert gateway.rest.run("results", "int").status == 200
    gateway.terminate()
    installation.ctl.disable("infinite_loop")


def test_a_gateway_drains_on_sigterm(installation):
    """What is under way is answered; then it ends, without waiting for idle connections."""
    gateway = installation.start_gateway()
    idle = gateway.rest.connection()
    idle.connect()
    answers = []
    caller = threading.Thread(
        target=lambda: answers.append(gateway.rest.run("slow", "work", {"seconds": 1}))
    )
    caller.start()
    installation.ctl.await_in_flight("slow", 1)
    gateway.signal(signal.SIGTERM)
    assert gateway.wait(15) == 0
    caller.join(seconds(5))
    assert answers[0].ok()["result"]["status"] == "ok"
    idle.close()


def test_a_supervisor_that_does_not_answer_does_not_hang_its_callers_for_ever(installation):
    gateway = installation.start_gateway()
    with frozen(installation.supervisor.pid):
        assert gateway.rest.get("/healthz").status == 200
        elapsed = stopwatch()
        assert gateway.rest.get("/readyz", within=20).status == 503
        assert elapsed() < seconds(10)
    eventually(lambda: gateway.rest.get("/readyz").status == 200, "it is ready again")
    gateway.terminate()


def test_readiness_tells_of_the_database(postgres):
    from harness.installation import Installation
    from harness.postgres import Postgres

    own = Postgres()
    installation = Installation(own)
    try:
        installation.install("samples/results")
        installation.start_supervisor()
        rest = installation.start_gateway().rest
        rest.enable("results").ok()
        assert rest.get("/readyz").status == 200
        own.stop()
        eventually(lambda: rest.get("/readyz").status == 503, "not ready", within=20)
        assert rest.get("/healthz").status == 200
        assert rest.run("results", "int").status == 200, "no query on the way of a call"
        refused = rest.enable("results", False)
        assert (refused.status, refused.data["code"]) == (503, "database_unavailable")
        assert "retry-after" in refused.headers
        own.start()
        eventually(lambda: rest.get("/readyz").status == 200, "ready again", within=20)
        rest.enable("results", False).ok()
    finally:
        installation.close()
        own.close()


def test_a_busy_gateway_answers_many_callers_at_once(installation):
    gateway = installation.start_gateway()
    answers, lock = [], threading.Lock()

    def call(n):
        result = gateway.rest.run("results", "echo", {"n": n}).ok()["result"]["params"]["n"]
        with lock:
            answers.append(result)

    callers = [threading.Thread(target=call, args=(n,)) for n in range(100)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(seconds(30))
    assert sorted(answers) == list(range(100))
    gateway.terminate()


def test_a_slow_sender_is_cut_off(installation):
    """A request that never ends holds nothing for ever."""
    gateway = installation.start_gateway(header_timeout="1s")
    connection = gateway.rest.connection(within=20)
    connection.connect()
    connection.sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
    begin = time.monotonic()
    answer = connection.sock.recv(4096)
    assert answer == b"" or b" 408 " in answer
    assert time.monotonic() - begin < seconds(15)
    connection.close()
    gateway.terminate()


def test_the_token_is_not_on_the_command_line(installation):
    gateway = installation.start_gateway()
    with open(f"/proc/{gateway.pid}/cmdline", "rb") as file:
        assert os.fsencode(installation.token) not in file.read()
    gateway.terminate()
