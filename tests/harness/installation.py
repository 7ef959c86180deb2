"""One installation under test: a plugins directory, a database, the daemons."""

import json
import os
import secrets
import shutil
import signal
import tempfile
import textwrap
from pathlib import Path

from .ctl import Ctl
from .postgres import Postgres
from .processes import Daemon, await_gone, descendants, is_alive, name_of
from .rest import Rest
from .waiting import ROOT, build_dir

PLUGINS = ROOT / "tests" / "plugins"
# A supervisor_prefix: it may do what root may, but not administer the system.
WITHOUT_NAMESPACES = ("setpriv", "--bounding-set", "-sys_admin")
# As it is without flags.
FULL_SANDBOX = {"sandbox": "all=preferred", "plugin_users": "1879048192-1879113727"}


class Installation:
    def __init__(self, postgres: Postgres):
        # Short: the sockets below it have at most 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="pstest-", dir="/tmp"))
        self.plugins_dir = self.directory / "plugins"
        self.plugins_dir.mkdir()
        self.runtime_dir = self.directory / "run"
        self.runtime_dir.mkdir(mode=0o700)
        self.postgres = postgres
        self.database = f"t_{secrets.token_hex(6)}"
        self.database_url = postgres.create(self.database)
        self.token = secrets.token_hex(16)
        self.token_file = self.directory / "token"
        self.token_file.touch(mode=0o600)
        self.token_file.write_text(self.token + "\n")
        self.supervisor: Daemon | None = None
        self.daemons: list[Daemon] = []
        self.left = []  # What killed supervisors left behind.

    # Plugins on disk.

    def install(self, source: str, name: str | None = None) -> str:
        """Copies a plugin of tests/plugins ("samples/x"); returns its key."""
        name = name or Path(source).name
        shutil.copytree(PLUGINS / source, self.plugins_dir / name, symlinks=True)
        return name.lower().replace(" ", "_")

    def write(self, name: str, code: str | None = None, manifest=None, files=None) -> str:
        """Writes a plugin of the test's own; returns its key.

        `code` is plugin.py. A manifest that is no text or bytes is written as JSON."""
        directory = self.plugins_dir / name
        directory.mkdir(parents=True, exist_ok=True)
        files = dict(files or {})
        if code is not None:
            files["plugin.py"] = code
        if manifest is not None:
            files["plugin.json"] = (
                manifest if isinstance(manifest, (str, bytes)) else json.dumps(manifest)
            )
        for file, content in files.items():
            whole = content if isinstance(content, bytes) else textwrap.dedent(content).encode()
            (directory / file).write_bytes(whole)
        return name.lower().replace(" ", "_")

    # The supervisor.

    def launches(self) -> list[Path]:
        """The directories of launches that have a plugin: not those of spare workers."""
        return sorted(path.parent for path in (self.runtime_dir / "w").glob("*/launch"))

    @property
    def socket(self) -> Path:
        return self.runtime_dir / "supervisor.sock"

    @property
    def ctl(self) -> Ctl:
        return Ctl(self.socket)

    # What the daemons are started by, such as a program that takes rights away.
    supervisor_prefix: tuple[str, ...] = ()

    def supervisor_command(self, **flags):
        usual = {
            "plugins_dir": self.plugins_dir,
            "runtime_dir": self.runtime_dir,
            "schema_dir": ROOT / "schema",
            "shim_dir": build_dir() / "worker_shim",
            # Most tests are about something else, and their plugins do what no sandbox allows.
            "sandbox": "all=off",
            "plugin_users": "none",
        }
        program = build_dir() / "supervisor/plugin-supervisor"
        return [*self.supervisor_prefix, program, *_as_flags({**usual, **flags})]

    def spawn_supervisor(
        self, database_url: str | None = None, environment: dict | None = None, **flags
    ) -> Daemon:
        """Starts one without waiting for it to be ready. `environment`: in place of ours with the
        database's address."""
        if environment is None:
            environment = {**os.environ, "DATABASE_URL": database_url or self.database_url}
        self.supervisor = Daemon(
            "plugin-supervisor",
            self.supervisor_command(**flags),
            self.directory / f"supervisor.{len(self.daemons)}.log",
            environment,
            self.directory,
        )
        self.daemons.append(self.supervisor)
        return self.supervisor

    def start_supervisor(self, **flags) -> Daemon:
        daemon = self.spawn_supervisor(**flags)
        ready = daemon.ready_line()
        assert ready == {"ready": True, "socket": str(self.socket)}
        return daemon

    def kill_supervisor(self):
        """SIGKILL to the supervisor alone. Its workers go on; returns their identities."""
        spawner_ends = [
            process
            for process in descendants(self.supervisor.pid)
            if name_of(process[0]).startswith("python")
        ]
        workers = [p for p in descendants(self.supervisor.pid) if p not in spawner_ends]
        self.left.extend(workers)
        self.supervisor.signal(signal.SIGKILL)
        self.supervisor.wait(10)
        await_gone(spawner_ends, within=20)
        return workers

    # Gateways.

    def start_gateway(self, listen: str = "127.0.0.1:0", **flags) -> "Gateway":
        gateway = Gateway(self, listen, flags)
        self.daemons.append(gateway)
        gateway.rest = Rest(gateway.ready_line()["listening"], self.token)
        return gateway

    # The end.

    def close(self):
        """Ends what still runs; what a sanitizer found fails the test."""
        for daemon in reversed(self.daemons):
            daemon.close()
        for process in self.left:
            if is_alive(process):
                os.kill(process[0], signal.SIGKILL)
        reports = [line for daemon in self.daemons for line in daemon.sanitizer_reports()]
        logs = (
            "\n".join(f"--- {d.log_path.name}\n{d.log()[-20000:]}" for d in self.daemons)
            if reports
            else ""
        )
        self.postgres_forget()
        shutil.rmtree(self.directory, ignore_errors=True)
        assert not reports, logs

    def postgres_forget(self):
        try:
            self.postgres.query(
                "postgres", f'DROP DATABASE IF EXISTS "{self.database}" WITH (FORCE)'
            )
        except RuntimeError:
            pass  # The server is down or gone: so is the database, soon.

    def sql(self, statement: str) -> str:
        """What another database client does."""
        return self.postgres.query(self.database, statement)


class Gateway(Daemon):
    rest: Rest

    def __init__(self, installation: Installation, listen: str, flags: dict):
        usual = {
            "listen": listen,
            "supervisor_socket": installation.socket,
            "token_file": installation.token_file,
        }
        super().__init__(
            "plugin-gateway",
            [
                *installation.supervisor_prefix,
                build_dir() / "api_gateway/plugin-gateway",
                *_as_flags({**usual, **flags}),
            ],
            installation.directory / f"gateway.{len(installation.daemons)}.log",
        )


def _as_flags(named: dict) -> list:
    """{"stop_timeout": "2s", "metrics_open": True} as --stop-timeout 2s --metrics-open; without
    those that are None."""
    return [
        part
        for name, value in named.items()
        if value is not None
        for part in ("--" + name.replace("_", "-"), value)
        if part is not True
    ]
