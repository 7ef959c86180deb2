"""A supervisor and a gateway of an ordinary user, without any capability."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.processes import descendants, identity, is_alive, name_of, parent
from harness.waiting import build_dir, eventually

# An id that nobody has here.
USER = 64_990
ORDINARY = (
    "setpriv",
    f"--reuid={USER}",
    f"--regid={USER}",
    "--clear-groups",
    "--inh-caps=-all",
    "--bounding-set=-all",
)

SUBJECT = """
import os, subprocess, sys
class Plugin:
    def run(self, action, params, context):
        if action == "who":
            status = open("/proc/self/status").read()
            return {line.split(":")[0]: line.split(":", 1)[1].strip()
                    for line in status.splitlines() if ":" in line} | {"pid": os.getpid()}
        if action == "read":
            try:
                return {"text": open(params["path"]).read(100)}
            except OSError as error:
                return {"errno": error.errno}
        if action == "write":
            with open(os.path.join(os.environ["PLUGIN_DATA_DIR"], "note"), "w") as file:
                file.write("kept")
            with open(params["tmp"], "w") as file:
                file.write("private")
        if action == "leave":
            double = "import os, time\\nif os.fork(): os._exit(0)\\nos.setsid()\\ntime.sleep(600)\\n"
            subprocess.run([sys.executable, "-c", double])
        if action == "map":
            return {"map": open("/proc/self/uid_map").read().split()}
        if action == "connect":
            import socket
            with socket.create_connection(("127.0.0.1", params["port"]), timeout=5) as peer:
                return {"said": peer.recv(10).decode()}
        return {}
