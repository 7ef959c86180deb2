"""Attempts at files: reading, writing, linking, and bringing programs in."""

import ctypes
import os
import stat
import subprocess
import tempfile

libc = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    """A system call by its number; raises OSError."""
    result = libc.syscall(ctypes.c_long(number), *[_value(a) for a in arguments])
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _value(argument):
    if isinstance(argument, bytes):
        return ctypes.c_char_p(argument)
    return ctypes.c_long(argument) if isinstance(argument, int) else argument


def read(path):
    with open(path, "rb") as file:
        return len(file.read(64))


def list_directory(path):
    return sorted(os.listdir(path))


def write(path):
    with open(path, "ab") as file:
        file.write(b"x")
    return True


def create(path):
    """A new file, taken away again."""
    with open(path, "xb"):
        pass
    os.unlink(path)
    return True


def truncate(path):
    os.truncate(path, 0)
    return True


def unlink(path):
    os.unlink(path)
    return True


def hard_link(path, to):
    os.link(path, to)
    os.unlink(to)
    return True


def read_through_link(path, link):
    os.symlink(path, link)
    try:
        return read(link)
    finally:
        os.unlink(link)


def rename(path, to):
    os.rename(path, to)
    return True


def make_device(path):
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    os.unlink(path)
    return True


def open_by_handle():
    handle = ctypes.create_string_buffer(128 + 8)
    ctypes.memmove(handle, (128).to_bytes(4, "little"), 4)
    mount = ctypes.c_int()
    call(303, -100, b"/", handle, ctypes.byref(mount), 0)  # name_to_handle_at
    root = os.open("/", os.O_RDONLY)
    try:
        fd = call(304, root, handle, os.O_RDONLY)
        os.close(fd)
    finally:
        os.close(root)
    return True


def set_user_id(path):
    """A program that would run as its owner, for whoever sees it."""
    with open(path, "wb") as file:
        file.write(b"#!/bin/true\n")
    try:
        os.chmod(path, 0o4755)
        return bool(os.stat(path).st_mode & stat.S_ISUID)
    finally:
        os.unlink(path)


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


def execute(path):
    return subprocess.run([path], capture_output=True, timeout=10).returncode


def execute_dropped(directory):
    with tempfile.NamedTemporaryFile(dir=directory, suffix=".sh", delete=False) as file:
        file.write(open("/bin/true", "rb").read())
    os.chmod(file.name, 0o755)
    try:
        return execute(file.name)
    finally:
        os.unlink(file.name)


def execute_from_memory():
    fd = os.memfd_create("program", 0)
    os.write(fd, open("/bin/true", "rb").read())
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
    path = os.path.join(directory, "dropped.so")
    with open("/lib/x86_64-linux-gnu/libm.so.6", "rb") as file:
        content = file.read()
    with open(path, "wb") as file:
        file.write(content)
    try:
        ctypes.CDLL(path)
        return True
    except OSError as error:
        raise PermissionError(1, str(error)) from error
    finally:
        os.unlink(path)
