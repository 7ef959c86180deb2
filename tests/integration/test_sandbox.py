"""What a plugin gets that was granted nothing: every attempt with the error it must fail with, and
the same attempt outside, where it must not."""

import importlib
import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from harness.installation import WITHOUT_NAMESPACES, Installation
from harness.processes import identity, is_alive
from harness.waiting import ROOT, eventually

USERS = "1879048192-1879113727"
FLAGS = {"sandbox": "all=preferred", "plugin_users": USERS}
ATTEMPTS = Path(__file__).resolve().parents[1] / "plugins/hostile/attempts"
# Of one that is never made, and of one that nothing listens on.
MEMORY_KEY = 0x70737465


def prepare(installation: Installation):
    installation.install("hostile/attempts", "attempts")
    installation.install("hostile/attempts", "sibling")


@pytest.fixture(scope="module", autouse=True)
def enabled(installation, ctl):
    ctl.enable("attempts", "sibling")
    (installation.directory / "secret").write_text("of the host\n")
    (installation.directory / "secret").chmod(0o644)


def outside(name, /, **params):
    """The same attempt, made by this process."""
    paths = [str(ATTEMPTS), str(ROOT / "worker_shim")]
    sys.path[:0] = paths
    try:
        return importlib.import_module("plugin").attempt(name, params)
    finally:
        for path in paths:
            sys.path.remove(path)


@pytest.fixture
def inside(ctl):
    return lambda name, /, **params: ctl.result("attempts", name, params)


def data_of(installation, key="attempts"):
    return installation.runtime_dir / "data" / key


def sandbox_of(ctl, key="attempts"):
    return ctl.worker(key)["sandbox"]


def test_every_protection_is_in_force_as_the_kernel_shows(ctl):
    worker = ctl.worker("attempts")
    assert worker["sandbox_tier"] == 3
    missing = {
        name: state["because"]
        for name, state in worker["sandbox"]["protections"].items()
        if not state["in_force"]
    }
    assert set(missing) <= {"privileges"}, missing
    status = Path(f"/proc/{worker['pid']}/status").read_text()
    assert f"Uid:\t{worker['sandbox']['user']}" in status
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
    assert "CapBnd:\t0000000000000000" in status
    assert worker["sandbox"]["user"] >= 1879048192
    assert ctl.worker("sibling")["sandbox"]["user"] != worker["sandbox"]["user"]


# Where the path is outside of the root that the plugin has, there is nothing to be refused.
FILES = [
    ("read", {"path": "/etc/shadow"}, "ENOENT"),
    ("read", {"path": "{directory}/token"}, "ENOENT"),
    ("read", {"path": "{directory}/secret"}, "ENOENT"),
    ("read", {"path": "{data}/../sibling/kept"}, "ENOENT"),
    ("list_directory", {"path": "{plugins}/sibling"}, "ENOENT"),
    ("list_directory", {"path": "/root"}, "ENOENT"),
    ("write", {"path": "{code}/plugin.py"}, "EACCES"),
    ("create", {"path": "{code}/sitecustomize.py"}, "EROFS"),
    ("create", {"path": "{code}/__pycache__"}, "EROFS"),
    ("truncate", {"path": "{code}/plugin.py"}, "EACCES"),
    ("unlink", {"path": "{code}/plugin.py"}, "EROFS"),
    ("create", {"path": "/made"}, "EROFS"),
    ("create", {"path": "/usr/made"}, "EROFS"),
    ("create", {"path": "/etc/made"}, "EROFS"),
    ("write", {"path": "/etc/passwd"}, "EACCES"),
    ("hard_link", {"path": "/etc/hosts", "to": "{data}/linked"}, "EXDEV"),
    ("rename", {"path": "{data}/kept", "to": "/tmp/kept"}, "EXDEV"),
    ("make_device", {"path": "{data}/null"}, "EACCES"),
    ("open_by_handle", {}, "EPERM"),
    ("set_user_id", {"path": "{data}/program"}, "EPERM"),
    ("execute", {"path": "/bin/true"}, "EACCES"),
    ("execute", {"path": "/usr/bin/su"}, "EACCES"),
    ("execute_dropped", {"directory": "/tmp"}, "EACCES"),
    ("execute_dropped", {"directory": "{data}"}, "EACCES"),
    ("execute_from_memory", {}, "EACCES"),
    ("map_executable", {"directory": "/tmp"}, "EPERM"),
    ("map_executable", {"directory": "{data}"}, "EPERM"),
    ("read", {"path": "/dev/kmsg"}, "ENOENT"),
    ("read", {"path": "/dev/mem"}, "ENOENT"),
]


