"""Attempts at other processes, and at what this one may become."""

import ctypes
import os
import resource
import signal
import struct

from attempts_files import call


def signal_process(pid):
    os.kill(pid, 0)
    return True


def signal_all():
    """-1: everything that may be signalled; SIGURG does nothing to those who get it."""
    os.kill(-1, signal.SIGURG)
    return True


def trace(pid):
    call(101, 0x4206, pid, 0, 0)  # ptrace(PTRACE_SEIZE)
    call(101, 17, pid, 0, 0)  # PTRACE_DETACH
    return True


def read_memory(pid):
    data = ctypes.create_string_buffer(16)
    local = struct.pack("PN", ctypes.addressof(data), 16)
    remote = struct.pack("PN", 0x400000, 16)
    return call(310, pid, local, 1, remote, 1, 0)  # process_vm_readv


def steal_descriptor(pid):
    fd = call(434, pid, 0)  # pidfd_open
    try:
        os.close(call(438, fd, 0, 0))  # pidfd_getfd
    finally:
        os.close(fd)
    return True


def look_at(pid, file):
    with open(f"/proc/{pid}/{file}", "rb") as opened:
        return len(opened.read(64))


def processes():
    """The numbers of all that can be seen."""
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def realtime():
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


def less_killable():
    with open("/proc/self/oom_score_adj", "r+") as file:
        before = file.read()
        file.seek(0)
        file.write("-500")
        file.flush()
        file.seek(0)
        file.write(before)
    return True


def become_root():
    os.setresuid(0, 0, 0)
    return True


def new_namespace(flags):
    """In a child: it would change the caller's own."""
    pid = os.fork()
    if pid == 0:
        try:
            call(272, flags)  # unshare
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code != 0:
        raise OSError(code, os.strerror(code))
    return True


def enter_namespace(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        call(308, fd, 0)  # setns
    finally:
        os.close(fd)
    return True


def become_subreaper():
    call(157, 36, 1, 0, 0, 0)  # prctl(PR_SET_CHILD_SUBREAPER)
    call(157, 36, 0, 0, 0, 0)
    return True


def become_dumpable():
    call(157, 4, 1, 0, 0, 0)  # prctl(PR_SET_DUMPABLE)
    return True


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
