"""Who reaches the daemons, what they may do themselves, and what can be read of their secrets."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from harness.waiting import eventually

# Ids that nobody has here.
STRANGER, GROUP = 64_990, 64_991

CONNECT = """
import errno, socket, sys
peer = socket.socket(socket.AF_UNIX)
peer.settimeout(10)
try:
    peer.connect(sys.argv[1])
    peer.sendall(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
    print("answered" if peer.recv(1) else "dropped")
except ConnectionError:
    print("dropped")
except OSError as error:
    print(errno.errorcode[error.errno])
"""

# As CONNECT, from within a plugin, and from what it has left behind.
CALLER = f"""
import subprocess, sys
print("it has a log", flush=True)
CONNECT = {CONNECT!r}
class Plugin:
    def run(self, action, params, context):
        code = CONNECT
        if action == "daemon":
            code = "import os\\nif os.fork(): os.wait() and sys.exit()\\nos.setsid()\\n" + CONNECT
            code = "import sys\\n" + code
        told = subprocess.run([sys.executable, "-c", code, params["path"]], capture_output=True,
                              text=True)
        return {{"came": (told.stdout + told.stderr).strip()}}
"""


def connecting(path, *setpriv) -> str:
    """What comes of it when another process does, with other rights when some are named."""
    command = [sys.executable, "-c", CONNECT, str(path)]
    if setpriv:
        command = ["setpriv", *setpriv, *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def as_user(user, group=None, *more):
    groups = more or ("--clear-groups",)
    return (f"--reuid={user}", f"--regid={group or user}", *groups, "--inh-caps=-all")


def modes(directory: Path) -> dict:
    """Of everything below, by its path with numbers left out."""
    found = {}
    for path in [directory, *directory.rglob("*")]:
        name = re.sub(r"\d+", "N", str(path.relative_to(directory)))
        status = path.lstat()
        found[name] = (stat.filemode(status.st_mode), status.st_uid)
    return found


# --- Sockets ------------------------------------------------------------------------------------


def test_everything_in_the_runtime_directory_is_the_supervisors_alone(fresh):
    fresh.write("caller", CALLER)
    fresh.runtime_dir.chmod(0o777)
    fresh.start_supervisor(spare_workers="0")
    fresh.ctl.enable("caller")
    log = fresh.runtime_dir / "logs/caller.log"
    eventually(log.exists, "what it says is written down")
    found = modes(fresh.runtime_dir)
    expected = {
        ".": "drwx------",
        "supervisor.sock": "srw-------",
        "w": "drwx------",
        "w/N": "drwx------",
        "w/N/link": "srw-------",
        "w/N/out": "prw-------",
        "w/N/err": "prw-------",
        "w/N/exit": "-rw-------",
        "w/N/launch": "-rw-------",
        "logs": "drwx------",
        "logs/caller.log": "-rw-------",
        "data/caller": "drwx------",
    }
    assert {name: found[name][0] for name in expected} == expected
    assert {owner for _, owner in found.values()} == {os.getuid()}
    # To be passed through, for plugins with user ids of their own.
    assert found["data"][0] == "drwx--x--x"
    open_to_others = {n: m for n, (m, _) in found.items() if m[7:10] != "---" and n != "data"}
    assert open_to_others == {}


def test_another_user_is_kept_out_by_the_sockets_own_modes(fresh):
    fresh.start_supervisor()
    # Whatever stands above it.
    fresh.directory.chmod(0o755)
    fresh.runtime_dir.chmod(0o755)
    assert connecting(fresh.socket, *as_user(STRANGER)) == "EACCES"
    assert connecting(fresh.socket) == "answered"


def test_another_user_is_refused_also_when_the_modes_have_been_loosened(fresh):
    fresh.start_supervisor()
    fresh.directory.chmod(0o755)
    fresh.runtime_dir.chmod(0o755)
    fresh.socket.chmod(0o777)
    assert connecting(fresh.socket, *as_user(STRANGER)) == "dropped"
    refused = f"api.refused uid={STRANGER}"
    eventually(lambda: refused in fresh.supervisor.log(), "the refusal is logged")
    assert fresh.ctl("list").ok()


def test_members_of_the_sockets_group_are_admitted_and_nobody_else(fresh):
    fresh.start_supervisor(socket_group=str(GROUP))
    fresh.directory.chmod(0o755)
    assert stat.filemode(fresh.socket.stat().st_mode) == "srw-rw----"
    assert stat.filemode(fresh.runtime_dir.stat().st_mode) == "drwx--x---"
    assert (fresh.socket.stat().st_gid, fresh.runtime_dir.stat().st_gid) == (GROUP, GROUP)
    assert connecting(fresh.socket, *as_user(STRANGER, GROUP)) == "answered"
    by_supplement = as_user(STRANGER, STRANGER, "--groups", str(GROUP))
    assert connecting(fresh.socket, *by_supplement) == "answered"
    assert connecting(fresh.socket, *as_user(STRANGER)) == "EACCES"
    fresh.socket.chmod(0o666)
    fresh.runtime_dir.chmod(0o711)
    assert connecting(fresh.socket, *as_user(STRANGER)) == "dropped"


def test_a_group_that_does_not_exist_refuses_the_start(fresh):
    daemon = fresh.spawn_supervisor(socket_group="no-such-group")
    assert daemon.wait(30) == 2
    assert "no-such-group" in daemon.log()


def test_a_plugin_that_runs_as_the_supervisors_user_is_refused(installation, ctl):
    assert connecting(installation.socket) == "answered"
    for act in ("child", "daemon"):
        assert ctl.result("caller", act, {"path": str(installation.socket)})["came"] == "dropped"
    # Once for many.
    refusal = "api.refused.*was started by a plugin"
    eventually(lambda: re.search(refusal, installation.supervisor.log()), "it is logged")


def test_a_plugin_that_was_taken_over_is_refused_as_well(fresh):
    fresh.write("caller", CALLER)
    fresh.start_supervisor()
    fresh.ctl.enable("caller")
    fresh.kill_supervisor()
    fresh.start_supervisor()
    fresh.ctl.await_state("caller", "running")
    assert fresh.ctl.worker("caller")["adopted"]
    assert fresh.ctl.result("caller", "child", {"path": str(fresh.socket)})["came"] == "dropped"


def test_a_plugin_gets_nothing_from_the_link_of_another(installation, ctl):
    ctl.enable("secretive")
    links = [str(path / "link") for path in installation.launches()]
    assert len(links) >= 2
    told = {ctl.result("caller", "child", {"path": link})["came"] for link in links}
    assert told == {"dropped"}


def test_a_token_that_everybody_can_read_is_warned_of(installation):
    told = installation.start_gateway()
    assert "token.exposed" not in told.log()
    exposed = installation.directory / "exposed"
    exposed.write_text("a-token\n")
    exposed.chmod(0o644)
    told = installation.start_gateway(token_file=exposed)
    assert f"token.exposed file={exposed}" in told.log()


# --- Rights -------------------------------------------------------------------------------------

KEPT = (
    "chown dac_override fowner kill setgid setuid setpcap net_admin sys_ptrace sys_admin "
    "sys_resource"
).split()
NUMBERS = {
    "chown": 0,
    "dac_override": 1,
    "fowner": 3,
    "kill": 5,
    "setgid": 6,
    "setuid": 7,
    "setpcap": 8,
    "net_admin": 12,
    "sys_ptrace": 19,
    "sys_admin": 21,
    "sys_resource": 24,
}


def rights(pid: int) -> list[dict]:
    """Of each thread, by the names of /proc."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        text = Path(f"/proc/{pid}/task/{task}/status").read_text()
        lines = (line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        found.append({name: value.strip() for name, value in lines})
    return found


def test_the_supervisor_keeps_a_short_list_of_capabilities(installation):
    mask = sum(1 << NUMBERS[name] for name in KEPT)
    mine = int(rights(os.getpid())[0]["CapBnd"], 16)
    threads = rights(installation.supervisor.pid)
    assert len(threads) > 3
    for thread in threads:
        assert int(thread["CapPrm"], 16) == int(thread["CapEff"], 16) == mask & mine
        assert int(thread["CapBnd"], 16) == mask & mine
        assert int(thread["CapInh"], 16) == int(thread["CapAmb"], 16) == 0
        assert thread["NoNewPrivs"] == "1"


def test_the_gateway_keeps_no_capability_at_all_and_still_serves(installation):
    gateway = installation.start_gateway()
    for thread in rights(gateway.pid):
        for name in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb"):
            assert int(thread[name], 16) == 0, name
        assert thread["NoNewPrivs"] == "1"
    assert gateway.rest.get("/api/plugins/plugins/").status == 200


def test_nobody_of_the_same_user_looks_into_the_daemons(installation):
    gateway = installation.start_gateway()
    sleeper = subprocess.Popen(["setpriv", "--bounding-set=-all", "sleep", "60"])
    try:
        eventually(
            lambda: Path(f"/proc/{sleeper.pid}/comm").read_text() == "sleep\n", "it sleeps"
        )

        def look(pid):
            code = f"open('/proc/{pid}/environ').read(); open('/proc/{pid}/mem', 'rb')"
            bare = ["setpriv", "--bounding-set=-all", sys.executable, "-c", code]
            return subprocess.run(bare, capture_output=True, text=True).stderr

        assert look(sleeper.pid) == ""
        for daemon in (gateway, installation.supervisor):
            assert "PermissionError" in look(daemon.pid)
    finally:
        sleeper.kill()
        sleeper.wait()


def test_doctor_tells_what_the_supervisor_has_kept(installation, ctl):
    findings = {found["name"]: found for found in ctl("doctor").data["findings"]}
    assert findings["privileges"]["verdict"] == "ok"
    told = findings["supervisor's privileges"]["detail"]
    assert "SYS_ADMIN" in told and "and others" not in told


# --- Secrets ------------------------------------------------------------------------------------

def test_the_connection_string_can_be_in_a_file(fresh):
    file = fresh.directory / "database"
    file.touch(mode=0o600)
    file.write_text(fresh.database_url + "\n")
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
    daemon = fresh.spawn_supervisor(environment=environment, database_file=file)
    assert daemon.ready_line()["ready"]
    assert fresh.ctl("list").ok()


def prepare(installation):
    installation.write("caller", CALLER)
    installation.write("secretive", CALLER)


@pytest.fixture(scope="module", autouse=True)
def enabled(installation, ctl):
    ctl.enable("caller")