def filled(installation, params):
    places = {
        "directory": installation.directory,
        "plugins": installation.plugins_dir,
        "code": installation.plugins_dir / "attempts",
        "data": data_of(installation),
    }
    return {k: v.format(**places) if isinstance(v, str) else v for k, v in params.items()}


def name_of_case(case):
    return "-".join([case[0], *map(str, case[1].values())]).replace("/", "_")


@pytest.mark.parametrize("case", FILES, ids=name_of_case)
def test_files(installation, inside, case):
    name, params, expected = case
    (data_of(installation, "sibling") / "kept").write_text("x")
    (data_of(installation) / "kept").write_text("x")
    params = filled(installation, params)
    answer = inside(name, **params)
    assert answer.get("errno") == expected, answer


# Changes nothing that lasts, so it may be done to this machine.
CONTROLS = [
    case
    for case in FILES
    if case[0] in ("read", "list_directory", "open_by_handle", "execute", "execute_from_memory")
    and "/dev/" not in str(case)
] + [
    ("execute_dropped", {"directory": "/tmp"}, ""),
    ("map_executable", {"directory": "/tmp"}, ""),
    ("make_device", {"path": "{data}/null"}, ""),
    ("set_user_id", {"path": "{data}/program"}, ""),
    ("create", {"path": "{code}/sitecustomize.py"}, ""),
    ("hard_link", {"path": "{data}/kept", "to": "{data}/linked"}, ""),
]


@pytest.mark.parametrize("case", CONTROLS, ids=name_of_case)
def test_files_outside_a_sandbox(installation, case):
    name, params, _ = case
    (data_of(installation, "sibling") / "kept").write_text("x")
    (data_of(installation) / "kept").write_text("x")
    answer = outside(name, **filled(installation, params))
    assert "got" in answer, answer


def test_its_own_files_are_its_own(installation, inside):
    data = str(data_of(installation))
    assert inside("create", path=f"{data}/mine") == {"got": True}
    assert inside("create", path="/tmp/mine") == {"got": True}
    assert inside("create", path="/dev/shm/mine") == {"got": True}
    assert inside("write", path="/dev/null") == {"got": True}
    assert inside("read", path="/etc/hosts")["got"] >= 0
    assert "plugin.py" in inside("list_directory", path=str(installation.plugins_dir / "attempts"))["got"]
    # The ways to its own files, and perhaps to ours, lead through there; of the host's nothing
    # else is.
    ways = {installation.directory.name}
    if ATTEMPTS.is_relative_to("/tmp"):
        ways.add(ATTEMPTS.parts[2])
    assert set(inside("list_directory", path="/tmp")["got"]) <= ways
    # Nothing but the ways to what it may see; of others' plugins and data there is nothing.
    assert inside("list_directory", path="/")["errno"] == "EACCES"
    for place in (installation.plugins_dir, data_of(installation).parent):
        assert inside("list_directory", path=str(place))["got"] == ["attempts"]
    assert inside("list_directory", path="/.host")["errno"] == "ENOENT"


def test_tmp_has_a_size(fresh):
    fresh.install("hostile/attempts", "attempts")
    fresh.start_supervisor(**FLAGS, tmp_size="8m")
    fresh.ctl.enable("attempts")
    answer = fresh.ctl.result("attempts", "fill", {"directory": "/tmp", "mebibytes": 20})
    assert answer["errno"] == "ENOSPC"


PROCESSES = [
    ("signal_process", {"pid": "{supervisor}"}, "ESRCH"),
    ("signal_process", {"pid": "{sibling}"}, "ESRCH"),
    ("signal_process", {"pid": 1}, "EPERM"),
    ("trace", {"pid": 1}, "EPERM"),
    ("read_memory", {"pid": 1}, "EPERM"),
    ("steal_descriptor", {"pid": 1}, "EPERM"),
    ("look_at", {"pid": 1, "file": "environ"}, "EACCES"),
    ("look_at", {"pid": 1, "file": "mem"}, "EACCES"),
    ("look_at", {"pid": "{sibling}", "file": "cmdline"}, "ENOENT"),
    ("realtime", {}, "EPERM"),
    ("less_killable", {}, "EACCES"),
    ("become_root", {}, "EPERM"),
    ("new_namespace", {"flags": 0x10000000}, "EPERM"),
    ("new_namespace", {"flags": 0x40000000}, "EPERM"),
    ("enter_namespace", {"path": "/proc/self/ns/net"}, "EPERM"),
    ("become_subreaper", {}, "EPERM"),
    ("become_dumpable", {}, "EPERM"),
]


