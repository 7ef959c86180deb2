"""The battery of attacks, run by `pluginctl doctor --attack` where a host gives more or less to make
a sandbox of."""

import contextlib
import ctypes
import errno
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from .installation import FULL_SANDBOX, WITHOUT_NAMESPACES, Installation
from .processes import descendants, name_of, parent
from .waiting import ROOT

sys.path.append(str(ROOT / "worker_shim"))
from plugin_worker.attacks import battery  # noqa: E402
from plugin_worker.attacks.attempt import ROOT_ALREADY, SUPERVISOR, in_force  # noqa: E402
from plugin_worker.attacks.targets import Targets  # noqa: E402

ATTEMPTS = tuple(sorted(battery.ATTEMPTS, key=lambda attempt: attempt.number))
BY_NAME = {attempt.name: attempt for attempt in ATTEMPTS}
CONFINED = ("/usr/bin/python3", ROOT / "tests/harness/confined.py")
NOBODY = 65534


@dataclass(frozen=True)
class Tier:
    name: str
    title: str  # In the documentation.
    prefix: tuple = ()
    flags: dict = field(default_factory=lambda: FULL_SANDBOX)
    owner: int = 0


AS_USER = {**FULL_SANDBOX, "plugin_users": "none"}
TIERS = (
    Tier("full", "full"),
    Tier("no-user-namespaces", "no user namespaces", (*CONFINED, "no-user-namespaces")),
    Tier("container", "default container", (*CONFINED, "container")),
    Tier("user", "ordinary user", (*CONFINED, "user"), AS_USER, NOBODY),
    Tier(
        "unprivileged",
        "ordinary user, no user namespaces",
        (*CONFINED, "unprivileged"),
        AS_USER,
        NOBODY,
    ),
)
# Nothing in the way. The PID namespace is always made where it can be, so there is one without.
UNPROTECTED = (Tier("off", "off", (), {}), Tier("off-alone", "off", WITHOUT_NAMESPACES, {}))


def without(protection):
    """The full tier but for one protection."""
    return Tier(
        f"without-{protection}",
        f"without {protection}",
        (),
        {**FULL_SANDBOX, "sandbox": f"all=preferred,{protection}=off"},
    )


@dataclass(frozen=True)
class Seen:
    """What came of the battery at a tier."""

    tier: Tier
    code: int  # Of pluginctl.
    answer: dict
    known: frozenset  # What was in force, see in_force().
    rows: dict  # By name.

    def expected(self, attempt):
        """What must have come of it, as it is told: what was in force says which error."""
        error = attempt.expected(self.known)
        return "done" if error is None else errno.errorcode[error]

    def is_as_expected(self, attempt):
        outcome = self.rows[attempt.name]["outcome"]
        if outcome == self.expected(attempt) or is_hosts_matter(attempt, outcome):
            return True
        return attempt.expected(self.known) is None and outcome in names(attempt.through)


def names(errors):
    return {errno.errorcode[error] for error in errors}


def is_hosts_matter(attempt, outcome):
    """This kernel does not have it, or refuses it to everybody."""
    return outcome in names(attempt.host_may)


def look(postgres, tier: Tier) -> Seen:
    """Starts a supervisor with two plugins at this tier, and has one of them attack."""
    installation = Installation(postgres)
    services = []
    try:
        installation.install("samples/hello", "attacker")
        installation.install("samples/hello", "sibling")
        installation.supervisor_prefix = tier.prefix
        # Without a root of its own a worker passes through the host's directories.
        installation.directory.chmod(0o711)
        if tier.owner:
            owner = f"{tier.owner}:{tier.owner}"
            subprocess.run(["chown", "-R", owner, installation.directory], check=True)
        services = _services(installation.directory)
        installation.start_supervisor(**tier.flags)
        ctl = installation.ctl
        ctl.enable("sibling", "attacker")
        answer = ctl("doctor", "--attack", "attacker")
        assert answer.data and "plugins" in answer.data, answer
        return _seen(tier, answer.code, answer.data, ctl.worker("attacker"))
    finally:
        for service in services:
            service.close()
        installation.close()


