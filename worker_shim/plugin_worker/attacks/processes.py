"""Attempts at other processes, and at what this one may become."""

import ctypes
import errno
import os
import resource
import struct

from .attempt import ROOT_ALREADY, Attempt, Untried, barriers
from .files import open_for_reading, read
from .system_call import call

_CLONE_PARENT = 0x8000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_CLONE_NEWNS = 0x20000


def signal_process(pid):
    os.kill(pid, 0)
    return True


def trace(pid):
    """Until this process ends, which it does with the attempt."""
    call("ptrace", 0x4206, pid, 0, 0)  # PTRACE_SEIZE
    return True


def read_memory(pid):
    data = ctypes.create_string_buffer(16)
    local = struct.pack("PN", ctypes.addressof(data), 16)
    remote = struct.pack("PN", 0x400000, 16)
    return call("process_vm_readv", pid, local, 1, remote, 1, 0)


def steal_descriptor(pid):
    fd = call("pidfd_open", pid, 0)
    try:
        os.close(call("pidfd_getfd", fd, 0, 0))
    finally:
        os.close(fd)
    return True


def look_at_environment(pid):
    return read(f"/proc/{pid}/environ")


def look_at_command_line(pid):
    return read(f"/proc/{pid}/cmdline")


def open_memory(pid):
    return open_for_reading(f"/proc/{pid}/mem")


def list_descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def look_into_root(pid):
    return len(os.listdir(f"/proc/{pid}/root/"))


def realtime():
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


def more_urgent():
    os.setpriority(os.PRIO_PROCESS, 0, -1)
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
    if os.getuid() == 0:
        raise Untried(ROOT_ALREADY)
    os.setresuid(0, 0, 0)
    return True


def new_namespace(flags):
    """For this process, which ends with the attempt."""
    call("unshare", flags)
    return True