@pytest.mark.parametrize("case", PROCESSES, ids=name_of_case)
def test_processes(installation, ctl, inside, case):
    name, params, expected = case
    numbers = {"{supervisor}": installation.supervisor.pid, "{sibling}": ctl.worker("sibling")["pid"]}
    answer = inside(name, **{k: numbers.get(v, v) for k, v in params.items()})
    assert answer.get("errno") == expected, answer


@pytest.mark.parametrize(
    "name", ["realtime", "become_subreaper", "become_dumpable", "new_namespace", "trace",
             "read_memory", "steal_descriptor", "look_at"]
)  # fmt: skip
def test_processes_outside_a_sandbox(installation, ctl, name):
    pid = ctl.worker("sibling")["pid"]
    params = {
        "new_namespace": {"flags": 0x40000000},
        "trace": {"pid": pid},
        "read_memory": {"pid": pid},
        "steal_descriptor": {"pid": pid},
        "look_at": {"pid": pid, "file": "environ"},
    }.get(name, {})
    answer = outside(name, **params)
    # Let through, reading finds nothing at that address, and letting go comes too early.
    assert "got" in answer or answer["errno"] in ("EFAULT", "ESRCH"), answer


def test_everybody_is_nobody_to_it(inside):
    assert inside("signal_all")["errno"] == "ESRCH"
    assert outside("signal_all") == {"got": True}


def test_it_sees_itself_alone(ctl, inside):
    pid = ctl.worker("attempts")["pid"]
    assert inside("processes")["got"] == [1, pid]
    assert inside("identity")["got"]["pid"] == pid
    assert inside("identity")["got"]["groups"] == []
    assert inside("core_limit")["got"] == 0
    assert inside("host_name")["got"] == "plugin"


def test_it_inherits_no_descriptor(inside):
    leads = inside("descriptors")["got"]
    kinds = sorted(lead.split(":")[0].split("/")[-1] for lead in leads.values())
    assert leads["0"] == "/dev/null"
    assert all(not lead.startswith("net:") for lead in leads.values()), leads
    assert kinds.count("socket") == 1, leads  # Its link.


def test_it_inherits_no_secret(installation, inside):
    values = inside("environment")["got"].values()
    for secret in (installation.database_url, installation.token):
        assert all(secret not in value for value in values)


KERNEL = {
    **dict.fromkeys(
        """io_uring_setup bpf perf_event_open userfaultfd keyctl add_key kexec_load init_module
        finit_module reboot swapon settimeofday clock_settime sethostname modify_ldt mount umount2
        move_mount open_tree pivot_root chroot quotactl acct iopl ptrace setns unshare""".split(),
        "EPERM",
    ),
    "personality": "ENOSYS",
    "unknown": "ENOSYS",
    "clone3": "ENOSYS",
}


@pytest.mark.parametrize("name", KERNEL)
def test_kernel(inside, name):
    answer = inside("system_call", name=name)
    assert answer.get("errno") == KERNEL[name], answer
    # Let through, it fails with another error, or not at all.
    control = outside("system_call", name=name)
    assert name == "unknown" or control.get("errno") != KERNEL[name], control


def test_no_typing_into_terminals(inside):
    assert inside("type_into_terminal")["errno"] == "EPERM"
    assert inside("type_into_terminal_wide")["errno"] == "EPERM"
    assert outside("type_into_terminal")["errno"] in ("ENOTTY", "EIO")


SOCKETS = [
    (socket.AF_PACKET, socket.SOCK_RAW, 0, "EAFNOSUPPORT"),
    (socket.AF_NETLINK, socket.SOCK_RAW, 0, "EAFNOSUPPORT"),
    (socket.AF_ALG, socket.SOCK_SEQPACKET, 0, "EAFNOSUPPORT"),
    (40, socket.SOCK_STREAM, 0, "EAFNOSUPPORT"),  # AF_VSOCK
    (socket.AF_INET, socket.SOCK_RAW, 6, "EPERM"),
    (socket.AF_INET, socket.SOCK_RAW, 1, "EPROTONOSUPPORT"),
    (socket.AF_INET, socket.SOCK_DGRAM, 1, "EPROTONOSUPPORT"),
]


