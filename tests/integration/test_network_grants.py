"""Which hosts and ports a plugin reaches that was granted some, by TCP and UDP; and what is said of
it."""

import errno
import socket
import sys
from contextlib import ExitStack

import pytest

from harness.attempts import KEY, attempts_in
from harness.ctl import NOT_READY
from harness.installation import FULL_SANDBOX
from harness.waiting import eventually

PUBLIC = "203.0.113.9"  # Of a network for documentation: nobody is there.


@pytest.fixture
def servers():
    """Listens on one port of several of this machine's addresses, by TCP and UDP."""
    with ExitStack() as stack:
        probe = stack.enter_context(socket.socket())
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.listen()
        for host in ("127.0.0.2", "127.0.0.3", "127.0.3.4"):
            server = stack.enter_context(socket.socket())
            server.bind((host, port))
            server.listen()
        server = stack.enter_context(socket.socket(socket.AF_INET6))
        server.bind(("::1", port))
        server.listen()
        yield port


def network_of(fresh):
    return fresh.ctl.worker(KEY)["sandbox"]["network"]


def refused(answer, expected="EPERM"):
    assert answer.get("errno") == expected, answer
    return answer["text"]


@pytest.mark.parametrize("runtime", [None, {"python": sys.executable}], ids=["fork", "exec"])
def test_the_granted_host_is_reached_and_no_other(fresh, servers, runtime):
    inside = attempts_in(fresh, f"network.outbound=127.0.0.2:{servers}", runtime=runtime)
    assert inside("connect", host="127.0.0.2", port=servers) == {"got": True}
    assert inside("connect_mapped", host="127.0.0.2", port=servers) == {"got": True}
    text = refused(inside("connect", host="127.0.0.3", port=servers))
    missing = f"network.outbound=127.0.0.3:{servers}"
    assert f"connection to 127.0.0.3:{servers} refused: grant {missing}" in text
    refused(inside("connect_mapped", host="127.0.0.3", port=servers))
    refused(inside("connect", host="::1", port=servers))
    # "This machine", for those who listen on all of its addresses.
    refused(inside("connect", host="0.0.0.0", port=servers))
    # Landlock sees the port before the filter sees the host.
    refused(inside("connect", host="127.0.0.2", port=servers + 1), "EACCES")
    assert inside("connect_from_child", host="127.0.0.2", port=servers) == {"got": 0}
    assert inside("connect_from_child", host="127.0.0.3", port=servers) == {"got": errno.EPERM}
    shown = network_of(fresh)
    assert shown == {
        "hosts_by": "cgroup_bpf", "tcp_ports_by": "cgroup_bpf", "udp_by": "cgroup_bpf", "names": {}
    }  # fmt: skip
    assert fresh.ctl.worker(KEY)["sandbox"]["protections"]["hosts"]["in_force"]
    assert fresh.ctl.worker(KEY)["sandbox_tier"] == 3
    assert "hosts and ports, by cgroup_bpf" in fresh.ctl.human("show", KEY).stdout
    rest = fresh.start_gateway().rest
    assert rest.get(f"/api/supervisor/workers/{KEY}/").ok()["worker"]["sandbox"]["network"] == shown


def test_datagrams_are_held_to_the_same(fresh, servers):
    inside = attempts_in(fresh, f"network.outbound=127.0.0.2:{servers}")
    assert inside("send_datagram", host="127.0.0.2", port=servers) == {"got": 1}
    text = refused(inside("send_datagram", host="127.0.0.3", port=servers))
    assert f"datagram to 127.0.0.3:{servers} refused: grant network.outbound=" in text
    refused(inside("send_datagram", host="127.0.0.2", port=servers + 1))
    refused(inside("send_datagram", host=PUBLIC, port=53))
    text = refused(inside("bind_datagrams", port=servers + 1))
    assert f"grant network.listen={servers + 1}" in text
    assert inside("bind_datagrams", port=0) == {"got": True}


def test_a_name_is_granted_with_the_addresses_that_it_has(fresh, servers):
    inside = attempts_in(fresh, f"network.outbound=localhost:{servers}")
    assert inside("connect", host="localhost", port=servers) == {"got": True}
    assert inside("connect", host="127.0.0.1", port=servers) == {"got": True}
    refused(inside("connect", host="127.0.0.2", port=servers))
    names = network_of(fresh)["names"]
    assert list(names) == ["localhost"] and "127.0.0.1" in names["localhost"]["addresses"]
    # It can ask nobody for others, and so tell nobody anything by asking.
    answer = inside("look_up", name="other.example")
    assert "the name other.example cannot be looked up" in answer["text"]
    assert "grant network.outbound=other.example" in answer["text"]
    assert "127.0.0.1" in inside("look_up", name="localhost")["got"]


def test_a_name_that_nobody_knows_is_told_and_starts_nevertheless(fresh):
    inside = attempts_in(fresh, "network.outbound=nowhere.invalid:443")
    assert network_of(fresh)["names"]["nowhere.invalid"]["addresses"] == []
    fresh.ctl.await_log(KEY, "it was granted the host nowhere.invalid")
    refused(inside("connect", host=PUBLIC, port=443))


def test_a_network_is_granted_as_one(fresh, servers):
    inside = attempts_in(fresh, f"network.outbound=127.0.3.0/24:{servers}", "network.outbound=::1")
    assert inside("connect", host="127.0.3.4", port=servers) == {"got": True}
    assert inside("connect", host="::1", port=servers) == {"got": True}
    refused(inside("connect", host="127.0.0.3", port=servers))