def enter_namespace(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        call("setns", fd, 0)
    finally:
        os.close(fd)
    return True


def leave_parent():
    """A child that is its parent's sibling; it ends at once."""
    if call("clone", _CLONE_PARENT, 0, 0, 0, 0) == 0:
        os._exit(0)
    return True


def become_subreaper():
    call("prctl", 36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    call("prctl", 36, 0, 0, 0, 0)
    return True


def become_dumpable():
    call("prctl", 4, 1, 0, 0, 0)  # PR_SET_DUMPABLE
    return True


def raise_core_limit():
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (4096, 4096))
    except ValueError as error:  # Python's word for EPERM here.
        raise PermissionError(errno.EPERM, str(error)) from None
    return True


def see_control_group():
    """Where in the host's tree it is."""
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        paths = {line.rstrip("\n").split(":", 2)[2] for line in file}
    if paths <= {"/"}:
        raise FileNotFoundError(errno.ENOENT, "it is shown as the root")
    return True


_NOT_FOUND = {"processes": "ESRCH"}
_SIGNAL = barriers(**_NOT_FOUND, user="EPERM", scope="EPERM")
# The filter comes first; Landlock lets no process in that is not in its domain.
_SIBLING_INSIDE = barriers(system_calls="EPERM", **_NOT_FOUND, user="EPERM", files="EPERM")
_MIGHTIER_INSIDE = barriers(
    system_calls="EPERM", **_NOT_FOUND, user="EPERM", no_capabilities__sys_ptrace="EPERM", files="EPERM"
)
# It can be seen: it is process 1 of the namespace, or the parent.
_INIT_INSIDE = barriers(
    system_calls="EPERM", user="EPERM", no_capabilities__sys_ptrace="EPERM", files="EPERM"
)
_IN_PROC = barriers(processes="ENOENT", user="EACCES", files="EACCES")
_MIGHTIER_IN_PROC = barriers(
    processes="ENOENT", user="EACCES", files="EACCES", no_capabilities__sys_ptrace="EACCES"
)
_INIT_IN_PROC = barriers(user="EACCES", files="EACCES", no_capabilities__sys_ptrace="EACCES")
_READ_AT_NOTHING = (errno.EFAULT, errno.EIO)  # There is no memory at that address.
_POWER = barriers(system_calls="EPERM", no_capabilities__sys_admin="EPERM")

def _on(number, name, what, act, process, stops, through=()):
    """An attempt at one of the processes that Targets knows."""
    return Attempt(number, name, what, lambda at: act(getattr(at, process)), stops, through)


ATTEMPTS = (
    _on(19, "signal_supervisor", "signal the supervisor",
        signal_process, "supervisor_pid", _SIGNAL),
    _on(19, "signal_spawner", "signal the spawner",
        signal_process, "spawner_pid", _SIGNAL),
    _on(19, "signal_sibling", "signal another plugin's worker",
        signal_process, "sibling_pid", _SIGNAL),
    _on(19, "signal_init", "signal the init that it runs under",
        signal_process, "init_pid", barriers(user="EPERM", scope="EPERM")),
    _on(20, "trace_sibling", "trace another plugin's worker",
        trace, "sibling_pid", _SIBLING_INSIDE),
    _on(20, "trace_supervisor", "trace the supervisor",
        trace, "supervisor_pid", _MIGHTIER_INSIDE),
    _on(20, "trace_init", "trace its init",
        trace, "init_pid", _INIT_INSIDE),
    _on(21, "read_memory_of_sibling", "read another worker's memory (process_vm_readv)",
        read_memory, "sibling_pid", _SIBLING_INSIDE, _READ_AT_NOTHING),
    _on(21, "read_memory_of_supervisor", "read the supervisor's memory (process_vm_readv)",
        read_memory, "supervisor_pid", _MIGHTIER_INSIDE, _READ_AT_NOTHING),
    _on(21, "read_memory_of_init", "read its init's memory (process_vm_readv)",
        read_memory, "init_pid", _INIT_INSIDE, _READ_AT_NOTHING),
    _on(21, "supervisor_environment", "read the supervisor's environment (the database's password)",
        look_at_environment, "supervisor_pid", _MIGHTIER_IN_PROC),
    _on(21, "supervisor_descriptors", "list the supervisor's open files",
        list_descriptors, "supervisor_pid", _MIGHTIER_IN_PROC),
    _on(21, "supervisor_root", "reach the host's files by the supervisor's /proc/PID/root",
        look_into_root, "supervisor_pid", _MIGHTIER_IN_PROC),
    _on(21, "init_environment", "read its init's environment",
        look_at_environment, "init_pid", _INIT_IN_PROC),
    _on(21, "init_memory", "open its init's /proc/PID/mem",
        open_memory, "init_pid", _INIT_IN_PROC),
    _on(21, "init_root", "reach other files by its init's /proc/PID/root",
        look_into_root, "init_pid", _INIT_IN_PROC),
    _on(22, "steal_from_sibling", "take a descriptor of another worker (pidfd_getfd)",
        steal_descriptor, "sibling_pid", barriers(processes="ESRCH", system_calls="EPERM", user="EPERM", files="EPERM")),
    _on(22, "steal_from_supervisor", "take a descriptor of the supervisor (pidfd_getfd)",
        steal_descriptor, "supervisor_pid",
        barriers(processes="ESRCH", system_calls="EPERM", user="EPERM",
                 no_capabilities__sys_ptrace="EPERM", files="EPERM")),
    _on(22, "steal_from_init", "take a descriptor of its init (pidfd_getfd)",
        steal_descriptor, "init_pid", _INIT_INSIDE, (errno.EBADF,)),
    _on(23, "sibling_command_line", "read another worker's command line",
        look_at_command_line, "sibling_pid", barriers(processes="ENOENT", files="EACCES")),
    _on(23, "sibling_environment", "read another worker's environment",
        look_at_environment, "sibling_pid", _IN_PROC),
    Attempt(24, "realtime", "run before all others (SCHED_FIFO)", lambda at: realtime(),
            barriers(no_capabilities__sys_nice="EPERM")),
    Attempt(24, "more_urgent", "run before others (nice -1)", lambda at: more_urgent(),
            barriers(no_capabilities__sys_nice="EACCES")),
    Attempt(24, "less_killable", "be spared when memory runs out (oom_score_adj)",
            lambda at: less_killable(),
            barriers(files__proc="EACCES", no_capabilities__sys_resource="EACCES"),
            host_may=(errno.EACCES,)),
    Attempt(29, "unshare_user", "make a user namespace", lambda at: new_namespace(_CLONE_NEWUSER),
            barriers(system_calls="EPERM"), host_may=(errno.EPERM, errno.ENOSPC)),
    Attempt(29, "unshare_mounts", "make a mount namespace", lambda at: new_namespace(_CLONE_NEWNS),
            _POWER),
    Attempt(29, "unshare_network", "make a network namespace",
            lambda at: new_namespace(_CLONE_NEWNET), _POWER),
    Attempt(29, "enter_namespace", "enter a namespace (setns)",
            lambda at: enter_namespace("/proc/self/ns/net"), _POWER),
    Attempt(29, "leave_parent", "start a child that is not its own (CLONE_PARENT)",
            lambda at: leave_parent(), barriers(system_calls="EPERM")),
    Attempt(29, "hide_flags", "start a process with flags that cannot be checked (clone3)",
            lambda at: call("clone3", 0, 0), barriers(system_calls="ENOSYS"),
            through=(errno.EINVAL,)),
    Attempt(30, "become_subreaper", "become the parent of orphans", lambda at: become_subreaper(),
            barriers(system_calls="EPERM")),
    Attempt(31, "become_dumpable", "let itself be looked into again (PR_SET_DUMPABLE)",
            lambda at: become_dumpable(), barriers(system_calls="EPERM")),
    Attempt(31, "seen_by_own_user", "be looked into by others of its user",
            lambda at: look_at_environment("self"),
            barriers(files__proc="EACCES", not_dumpable__user="EACCES")),
    Attempt(31, "raise_core_limit", "leave a core dump", lambda at: raise_core_limit(),
            barriers(no_capabilities__sys_resource="EPERM"), host_may=(errno.EPERM,)),
    Attempt(31, "become_root", "become root again", lambda at: become_root(),
            barriers(privileges="EINVAL", user="EPERM", no_capabilities__setuid="EPERM")),
    Attempt(23, "see_control_group", "see where in the host's control groups it is",
            lambda at: see_control_group(), barriers(files__proc="EACCES", groups="ENOENT")),
)  # fmt: skip