@pytest.mark.parametrize("family, kind, protocol, expected", SOCKETS)
def test_sockets(inside, family, kind, protocol, expected):
    answer = inside("open_socket", family=family, kind=kind, protocol=protocol)
    assert answer.get("errno") == expected, answer
    control = outside("open_socket", family=family, kind=kind, protocol=protocol)
    # Not every kernel has all of them.
    assert control.get("errno") != expected or family in (socket.AF_ALG, 40), control


def test_the_network_is_its_own(installation, inside):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert outside("connect", host="127.0.0.1", port=port) == {"got": True}
        assert inside("connect", host="127.0.0.1", port=port)["errno"] == "ECONNREFUSED"
    assert inside("connect", host="169.254.169.254", port=80)["errno"] == "ENETUNREACH"
    assert inside("send_datagram", host="192.0.2.1", port=53)["errno"] == "ENETUNREACH"
    assert inside("loopback") == {"got": True}


def test_what_is_refused_names_the_permission(inside):
    refusals = {
        "listen on 19193 refused: grant network.listen=19193": inside("listen", port=19193),
        "connection to 192.0.2.1:80 refused: grant network.outbound=192.0.2.1:80": inside(
            "connect", host="192.0.2.1", port=80
        ),
        "execution of ffmpeg refused: grant exec=ffmpeg": inside("execute", path="/bin/ffmpeg"),
    }
    for text, answer in refusals.items():
        assert text in answer["text"], answer


def test_sockets_of_others_are_out_of_reach(installation, ctl, inside):
    assert inside("connect_unix", path=str(installation.socket))["errno"] == "ENOENT"
    assert outside("connect_unix", path=str(installation.socket)) == {"got": True}
    links = [str(path / "link") for path in installation.launches()]
    reached = [inside("connect_unix", path=link) for link in links]
    assert reached.count({"got": True}) == 1, "its own"
    assert [r["errno"] for r in reached if "errno" in r] == ["ENOENT"] * (len(links) - 1)
    with socket.socket(socket.AF_UNIX) as server:
        name = f"pstest-{os.getpid()}"
        server.bind("\0" + name)
        server.listen()
        assert outside("connect_abstract", name=name) == {"got": True}
        answer = inside("connect_abstract", name=name)
        # Landlock's word, or nothing there in a network of one's own.
        assert answer["errno"] in ("EPERM", "ECONNREFUSED")


def test_shared_memory_of_system_v_is_not_shared(inside, ctl):
    mine = inside("shared_memory", key=MEMORY_KEY)
    theirs = ctl.result("sibling", "shared_memory", {"key": MEMORY_KEY})
    assert "got" in mine and "got" in theirs
    listed = Path("/proc/sysvipc/shm").read_text()
    assert str(MEMORY_KEY) not in listed, "the host does not see it"


def test_what_is_killed_leaves_nothing(ctl, installation):
    before = ctl.worker("sibling")["pid"]
    os.kill(before, 9)
    eventually(
        lambda: ctl.worker("sibling")["pid"] not in (None, before)
        and ctl.worker("sibling")["state"] == "running",
        "it is started again",
    )
    assert ctl.worker("sibling")["sandbox_tier"] == 3



def granted(fresh, *terms):
    """A function that makes attempts in a plugin that was granted so much."""
    fresh.install("hostile/attempts", "attempts")
    fresh.start_supervisor(**FLAGS)
    fresh.ctl("permissions", "grant", "attempts", *terms).ok()
    fresh.ctl.enable("attempts")
    return lambda name, /, **params: fresh.ctl.result("attempts", name, params)


def test_a_port_that_was_granted_can_be_listened_on(fresh):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    inside = granted(fresh, f"network.listen={port}")
    assert inside("listen", port=port) == {"got": True}
    assert "grant network.listen=" in inside("listen", port=port + 1)["text"]
    assert inside("connect", host="127.0.0.1", port=port)["errno"] == "EACCES"
    # What was granted is no lack.
    assert fresh.ctl.worker("attempts")["sandbox_tier"] == 3