@pytest.mark.parametrize("grant", ["*", "443"])
def test_anywhere_is_neither_this_machine_nor_its_neighbours(fresh, servers, grant):
    inside = attempts_in(fresh, f"network.outbound={grant}")
    assert inside("send_datagram", host=PUBLIC, port=443) == {"got": 1}
    for host in ("127.0.0.1", "0.0.0.0", "10.1.2.3", "172.17.0.1", "192.168.1.1", "100.64.0.1"):
        refused(inside("send_datagram", host=host, port=443))
        refused(inside("connect", host=host, port=443))
    for host in ("::1", "::", "fd00::1"):
        refused(inside("connect", host=host, port=443))
    for host in ("169.254.169.254", "fe80::1%1"):
        text = refused(inside("connect", host=host, port=443))
        assert "open to no plugin" in text
    if grant == "443":
        refused(inside("send_datagram", host=PUBLIC, port=444))


def test_anywhere_and_one_of_this_machine(fresh, servers):
    inside = attempts_in(fresh, "network.outbound=*", f"network.outbound=127.0.0.2:{servers}")
    assert inside("connect", host="127.0.0.2", port=servers) == {"got": True}
    refused(inside("connect", host="127.0.0.3", port=servers))
    assert inside("send_datagram", host=PUBLIC, port=444) == {"got": 1}


def test_where_clouds_tell_their_secrets_nobody_comes(fresh):
    inside = attempts_in(fresh, "network.outbound=169.254.169.254:80", "network.outbound=169.254.0.0/16")
    assert "open to no plugin" in refused(inside("connect", host="169.254.169.254", port=80))


def test_who_may_listen_may_not_connect(fresh, servers):
    inside = attempts_in(fresh, f"network.listen={servers + 1}")
    assert inside("listen", port=servers + 1) == {"got": True}
    assert inside("bind_datagrams", port=servers + 1) == {"got": True}
    refused(inside("listen", port=servers + 2), "EACCES")
    refused(inside("connect", host="127.0.0.2", port=servers), "EACCES")
    refused(inside("send_datagram", host="127.0.0.2", port=servers))


def test_without_landlock_the_filter_sees_to_ports_as_well(fresh, servers):
    inside = attempts_in(fresh, f"network.outbound=127.0.0.2:{servers}", sandbox="files=off,ports=off")
    assert inside("connect", host="127.0.0.2", port=servers) == {"got": True}
    refused(inside("connect", host="127.0.0.2", port=servers + 1))
    refused(inside("listen", port=servers + 1))


def test_a_filter_outlives_its_supervisor(fresh, servers):
    granted = (f"network.outbound=127.0.0.2:{servers}", f"network.outbound=localhost:{servers}")
    inside = attempts_in(fresh, *granted)
    pid = fresh.ctl.worker(KEY)["pid"]
    fresh.kill_supervisor()
    fresh.start_supervisor(**FULL_SANDBOX)
    assert fresh.ctl.await_state(KEY, "running")["pid"] == pid
    assert network_of(fresh)["hosts_by"] == "cgroup_bpf"
    assert inside("connect", host="127.0.0.2", port=servers) == {"got": True}
    assert inside("connect", host="localhost", port=servers) == {"got": True}
    refused(inside("connect", host="127.0.0.3", port=servers))
    eventually(lambda: network_of(fresh)["names"]["localhost"]["addresses"], "it is known again")
    assert inside("connect", host="localhost", port=servers) == {"got": True}


def test_without_a_grant_the_network_is_its_own(fresh):
    attempts_in(fresh)
    by = dict.fromkeys(("hosts_by", "tcp_ports_by", "udp_by"), "network_namespace")
    assert network_of(fresh) == {**by, "names": {}}
    assert "its own, with loopback alone" in fresh.ctl.human("show", KEY).stdout


# What is left where the filter cannot be had: ports alone, and the API says so.
@pytest.mark.parametrize("flags", [{"sandbox": "hosts=off"}, {"limit_mechanism": "sampling"}], ids=str)
def test_without_the_filter_only_ports_are_enforced_and_that_is_said(fresh, servers, flags):
    inside = attempts_in(fresh, f"network.outbound=127.0.0.2:{servers}", **flags)
    assert inside("connect", host="127.0.0.3", port=servers) == {"got": True}
    refused(inside("connect", host="127.0.0.2", port=servers + 1), "EACCES")
    # Nothing needs to be looked up: no UDP then.
    refused(inside("send_datagram", host=PUBLIC, port=53), "EACCES")
    shown = network_of(fresh)
    assert (shown["hosts_by"], shown["tcp_ports_by"], shown["udp_by"]) == (None, "landlock", "seccomp")
    hosts = fresh.ctl.worker(KEY)["sandbox"]["protections"]["hosts"]
    assert not hosts["in_force"] and hosts["because"]
    assert "ports alone, by landlock; any host, and no UDP" in fresh.ctl.human("show", KEY).stdout


def test_hosts_can_be_required(fresh):
    fresh.install("hostile/attempts", KEY)
    fresh.start_supervisor(
        **{**FULL_SANDBOX, "sandbox": "hosts=required"}, limit_mechanism="sampling"
    )
    fresh.ctl("permissions", "grant", KEY, "network.outbound=127.0.0.2:80").ok()
    answer = fresh.ctl("enable", KEY)
    assert (answer.code, answer.data["code"]) == (NOT_READY, "sandbox_unavailable")
    assert '"hosts" is required' in answer.data["error"]
    # Nothing granted, nothing to be told apart.
    fresh.ctl("permissions", "revoke", KEY, "--all").ok()
    fresh.ctl("restart", KEY).ok()
    assert fresh.ctl.await_state(KEY, "running")["sandbox"]["protections"]["hosts"]["in_force"]
