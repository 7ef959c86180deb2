"""What the daemons tell a service manager, and the units in deploy/systemd."""

import os
import re
import shutil
import socket
import subprocess

import pytest

from harness.processes import Daemon, frozen
from harness.waiting import ROOT, build_dir, seconds

UNITS = ROOT / "deploy" / "systemd"


class ServiceManager:
    """Its end of the protocol of sd_notify(3)."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.seen = []

    def environment(self, address, watchdog=None):
        environment = {"NOTIFY_SOCKET": address}
        if watchdog:
            environment["WATCHDOG_USEC"] = str(int(watchdog * 1_000_000))
        return environment

    def next(self, within=20.0):
        self.socket.settimeout(seconds(within))
        self.seen.append(self.socket.recv(4096).decode())
        return self.seen[-1]

    def next_but_alive(self):
        while self.next() == "WATCHDOG=1":
            pass
        return self.seen[-1]

    def rest(self):
        self.socket.setblocking(False)
        try:
            while True:
                self.seen.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            return self.seen


@pytest.fixture(params=["path", "abstract"])
def manager(request, fresh):
    name = str(fresh.directory / "notify")
    made = ServiceManager("\0" + name if request.param == "abstract" else name)
    made.address = "@" + name if request.param == "abstract" else name
    yield made
    made.socket.close()


def start(fresh, manager, name, command, watchdog):
    environment = {
        **os.environ,
        "DATABASE_URL": fresh.database_url,
        **manager.environment(manager.address, watchdog),
    }
    daemon = Daemon(name, command, fresh.directory / f"{name}.log", environment, fresh.directory)
    fresh.daemons.append(daemon)
    return daemon


def test_the_supervisor_says_that_it_is_ready_alive_and_stopping_in_this_order(fresh, manager):
    code = """
    import os
    class Plugin:
        def run(self, *_):
            return dict(os.environ)
    """
    fresh.write("environment", code)
    supervisor = start(
        fresh, manager, "plugin-supervisor", fresh.supervisor_command(), watchdog=0.4
    )
    assert manager.next_but_alive() == "READY=1"
    supervisor.ready_line()
    for _ in range(3):
        assert manager.next(within=2) == "WATCHDOG=1"
    # Nothing that it starts speaks in its name.
    fresh.ctl.enable("environment")
    inherited = fresh.ctl.result("environment", "any")
    assert not [name for name in inherited if name.startswith(("NOTIFY_", "WATCHDOG_"))]
    # A core that hangs falls silent.
    with frozen(supervisor.pid):
        manager.rest()
        with pytest.raises(TimeoutError):
            manager.next(within=1)
    assert supervisor.terminate() == 0
    manager.rest()
    told = [message for message in manager.seen if message != "WATCHDOG=1"]
    assert told == ["READY=1", "STOPPING=1"]


def test_the_gateway_says_that_it_is_ready_alive_and_stopping_in_this_order(fresh, manager):
    command = [
        build_dir() / "api_gateway/plugin-gateway",
        *("--listen", "127.0.0.1:0", "--threads", "2"),
        *("--supervisor-socket", fresh.socket, "--token-file", fresh.token_file),
    ]
    gateway = start(fresh, manager, "plugin-gateway", command, watchdog=0.4)
    assert manager.next() == "READY=1"
    for _ in range(3):
        assert manager.next(within=2) == "WATCHDOG=1"
    assert gateway.terminate() == 0
    manager.rest()
    told = [message for message in manager.seen if message != "WATCHDOG=1"]
    assert told == ["READY=1", "STOPPING=1"]


def test_without_a_watchdog_nothing_is_said_of_being_alive(fresh, manager):
    supervisor = start(
        fresh, manager, "plugin-supervisor", fresh.supervisor_command(), watchdog=None
    )
    supervisor.ready_line()
    assert supervisor.terminate() == 0
    assert manager.rest() == ["READY=1", "STOPPING=1"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_the_units_are_what_systemd_takes(tmp_path):
    for unit in UNITS.glob("*.service"):
        text = unit.read_text()
        name = unit.name.removesuffix(".service")
        program = next(build_dir().glob(f"*/{name}"))
        # The programs are where they were built, not where the units want them.
        (tmp_path / unit.name).write_text(text.replace(f"/usr/local/bin/{name}", str(program)))
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *tmp_path.glob("*.service")],
        capture_output=True,
        text=True,
    )
    ours = [line for line in checked.stderr.splitlines() if str(tmp_path) in line]
    assert not ours and checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("unit", ["plugin-supervisor", "plugin-gateway"])
def test_the_units_use_flags_that_there_are(unit):
    program = next(build_dir().glob(f"*/{unit}"))
    known = subprocess.run([program, "--help"], capture_output=True, text=True).stdout
    text = (UNITS / f"{unit}.service").read_text()
    command = re.search(r"^ExecStart=((?:.*\\\n)*.*)$", text, re.M).group(1)
    flags = re.findall(r"--[a-z-]+", command)
    assert flags and all(flag in known for flag in flags)
