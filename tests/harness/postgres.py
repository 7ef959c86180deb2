"""A PostgreSQL server of the tests' own, on a Unix socket only."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from .waiting import eventually


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    on_path = shutil.which("postgres")
    if not found and not on_path:
        raise RuntimeError("PostgreSQL is not installed: apt-get install postgresql")
    return (found[-1] if found else Path(on_path)).parent


class Postgres:
    """One server. PostgreSQL refuses to run as root, so root lends it a user.

    `keeps_commits`: what was committed is still there after crash()."""

    def __init__(self, keeps_commits: bool = False):
        self._synchronous_commit = "on" if keeps_commits else "off"
        # A short path: a Unix socket's has at most 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="pgtest-", dir="/tmp"))
        self._as = (
            {"user": "postgres", "group": "postgres", "extra_groups": []}
            if os.getuid() == 0
            else {}
        )
        if self._as:
            account = pwd.getpwnam("postgres")
            os.chown(self.directory, account.pw_uid, account.pw_gid)
        self.directory.chmod(0o755)
        self._data = self.directory / "data"
        self._process = None
        subprocess.run(
            [
                _programs() / "initdb",
                "-D",
                self._data,
                "-U",
                "postgres",
                "--auth=trust",
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.directory,
            **self._as,
        )
        self.start()

    def start(self):
        with open(self.directory / "log", "ab") as log:
            self._process = subprocess.Popen(
                [
                    _programs() / "postgres",
                    "-D",
                    self._data,
                    "-k",
                    self.directory,
                    "-c",
                    "listen_addresses=",
                    "-c",
                    "fsync=off",
                    "-c",
                    "full_page_writes=off",
                    "-c",
                    f"synchronous_commit={self._synchronous_commit}",
                    "-c",
                    "max_connections=200",
                    "-c",
                    "shared_buffers=16MB",
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.directory,
                **self._as,
            )
        eventually(self.answers, "PostgreSQL answers", within=30)

    def answers(self) -> bool:
        return self._psql("postgres", "SELECT 1").returncode == 0

    @property
    def pid(self) -> int:
        """Of the postmaster."""
        return self._process.pid

    def crash(self):
        """As `pg_ctl stop -m immediate`: the next start recovers from the log."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)

    def stop(self):
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)  # "fast": ends the sessions.
        self._process.wait(30)
        self._process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def url(self, database: str) -> str:
        return f"postgresql:///{database}?host={self.directory}&user=postgres"

    def create(self, database: str) -> str:
        self.query("postgres", f'CREATE DATABASE "{database}"')
        return self.url(database)

    def query(self, database: str, sql: str) -> str:
        """What psql prints for `sql`, one line per row, columns separated by "|"."""
        done = self._psql(database, sql)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()

    @contextlib.contextmanager
    def locked(self, database: str, table: str, seconds: float):
        """Nobody else can use the table for so long, and the block ends later than that."""
        sql = f"BEGIN; LOCK TABLE {table}; SELECT pg_sleep({seconds})"
        holder = subprocess.Popen(
            ["psql", "-X", "-q", "-d", self.url(database), "-c", sql],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )
        locks = (
            f"SELECT count(*) FROM pg_locks WHERE relation = '{table}'::regclass"
            " AND mode = 'AccessExclusiveLock' AND granted"
        )
        try:
            eventually(lambda: self.query(database, locks) == "1", f"{table} is locked")
            yield
        finally:
            holder.wait(seconds + 30)

    def _psql(self, database: str, sql: str):
        return subprocess.run(
            [
                "psql",
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-d",
                self.url(database),
                "-c",
                sql,
            ],
            capture_output=True,
            text=True,
            timeout=30,
            cwd="/",
        )