def test_a_program_that_was_granted_can_be_executed(fresh):
    inside = granted(fresh, "exec=true")
    assert inside("execute", path="/bin/true") == {"got": 0}
    assert inside("execute", path="/bin/false")["errno"] == "EACCES"
    assert inside("execute_dropped", directory="/tmp")["errno"] == "EACCES"
    assert inside("execute_from_memory")["errno"] == "EACCES"


def test_a_shared_directory_is_written_as_its_owner(fresh):
    shared = fresh.directory / "exports"
    shared.mkdir(mode=0o755)
    os.chown(shared, 4711, 4712)
    inside = granted(fresh, f"filesystem.write={shared}")
    assert inside("write", path=str(shared / "made")) == {"got": True}
    status = (shared / "made").stat()
    assert (status.st_uid, status.st_gid) == (4711, 4712), "others find what they would have made"
    assert inside("set_user_id", path=str(shared / "program"))["errno"] == "EPERM"
    assert inside("create", path=str(fresh.directory / "beside"))["errno"] in ("EACCES", "EROFS")


def test_a_sandboxed_worker_is_taken_over_and_keeps_its_sandbox(fresh):
    inside = granted(fresh, "devices=dri")
    pid = fresh.ctl.worker("attempts")["pid"]
    fresh.kill_supervisor()
    fresh.start_supervisor(**FLAGS)
    worker = fresh.ctl.await_state("attempts", "running")
    assert worker["pid"] == pid and inside("identity")["got"]["pid"] == pid
    assert fresh.ctl.worker("attempts")["sandbox_tier"] == 3


def test_a_worker_whose_launch_was_removed_ends_itself(fresh):
    granted(fresh, "devices=dri")
    worker = identity(fresh.ctl.worker("attempts")["pid"])
    fresh.kill_supervisor()
    shutil.rmtree(fresh.runtime_dir / "w")
    eventually(lambda: not is_alive(worker), "it has seen that nobody comes for it")


def test_a_protection_that_is_required_and_missing_refuses_the_start(fresh):
    fresh.install("hostile/attempts", "attempts")
    fresh.start_supervisor(sandbox="privileges=required", plugin_users=USERS)
    answer = fresh.ctl("enable", "attempts")
    assert answer.data["code"] == "sandbox_unavailable"
    assert '"privileges" is required' in answer.data["error"]
    assert fresh.ctl.show("attempts")["worker"]["pid"] is None
    fresh.ctl("limits", "attempts", "--sandbox", "privileges=preferred").ok()
    fresh.ctl("start", "attempts").ok()
    assert fresh.ctl.worker("attempts")["state"] == "running"
    assert fresh.ctl("limits", "attempts", "--sandbox", "nonsense").code != 0


def test_a_user_that_could_not_reach_its_files_is_not_taken_and_told(fresh):
    """Its link had been given to that user already: it could not attach."""
    fresh.install("hostile/attempts", "attempts")
    fresh.supervisor_prefix = WITHOUT_NAMESPACES
    assert fresh.directory.stat().st_mode & 0o777 == 0o700
    fresh.start_supervisor(**FLAGS)
    fresh.ctl.enable("attempts")
    user = fresh.ctl.worker("attempts")["sandbox"]["protections"]["user"]
    assert not user["in_force"]
    assert user["because"] == f"another user cannot pass through {fresh.directory}"


def test_a_worker_that_is_executed_in_its_sandbox_has_all_of_it(fresh):
    """The exec undid that nobody may look into it, and what was told of the rest was lost."""
    fresh.install("hostile/attempts", "attempts")
    runtime = {"permissions": {"runtime": {"python": os.path.realpath("/usr/bin/python3")}}}
    fresh.write("attempts", manifest={"name": "attempts", **runtime})
    fresh.start_supervisor(**FLAGS)
    fresh.ctl("enable", "attempts", "--grant").ok()
    worker = fresh.ctl.worker("attempts")
    assert worker["profile"].endswith(os.path.realpath("/usr/bin/python3"))
    states = worker["sandbox"]["protections"].items()
    assert [name for name, state in states if not state["in_force"]] == ["privileges"]
    assert worker["sandbox_tier"] == 3
    assert fresh.ctl.result("attempts", "become_dumpable")["errno"] == "EPERM"
