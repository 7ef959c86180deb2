"""What the faults happen to: PostgreSQL, a supervisor, a gateway, and plugins of several kinds."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from harness.installation import (
    FULL_SANDBOX, PLUGINS, WITHOUT_NAMESPACES, Gateway, Installation,
)  # fmt: skip
from harness.postgres import Postgres
from harness.processes import descendants, identity, launch_mark, name_of
from harness.rest import Rest

from .minder import Minder

KINDS = (
    "echoes", "works_slowly", "keeps_state", "starts_children", "ignores_sigterm", "saves_records",
)  # fmt: skip
HOG = "memory_hog"

# Short times, so that much happens in little.
CALL_TIMEOUT, STOP_TIMEOUT, SETTLE_WAIT, REQUEST_TIMEOUT = 8, 2, 20, 40
SPARES = 2
SUPERVISOR = {
    "call_timeout": f"{CALL_TIMEOUT}s",
    "stop_timeout": f"{STOP_TIMEOUT}s",
    "settle_wait": f"{SETTLE_WAIT}s",
    "cancel_grace": "500ms",
    "stuck_after": "2s",
    "restart_first_delay": "100ms",
    "restart_max_delay": "1s",
    "restart_stable_after": "2s",
    "quarantine_after": "6",
    "quarantine_period": "20s",
    "memory_limit": "128m",
    "process_limit": "128",
    "spare_workers": str(SPARES),
}


class Stage:
    """With `has_namespaces` false, the supervisor can make no PID namespaces; with `has_sandbox`
    false, it makes no sandbox."""

    def __init__(self, plugins: int, has_namespaces: bool = True, has_sandbox: bool = True):
        self.postgres = Postgres(keeps_commits=True)
        self.installation = Installation(self.postgres)
        if not has_namespaces:
            self.installation.supervisor_prefix = WITHOUT_NAMESPACES
        self.journal = self.installation.directory / "journal"
        self.journal.touch()
        self.keys = [self._install(n) for n in range(plugins)]
        self.installation.install(f"hostile/{HOG}")
        self.flags = {**SUPERVISOR, **(FULL_SANDBOX if has_sandbox else {})}
        listen = f"127.0.0.1:{_free_port()}"
        self.rest = Rest(f"http://{listen}", self.installation.token)
        self.ctl = self.installation.ctl
        self.supervisor = Minder(
            "supervisor",
            lambda: self.installation.spawn_supervisor(
                worker_env=f"CHAOS_JOURNAL={self.journal}", **self.flags
            ),
        )
        self.gateway = Minder("gateway", lambda: self._spawn_gateway(listen))

    @property
    def all_keys(self) -> list[str]:
        return [*self.keys, HOG]

    def kind(self, key: str) -> str:
        return key.rpartition("_")[0]

    def start(self):
        self.supervisor.start()
        self.gateway.start()
        self.supervisor.await_ready(60)
        self.gateway.await_ready(60)
        for key in self.keys:
            needs = [f"filesystem.write={self.journal}", "exec=true", "exec=sleep"]
            self.ctl("permissions", "grant", key, *needs).ok()

    def _install(self, number: int) -> str:
        kind = KINDS[number % len(KINDS)]
        key = self.installation.install(f"chaos/{kind}", f"{kind}_{number}")
        shutil.copy(PLUGINS / "chaos" / "journal.py", self.installation.plugins_dir / key)
        return key

    def _spawn_gateway(self, listen: str) -> Gateway:
        gateway = Gateway(self.installation, listen, {"request_timeout": f"{REQUEST_TIMEOUT}s"})
        self.installation.daemons.append(gateway)
        return gateway

    # Its processes. Each is an identity: the number alone may be another's a moment later.

    def processes(self) -> dict:
        """All that was ever forked from our spawners, and these: identity to launch mark. Of
        spawners and inits the mark is empty."""
        needle = os.fsencode(f"DISPATCHARR_PLUGINS_DIR={self.installation.plugins_dir}")
        found = {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                if needle not in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                    continue
                process, mark = identity(int(entry)), launch_mark(int(entry))
            except (OSError, AssertionError):
                continue
            if process:
                found[process] = mark.partition(b"=")[2].strip(b".")
        return found

    def called(self, name: str) -> list:
        """Those of them that are called plugin-worker, or plugin-init."""
        return [process for process in self.processes() if _name(process[0]) == name]

    def spawners(self) -> list:
        pid = self.supervisor.pid
        if pid is None:
            return []
        return [process for process in descendants(pid) if _name(process[0]).startswith("python")]

    def spares(self) -> list:
        """Workers of this supervisor that wait for a plugin."""
        pid = self.supervisor.pid
        if pid is None:
            return []
        return [process for process in descendants(pid) if _name(process[0]) == "plugin-spare"]

    def open_files(self, minder: Minder) -> dict[str, int]:
        """How many descriptors it has of each kind."""
        counts: dict[str, int] = {}
        directory = Path(f"/proc/{minder.pid}/fd")
        for entry in directory.iterdir():
            try:
                kind = os.readlink(entry).partition(":")[0]
            except OSError:
                continue
            counts[kind] = counts.get(kind, 0) + 1
        return counts

    def launch_directories(self) -> list[str]:
        return [path.name for path in self.installation.launches()]

    def groups(self) -> list[str]:
        """Cgroups of launches."""
        log = self.installation.supervisor.log()
        name = log.partition("groups=")[2].split()
        if not name:
            return []
        found = []
        for directory, names, _ in os.walk("/sys/fs/cgroup"):
            if os.path.basename(directory) == name[0]:
                found.extend(os.path.join(directory, each) for each in names)
        return sorted(found)

    def close(self):
        for minder in (self.gateway, self.supervisor):
            if minder.daemon:
                try:
                    minder.end(60)
                except AssertionError:
                    minder.daemon.process.kill()
        for process in self.processes():
            _kill(process)
        self.installation.daemons.clear()  # All have ended.
        self.installation.close()
        self.postgres.close()


def _kill(process):
    if identity(process[0]) == process:
        os.kill(process[0], 9)


def _name(pid: int) -> str:
    try:
        return name_of(pid)
    except OSError:
        return ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
