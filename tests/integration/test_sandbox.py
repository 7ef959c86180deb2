"""What a plugin gets that was granted nothing: every attempt with the error it must fail with, and
the same attempt outside, where it must not."""

import importlib
import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from harness.attempts import attempts_in
from harness.installation import FULL_SANDBOX, WITHOUT_NAMESPACES, Installation
from harness.processes import identity, is_alive, parent
from harness.waiting import ROOT, eventually

FLAGS = FULL_SANDBOX
ATTEMPTS = Path(__file__).resolve().parents[1] / "plugins/hostile/attempts"
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


# Beside what test_attacks tries at every tier. Where the path is outside of the root that the plugin
# has, there is nothing to be refused.
FILES = [
    ("read", {"path": "{directory}/token"}, "ENOENT"),
    ("read", {"path": "{directory}/secret"}, "ENOENT"),
    ("read", {"path": "{data}/../sibling/kept"}, "ENOENT"),
    ("list_directory", {"path": "{plugins}/sibling"}, "ENOENT"),
    ("create", {"path": "{code}/sitecustomize.py"}, "EROFS"),
    ("unlink", {"path": "{code}/plugin.py"}, "EROFS"),
    ("execute_dropped", {"directory": "{data}"}, "EACCES"),
    ("map_executable", {"directory": "/tmp"}, "EPERM"),
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


# The other two would change what is tested.
@pytest.mark.parametrize(
    "case", [case for case in FILES if case[0] not in ("unlink", "create")], ids=name_of_case
)
def test_files_outside_a_sandbox(installation, case):
    name, params, _ = case
    (data_of(installation, "sibling") / "kept").write_text("x")
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


@pytest.mark.parametrize("name", ["clock_settime", "quotactl", "ptrace"])
def test_calls_that_no_plugin_needs(inside, name):
    assert inside("other_call", name=name)["errno"] == "EPERM"
    assert outside("other_call", name=name)["errno"] not in ("EPERM", "ENOSYS")


def test_a_call_that_nobody_knows_is_not_there(inside):
    assert inside("other_call")["errno"] == "ENOSYS"


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


def test_a_file_that_is_refused_names_the_permission(installation, inside):
    shared = Path("/srv/exports")
    for name, path, text in [
        ("read", "/etc/machine-id", "not in the sandbox: grant filesystem.read=/etc/machine-id"),
        ("write", shared / "file", f"not in the sandbox: grant filesystem.write={shared}"),
        ("list_directory", shared, f"not in the sandbox: grant filesystem.read={shared}"),
        ("write", "/usr/share/nobodys", "write refused: grant filesystem.write=/usr/share"),
        ("write", installation.plugins_dir / "attempts/file", "write to $PLUGIN_DATA_DIR"),
        ("make_directories", "/srv", "granted for the directory that is wanted"),
    ]:
        answer = inside(name, path=str(path))
        assert text in answer["text"] and str(path) in answer["text"], answer
    for missing in (data_of(installation) / "none", Path("/usr/share/none")):
        assert "grant" not in inside("read", path=str(missing))["text"]


def test_what_explains_refusals_is_not_noticed(inside):
    assert inside("files_as_ever") == {"got": True}


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


def test_what_is_killed_leaves_nothing_and_has_a_sandbox_again(ctl):
    before = ctl.worker("sibling")["pid"]
    init = parent(before)
    tree = [identity(pid) for pid in (init, before)]
    os.kill(before, 9)
    eventually(
        lambda: ctl.worker("sibling")["pid"] not in (None, before)
        and ctl.worker("sibling")["state"] == "running",
        "it is started again",
    )
    assert not [process for process in tree if is_alive(process)]
    assert ctl.worker("sibling")["sandbox_tier"] == 3


def test_a_port_that_was_granted_can_be_listened_on(fresh):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    inside = attempts_in(fresh, f"network.listen={port}")
    assert inside("listen", port=port) == {"got": True}
    assert "grant network.listen=" in inside("listen", port=port + 1)["text"]
    assert inside("connect", host="127.0.0.1", port=port)["errno"] == "EACCES"
    # What was granted is no lack.
    assert fresh.ctl.worker("attempts")["sandbox_tier"] == 3


def test_a_program_that_was_granted_can_be_executed(fresh):
    inside = attempts_in(fresh, "exec=true")
    assert inside("execute", path="/bin/true") == {"got": 0}
    assert inside("execute", path="/bin/false")["errno"] == "EACCES"
    assert inside("execute_dropped", directory="/tmp")["errno"] == "EACCES"
    assert inside("execute_from_memory")["errno"] == "EACCES"


def test_a_shared_directory_is_written_as_its_owner(fresh):
    shared = fresh.directory / "exports"
    shared.mkdir(mode=0o755)
    os.chown(shared, 4711, 4712)
    inside = attempts_in(fresh, f"filesystem.write={shared}")
    assert inside("write", path=str(shared / "made")) == {"got": True}
    status = (shared / "made").stat()
    assert (status.st_uid, status.st_gid) == (4711, 4712), "others find what they would have made"
    assert inside("set_user_id", path=str(shared / "program"))["errno"] == "EPERM"
    assert inside("create", path=str(fresh.directory / "beside"))["errno"] in ("EACCES", "EROFS")


@pytest.mark.parametrize("is_absolute", [True, False])
def test_what_a_link_leads_to_is_where_the_link_is(fresh, is_absolute):
    """In the root that the plugin has: an absolute link was looked for within it, before what it
    leads to was there, and the plugin's own code was missing."""
    kept = fresh.directory / "kept"
    for place in (fresh.plugins_dir / "attempts", fresh.runtime_dir / "data"):
        kept.mkdir(exist_ok=True)
        there = kept / place.name
        there.mkdir()
        place.symlink_to(there if is_absolute else os.path.relpath(there, place.parent))
    for file in ATTEMPTS.iterdir():
        shutil.copy(file, kept / "attempts")
    fresh.start_supervisor(**FLAGS)
    fresh.ctl.enable("attempts")
    assert fresh.ctl.worker("attempts")["sandbox_tier"] == 3
    own = data_of(fresh) / "made"
    assert fresh.ctl.result("attempts", "write", {"path": str(own)}) == {"got": True}
    assert own.read_text()
    code = fresh.plugins_dir / "attempts" / "plugin.py"
    assert fresh.ctl.result("attempts", "write", {"path": str(code)})["errno"] == "EACCES"


def test_a_sandboxed_worker_is_taken_over_and_keeps_its_sandbox(fresh):
    inside = attempts_in(fresh, "devices=dri")
    pid = fresh.ctl.worker("attempts")["pid"]
    fresh.kill_supervisor()
    fresh.start_supervisor(**FLAGS)
    worker = fresh.ctl.await_state("attempts", "running")
    assert worker["pid"] == pid and inside("identity")["got"]["pid"] == pid
    assert fresh.ctl.worker("attempts")["sandbox_tier"] == 3


def test_a_worker_whose_launch_was_removed_ends_itself(fresh):
    attempts_in(fresh, "devices=dri")
    worker = identity(fresh.ctl.worker("attempts")["pid"])
    fresh.kill_supervisor()
    shutil.rmtree(fresh.runtime_dir / "w")
    eventually(lambda: not is_alive(worker), "it has seen that nobody comes for it")


def test_a_protection_that_is_required_and_missing_refuses_the_start(fresh):
    fresh.install("hostile/attempts", "attempts")
    fresh.start_supervisor(**{**FLAGS, "sandbox": "privileges=required"})
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