def _seen(tier, code, answer, worker):
    (plugin,) = answer["plugins"]
    protections = [n for n, state in worker["sandbox"]["protections"].items() if state["in_force"]]
    status = Path(f"/proc/{worker['pid']}/status").read_text()
    status = dict(line.split(":\t", 1) for line in status.splitlines())
    capabilities, user = int(status["CapEff"], 16), int(status["Uid"].split()[0])
    known = in_force(protections, set(), capabilities, user)
    return Seen(tier, code, answer, frozenset(known), {row["name"]: row for row in plugin["results"]})


# As their packages make them.
SERVICES = (("docker.sock", 0o660), ("dbus", 0o666))


def _services(directory):
    """Sockets of what is on most hosts and not on this: as reachable as theirs are."""
    made = []
    for name, mode in SERVICES:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(directory / name))
        listening.listen()
        os.chmod(directory / name, mode)
        made.append(listening)
    return made


class HostTargets:
    """What the supervisor makes to be attacked, made by the test: a context manager."""

    def __enter__(self):
        self._name = f"pstest-{os.getpid()}"
        self._key = 0x70730000 | os.getpid() & 0xFFFF
        self._open = contextlib.ExitStack()
        self._ipc = ctypes.CDLL(None, use_errno=True)
        port, port6 = (self._listening(*address) for address in ADDRESSES)
        abstract = self._open.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind("\0" + self._name)
        abstract.listen()
        with socket.create_server(("127.0.0.1", 0)) as server:
            free = server.getsockname()[1]
        self._segment = self._ipc.shmget(self._key, 4096, 0o1666)
        self._queue = self._ipc.mq_open(f"/{self._name}".encode(), os.O_CREAT, 0o666, None)
        (Path("/dev/shm") / self._name).touch()
        return {
            "port": port,
            "port6": port6,
            "free_port": free,
            "abstract": self._name,
            "segment": self._key,
            "queue": f"/{self._name}",
            "shared": self._name,
            "host_name": os.uname().nodename,
        }

    def _listening(self, family, host):
        server = self._open.enter_context(socket.create_server((host, 0), family=family))
        return server.getsockname()[1]

    def __exit__(self, *_):
        self._open.close()
        self._ipc.shmctl(self._segment, 0, None)  # IPC_RMID
        self._ipc.mq_unlink(f"/{self._name}".encode())
        (Path("/dev/shm") / self._name).unlink()


ADDRESSES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


def outside(installation, key, sibling):
    """The same attempts made by this process, which nothing confines: name to outcome."""
    ctl, data = installation.ctl, installation.runtime_dir / "data"
    init = parent(ctl.worker(key)["pid"])
    children = [pid for pid, _ in descendants(installation.supervisor.pid)]
    with contextlib.ExitStack() as stack:
        for service in _services(installation.directory):
            stack.enter_context(service)
        made = stack.enter_context(HostTargets())
        targets = Targets(
            {
                **made,
                "disk": _disk(),
                "own_code": str(installation.plugins_dir / key),
                "own_data": str(data / key),
                "supervisor_pid": installation.supervisor.pid,
                "supervisor_socket": str(installation.socket),
                "spawner_pid": next(pid for pid in children if name_of(pid).startswith("python")),
                "init_pid": init,
                "sibling_pid": ctl.worker(sibling)["pid"],
                "sibling_code": str(installation.plugins_dir / sibling),
                "sibling_data": str(data / sibling),
                "sibling_launch": str(_launch_of(installation, sibling)),
                "services": [
                    *(str(installation.directory / name) for name, _ in SERVICES),
                    str(installation.postgres.directory / ".s.PGSQL.5432"),
                ],
            }
        )
        return {attempt.name: battery.make(attempt, targets).text for attempt in ATTEMPTS}


def _disk():
    device = os.stat("/").st_dev
    link = f"/sys/dev/block/{os.major(device)}:{os.minor(device)}"
    return f"/dev/{os.path.basename(os.readlink(link))}" if os.path.islink(link) else None


def _launch_of(installation, key):
    return next(
        path for path in installation.launches() if key.encode() in (path / "launch").read_bytes()
    )
