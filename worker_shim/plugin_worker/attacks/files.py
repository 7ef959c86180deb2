"""Attempts at files: reading, writing, linking."""

import ctypes
import errno
import os
import stat
import tempfile

from .attempt import Attempt, Untried, barriers
from .system_call import call


def read(path):
    with open(path, "rb") as file:
        return len(file.read(64))


def list_directory(path):
    return sorted(os.listdir(path))


def open_for_reading(path):
    """Not waiting for whoever may be at the other end."""
    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    return True


def open_for_writing(path):
    """Writes nothing."""
    os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
    return True


def create(path):
    """A new file, taken away again."""
    with open(path, "xb"):
        pass
    os.unlink(path)
    return True


def _make_directory(path):
    os.mkdir(path)
    os.rmdir(path)
    return True


def truncate(path):
    """To the length that it has; its times are put back."""
    before = os.stat(path)
    os.truncate(path, before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
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


def open_by_handle(directory="/"):
    handle = ctypes.create_string_buffer(128 + 8)
    ctypes.memmove(handle, (128).to_bytes(4, "little"), 4)
    mount = ctypes.c_int()
    call("name_to_handle_at", -100, os.fsencode(directory), handle, ctypes.byref(mount), 0)
    beside = os.open(directory, os.O_RDONLY)
    try:
        os.close(call("open_by_handle_at", beside, handle, os.O_RDONLY))
    finally:
        os.close(beside)
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


def _own(at, name):
    """A path of this process's own in the plugin's data directory."""
    return os.path.join(at.own_data, f".attack-{os.getpid()}-{name}")


def _link_own_code(at):
    source = at.own_file()
    if os.stat(source).st_dev != os.stat(at.own_data).st_dev:
        raise Untried("code and data are on two file systems, which no hard link spans")
    return hard_link(source, _own(at, "link"))


def _rename_into_code(at):
    source = _own(at, "file")
    target = os.path.join(at.own_code, os.path.basename(source))
    if os.stat(at.own_code).st_dev != os.stat(at.own_data).st_dev:
        raise Untried("code and data are on two file systems, which no rename spans")
    with open(source, "xb"):
        pass
    try:
        rename(source, target)
        os.unlink(target)
    finally:
        if os.path.exists(source):
            os.unlink(source)
    return True


def _create_in(directory):
    return create(tempfile.mktemp(prefix=".attack-", dir=directory))


# The host's: not there in a root of its own.
_HIDDEN = barriers(root="ENOENT", user="EACCES", files="EACCES")
_HIDDEN_FROM_ROOT = barriers(root="ENOENT", files="EACCES")  # For all users to read.
# Those that are there to be read.
_READ_ONLY = barriers(user="EACCES", root="EROFS", files="EACCES")
_NOT_TO_GROW = barriers(root="EROFS", files="EACCES", user="EACCES")

ATTEMPTS = (
    Attempt(1, "read_shadow", "read /etc/shadow", lambda at: read("/etc/shadow"), _HIDDEN),
    Attempt(
        1, "read_launch", "read the supervisor's record of another plugin's launch",
        lambda at: read(os.path.join(at.sibling_launch, "launch")), _HIDDEN,
    ),
    Attempt(
        2, "list_sibling_data", "list another plugin's data",
        lambda at: list_directory(at.sibling_data), _HIDDEN,
    ),
    Attempt(
        2, "read_sibling_code", "read another plugin's code",
        lambda at: read(at.sibling_file()), _HIDDEN_FROM_ROOT,
    ),
    Attempt(
        3, "write_own_code", "open its own code for writing",
        lambda at: open_for_writing(at.own_file()), _READ_ONLY,
    ),
    Attempt(
        4, "create_in_root", "make a file in /", lambda at: _create_in("/"), _NOT_TO_GROW
    ),
    Attempt(
        4, "create_in_usr", "make a file in /usr", lambda at: _create_in("/usr"), _NOT_TO_GROW
    ),
    Attempt(
        4, "create_in_etc", "make a file in /etc", lambda at: _create_in("/etc"), _NOT_TO_GROW
    ),
    Attempt(
        4, "create_in_var", "make a file in /var", lambda at: _create_in("/var"), _NOT_TO_GROW
    ),
    Attempt(
        4, "create_in_home", "make a file in root's home directory",
        lambda at: _create_in("/root"), _HIDDEN,
    ),
    Attempt(
        4, "write_users", "open /etc/passwd for writing",
        lambda at: open_for_writing("/etc/passwd"), _READ_ONLY,
    ),
    Attempt(
        5, "read_through_link", "read /etc/shadow by a symbolic link of its own",
        lambda at: read_through_link("/etc/shadow", _own(at, "symlink")), _HIDDEN,
    ),
    Attempt(
        6, "hard_link", "give a file that it may only read a name in its data directory",
        _link_own_code, barriers(root="EXDEV", user="EPERM", files="EXDEV"),
    ),
    Attempt(
        7, "rename", "move a file from its data to its code",
        _rename_into_code, barriers(root="EXDEV", files="EACCES", user="EACCES"),
    ),
    Attempt(
        8, "truncate", "truncate its own code (to the length that it has)",
        lambda at: truncate(at.own_file()), _READ_ONLY,
    ),
    Attempt(
        9, "read_by_proc_root", "read /proc/self/root/etc/shadow",
        lambda at: read("/proc/self/root/etc/shadow"), _HIDDEN,
    ),
    Attempt(
        9, "read_by_proc_cwd", "read /etc/shadow by /proc/self/cwd and ..",
        lambda at: read("/proc/self/cwd/" + "../" * 20 + "etc/shadow"), _HIDDEN,
    ),
    Attempt(
        10, "open_by_handle", "open a file by its number (open_by_handle_at)",
        lambda at: open_by_handle(at.own_data),
        barriers(system_calls="EPERM", no_capabilities__dac_read_search="EPERM"),
        through=(errno.EOPNOTSUPP,),
    ),
    Attempt(
        11, "make_device", "make a device file",
        lambda at: make_device(_own(at, "device")),
        barriers(files="EACCES", no_capabilities__mknod="EPERM"),
    ),
    Attempt(
        11, "read_kernel_messages", "read /dev/kmsg", lambda at: open_for_reading("/dev/kmsg"),
        barriers(root="ENOENT", files="EACCES"), host_may=(errno.EPERM, errno.EACCES),
    ),
    Attempt(
        11, "read_kernel_memory", "open /dev/mem", lambda at: open_for_reading("/dev/mem"),
        barriers(root="ENOENT", user="EACCES", files="EACCES",
                 no_capabilities__sys_rawio="EPERM"),
        host_may=(errno.ENOENT, errno.EPERM),
    ),
    Attempt(
        11, "read_disk", "open the host's disk for reading", lambda at: open_for_reading(at.disk),
        barriers(root="ENOENT", user="EACCES", files="EACCES"), host_may=(errno.EPERM,),
    ),
    Attempt(
        17, "plant_start_file", "plant a .pth file beside its code for the next start",
        lambda at: create(os.path.join(at.own_code, f".attack-{os.getpid()}.pth")), _NOT_TO_GROW,
    ),
    Attempt(
        17, "plant_byte_code", "plant byte code for the next start",
        lambda at: _make_directory(os.path.join(at.own_code, f".attack-{os.getpid()}")),
        _NOT_TO_GROW,
    ),
    Attempt(
        53, "loosen_limits", "reach the control groups that limit it",
        lambda at: list_directory("/sys/fs/cgroup"), _HIDDEN_FROM_ROOT,
    ),
)  # fmt: skip