"""


def user_namespaces() -> bool:
    return subprocess.run([*ORDINARY, "unshare", "-U", "true"], capture_output=True).returncode == 0


needs_user_namespaces = pytest.mark.skipif(
    not user_namespaces(), reason="this host lets ordinary users have no user namespaces"
)


def start(fresh, **flags):
    """As the ordinary user, who owns the installation."""
    for path in [fresh.directory, *fresh.directory.rglob("*")]:
        os.chown(path, USER, USER)
    fresh.supervisor_prefix = ORDINARY
    # The defaults: what can be had.
    daemon = fresh.start_supervisor(**{"sandbox": "all=preferred", **flags})
    assert f"Uid:\t{USER}\t{USER}" in Path(f"/proc/{daemon.pid}/status").read_text()
    return fresh.ctl


def test_the_daemons_run_without_any_capability(fresh):
    fresh.write("subject", SUBJECT)
    ctl = start(fresh)
    gateway = fresh.start_gateway()
    ctl.enable("subject")
    for pid in (fresh.supervisor.pid, gateway.pid):
        status = Path(f"/proc/{pid}/status").read_text()
        assert "CapEff:\t0000000000000000" in status and "CapBnd:\t0000000000000000" in status
        assert f"Uid:\t{USER}" in status
        assert "NoNewPrivs:\t1" in status
    # Root is let in as well, and the owner without rights.
    code = [*ORDINARY, str(build_dir() / "supervisor/cli/pluginctl")]
    done = subprocess.run(
        [*code, "--socket", fresh.socket, "list"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and "running" in done.stdout


def test_without_user_namespaces_plugins_run_at_tier_1(fresh):
    fresh.write("subject", SUBJECT)
    ctl = start(fresh, sandbox="all=preferred,privileges=off")
    worker = ctl.enable("subject")[0]["worker"]
    assert worker["state"] == "running"
    assert worker["sandbox_tier"] == 1, worker["sandbox"]
    protections = worker["sandbox"]["protections"]
    assert worker["sandbox"]["user"] == USER
    assert not protections["user"]["in_force"] and "not root" in protections["user"]["because"]
    for name in ("files", "ports", "scope", "system_calls", "no_capabilities", "not_dumpable"):
        assert protections[name]["in_force"], name
    assert ctl.result("subject", "read", {"path": "/etc/shadow"})["errno"] == 13
    # What is the same user's as well: Landlock is between them.
    secret = fresh.directory / "token"
    assert secret.stat().st_uid == USER
    assert ctl.result("subject", "read", {"path": str(secret)})["errno"] == 13


@needs_user_namespaces
def test_with_user_namespaces_plugins_run_at_tier_3(fresh):
    fresh.write("subject", SUBJECT)
    ctl = start(fresh)
    worker = ctl.enable("subject")[0]["worker"]
    missing = {
        name: state["because"]
        for name, state in worker["sandbox"]["protections"].items()
        if not state["in_force"]
    }
    assert set(missing) == {"user"}, missing
    assert worker["sandbox_tier"] == 3
    assert worker["sandbox"]["user"] == USER

    who = ctl.result("subject", "who")
    assert int(who["CapEff"], 16) == int(who["CapPrm"], 16) == int(who["CapBnd"], 16) == 0
    assert who["NoNewPrivs"] == "1" and who["Seccomp"] == "2"
    assert ctl.result("subject", "map")["map"] == [str(USER), str(USER), "1"]
    # As the kernel shows it to us.
    for name in ("user", "pid", "mnt", "net", "ipc", "uts", "cgroup"):
        theirs = os.readlink(f"/proc/{worker['pid']}/ns/{name}")
        assert theirs != os.readlink(f"/proc/self/ns/{name}"), name
    assert ctl.result("subject", "read", {"path": str(fresh.directory / "token")})["errno"] == 2
    note = Path("/tmp") / f"{fresh.directory.name}-note"
    ctl.result("subject", "write", {"tmp": str(note)})
    assert (fresh.runtime_dir / "data/subject/note").read_text() == "kept"
    assert not note.exists()


@needs_user_namespaces
def test_what_a_plugin_has_started_ends_with_it(fresh):
    manifest = {"name": "S", "version": "1", "permissions": {"exec": ["self"]}}
    fresh.write("subject", SUBJECT, manifest)
    ctl = start(fresh)
    plugin = ctl("enable", "subject", "--grant").ok()["plugin"]
    worker = plugin["worker"]["pid"]
    assert name_of(parent(worker)) == "plugin-init"
    ctl.result("subject", "leave")
    below = descendants(parent(worker))
    assert len(below) == 2, "the worker and what it has left"
    ctl("stop", "subject").ok()
    assert not [p for p in below if is_alive(p)]


@needs_user_namespaces
def test_a_granted_network_is_the_hosts(fresh):
    import socket

    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    manifest = {
        "name": "S",
        "version": "1",
        "permissions": {"network": {"outbound": [f"127.0.0.1:{port}"]}},
    }
    fresh.write("subject", SUBJECT, manifest)
    fresh.write("alone", SUBJECT)
    ctl = start(fresh)
    worker = ctl("enable", "subject", "--grant").ok()["plugin"]["worker"]
    ctl.enable("alone")
    assert os.readlink(f"/proc/{worker['pid']}/ns/net") == os.readlink("/proc/self/ns/net")
    # An ordinary user has no filter for hosts; ports are Landlock's.
    assert worker["sandbox_tier"] == 2, worker["sandbox"]
    assert worker["sandbox"]["network"]["tcp_ports_by"] == "landlock"
    call = ctl.begin_run("subject", "connect", {"port": port})
    peer, _ = listener.accept()
    peer.sendall(b"hello")
    peer.close()
    assert call.answer().ok() == {"said": "hello"}
    assert ctl.run("alone", "connect", {"port": port}).code != 0
    listener.close()


@needs_user_namespaces
def test_a_worker_is_taken_over_and_crashes_are_survived(fresh):
    fresh.write("subject", SUBJECT)
    ctl = start(fresh)
    worker = identity(ctl.enable("subject")[0]["worker"]["pid"])
    fresh.kill_supervisor()
    fresh.start_supervisor(sandbox="all=preferred")
    shown = ctl.await_state("subject", "running")
    assert (shown["pid"], shown["adopted"]) == (worker[0], True)
    assert shown["sandbox_tier"] == 3, shown["sandbox"]
    os.kill(worker[0], 9)
    eventually(
        lambda: ctl.worker("subject")["pid"] not in (None, worker[0]), "another worker runs"
    )
    assert ctl.worker("subject")["last_crash"]["signal"] == "SIGKILL"
    # Neither plugin nor supervisor can be looked into by who runs as the same user.
    code = f"open('/proc/{fresh.supervisor.pid}/environ').read()"
    looked = subprocess.run([*ORDINARY, sys.executable, "-c", code], capture_output=True, text=True)
    assert "PermissionError" in looked.stderr


def test_doctor_tells_an_ordinary_user_what_can_be_had(fresh):
    for path in [fresh.directory, *fresh.directory.rglob("*")]:
        os.chown(path, USER, USER)
    done = subprocess.run(
        [*ORDINARY, build_dir() / "supervisor/cli/pluginctl", "--socket", fresh.socket, "doctor"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = {line.split("  ")[0]: line for line in done.stdout.splitlines()}
    assert f"user {USER}, no capabilities" in lines["privileges"]
    verdict = " ok " if user_namespaces() else " missing "
    assert verdict in lines["user namespaces"] and verdict in lines["PID namespaces"]
