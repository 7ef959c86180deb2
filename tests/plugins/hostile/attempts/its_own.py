"""What a plugin finds of itself in its sandbox, and may do there."""

import copy
import errno
import importlib
import inspect
import io
import os
import pickle
import resource
import shutil
import socket

from plugin_worker.attacks.system_call import call


def write(path):
    with open(path, "ab") as file:
        file.write(b"x")
    return True


def files_as_ever():
    """What others do with the functions of files that are not plain calls of them."""

    class Opener:
        opened_by = open

    here = os.environ["PLUGIN_DATA_DIR"]
    path = os.path.join(here, "as_ever")
    with Opener().opened_by(path, mode="w") as file:
        file.write("x")
    directory = os.open(here, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.close(os.open("as_ever", os.O_RDONLY, dir_fd=directory))
        with os.fdopen(os.open(path, os.O_RDONLY)) as file:
            assert file.read() == "x"
        with os.scandir(directory) as entries:
            assert "as_ever" in [entry.name for entry in entries]
        os.unlink("as_ever", dir_fd=directory)
        assert _not_found(os.open, "as_ever", os.O_RDONLY, dir_fd=directory) == "as_ever"
    finally:
        os.close(directory)
    assert _not_found(open, "/nowhere/file") == "/nowhere/file"
    assert pickle.loads(pickle.dumps(open)) is open and copy.copy(os.listdir) is os.listdir
    assert importlib.reload(shutil).rmtree.avoids_symlink_attacks
    assert open is io.open and "file" in inspect.signature(open).parameters
    return True


def _not_found(function, *arguments, **named):
    """The name that is in the error; None without one."""
    try:
        function(*arguments, **named)
    except FileNotFoundError as error:
        return error.filename if error.errno == errno.ENOENT else None
    return None


def make_directories(path):
    os.makedirs(os.path.join(path, "one/two"))
    return True


def unlink(path):
    os.unlink(path)
    return True


def fill(directory, mebibytes):
    """How much went in before it was refused; taken away again."""
    path = os.path.join(directory, "filling")
    piece = b"\0" * (1 << 20)
    done = 0
    try:
        with open(path, "wb") as file:
            for done in range(mebibytes):
                file.write(piece)
                file.flush()
        return mebibytes
    finally:
        os.unlink(path)


def signal_all():
    """-1: everything that may be signalled, but for process 1 and the caller itself."""
    os.kill(-1, 0)
    return True


def processes():
    """The numbers of all that can be seen."""
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def core_limit():
    return resource.getrlimit(resource.RLIMIT_CORE)[1]


def descriptors():
    """What each one that is open leads to."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            pass  # Of the listing itself.
    return found


def identity():
    return {"uid": os.getresuid(), "gid": os.getresgid(), "groups": os.getgroups(), "pid": os.getpid()}


def environment():
    return dict(os.environ)


def shared_memory(key):
    """System V: seen by all who know the number, where they share the namespace."""
    return call("shmget", key, 4096, 0o1666)


def host_name():
    return os.uname().nodename


def loopback():
    """To itself, as servers inside of plugins do."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.create_connection(server.getsockname(), timeout=3):
            return True


_NO_SUCH_CALL = 999
# Of calls that no battery makes, with arguments that do no harm.
_ARGUMENTS = {
    "clock_settime": (99, 0),
    "quotactl": (0, 0, 0, 0),
    "ptrace": (99, 0, 0, 0),
    _NO_SUCH_CALL: (),
}


def other_call(name=_NO_SUCH_CALL):
    call(name, *_ARGUMENTS[name])
    return True
