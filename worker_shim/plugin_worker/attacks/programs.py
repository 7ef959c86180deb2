"""Attempts at programs: bringing one in, or one with more rights than its own."""

import ctypes
import errno
import glob
import os
import subprocess
import tempfile
import time

from .attempt import ROOT_ALREADY, Attempt, Untried, barriers
from .files import set_user_id


_LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")


def execute(path, *arguments):
    return subprocess.run([path, *arguments], capture_output=True, timeout=10).returncode


def _dropped(directory):
    """A copy of a program that may be read."""
    with tempfile.NamedTemporaryFile(dir=directory, prefix=".attack-", delete=False) as file:
        file.write(_content("/bin/true"))
    os.chmod(file.name, 0o755)
    return file.name


def _content(path):
    with open(path, "rb") as file:
        return file.read()


def execute_dropped(directory):
    path = _dropped(directory)
    try:
        return execute(path)
    finally:
        os.unlink(path)


def execute_by_loader(directory):
    """The loader maps a program itself: nothing but the loader is executed."""
    loader = next((path for path in _LOADERS if os.path.exists(path)), None)
    if loader is None:
        raise Untried("no dynamic loader is known here")
    path = _dropped(directory)
    try:
        code = execute(loader, path)
    finally:
        os.unlink(path)
    if code != 0:  # It says what it was refused, and exits with 127 or 1.
        raise PermissionError(errno.EACCES, "the loader was refused to map it")
    return True


def execute_from_memory():
    fd = os.memfd_create("program", 0)
    os.write(fd, _content("/bin/true"))
    pid = os.fork()
    if pid == 0:
        try:
            os.execve(fd, ["true"], {})
        except OSError as error:
            os._exit(error.errno)
        os._exit(255)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    if code != 0:
        raise OSError(code, os.strerror(code))
    return True


def map_executable(directory):
    """A library of the plugin's own making, from where it may write."""
    path = os.path.join(directory, f".attack-{os.getpid()}.so")
    library = next(
        (p for p in glob.glob("/lib/*-linux-gnu/libm.so.6") + glob.glob("/lib64/libm.so.6")), None
    )
    if library is None:
        raise Untried("no library is known here")
    with open(path, "wb") as file:
        file.write(_content(library))
    try:
        ctypes.CDLL(path)
        return True
    except OSError as error:
        raise PermissionError(errno.EPERM, str(error)) from error
    finally:
        os.unlink(path)


def become_root_by_program(path="/usr/bin/su"):
    """Waits for a password that never comes; what it is meanwhile is seen in /proc."""
    if os.geteuid() == 0:
        raise Untried(ROOT_ALREADY)
    if not os.path.exists(path):
        raise Untried(f"there is no {path}")
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [path], stdin=reading, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(reading)
    try:
        until = time.monotonic() + 1
        while time.monotonic() < until and process.poll() is None:
            with open(f"/proc/{process.pid}/status", encoding="ascii", errors="replace") as file:
                status = dict(line.split(":\t", 1) for line in file if ":\t" in line)
            if status.get("Uid", "").split()[1:2] == ["0"]:
                return True
            time.sleep(0.005)
    finally:
        os.close(writing)
        process.kill()
        process.wait()
    raise PermissionError(errno.EPERM, "it ran as the user that started it")


ATTEMPTS = (
    Attempt(
        15, "execute", "execute a program of the host that was not granted",
        lambda at: execute(at.program()),
        barriers(system_calls__exec="EACCES", files="EACCES"),
    ),
    Attempt(
        15, "execute_dropped", "execute a program that it has put into /tmp",
        lambda at: execute_dropped("/tmp"),
        barriers(files="EACCES", system_calls__exec="EACCES", root="EACCES"),
    ),
    Attempt(
        15, "execute_dropped_in_data", "execute a program that it has put into its data directory",
        lambda at: execute_dropped(at.own_data),
        barriers(system_calls__exec="EACCES", files="EACCES", root="EACCES"),
    ),
    Attempt(
        15, "execute_from_memory", "execute a program in memory (memfd)",
        lambda at: execute_from_memory(),
        barriers(system_calls="EACCES", processes="EACCES"),
    ),
    Attempt(
        15, "execute_by_loader", "execute a program in its data directory through the loader",
        lambda at: execute_by_loader(at.own_data),
        barriers(system_calls__exec="EACCES", files="EACCES", root="EACCES"),
    ),
    Attempt(
        15, "map_executable", "load a library that it has put into its data directory",
        lambda at: map_executable(at.own_data), barriers(root="EPERM"),
    ),
    Attempt(
        16, "execute_set_user_id", "become root by a set-user-id program (su)",
        lambda at: become_root_by_program(),
        barriers(system_calls__exec="EACCES", files="EACCES", no_new_privileges="EPERM", root="EPERM"),
    ),
    Attempt(
        16, "make_set_user_id", "make a set-user-id program in its data directory",
        lambda at: set_user_id(os.path.join(at.own_data, f".attack-{os.getpid()}-suid")),
        barriers(system_calls="EPERM"),
    ),
)  # fmt: skip
