"""Attempts at the kernel: calls that no plugin needs. Where one would do harm if it were let
through, its arguments make it fail with something else, which is what a control sees."""

import fcntl
import os
import socket

from attempts_files import call

NUMBERS = {
    "io_uring_setup": (425, 1, 0),
    "bpf": (321, 0, 0, 0),
    "perf_event_open": (298, 0, 0, -1, -1, 0),
    "userfaultfd": (323, 1 << 30),
    "keyctl": (250, 0, -3, 0),
    "add_key": (248, 0, 0, 0, 0, 0),
    "kexec_load": (246, 0, 0, 0, 0xFFFF),
    "init_module": (175, 0, 0, 0),
    "finit_module": (313, -1, 0, 0),
    "reboot": (169, 0, 0, 0),
    "swapon": (167, 0, 0),
    "settimeofday": (164, 1, 0),
    "clock_settime": (227, 99, 0),
    "sethostname": (170, 0, -1),
    "personality": (135, 0x0400000),
    "modify_ldt": (154, 0, 0, 0),
    "mount": (165, 0, 0, 0, 0, 0),
    "umount": (166, 0, 0),
    "move_mount": (429, -1, 0, -1, 0, 0),
    "open_tree": (428, -1, 0, 0),
    "pivot_root": (155, 0, 0),
    "chroot": (161, 0),
    "quotactl": (179, 0, 0, 0, 0),
    "acct": (163, 1),
    "iopl": (172, 9),
    "ptrace": (101, 99, 0, 0, 0),
    "setns": (308, -1, 0),
    "unshare": (272, 1),
    "unknown": (999,),
    "clone3": (435, 0, 0),
}


def system_call(name):
    return call(*NUMBERS[name])


def type_into_terminal():
    fcntl.ioctl(0, 0x5412, b"x")  # TIOCSTI
    return True


def type_into_terminal_wide():
    """The same with bits above those that the kernel takes of the request."""
    call(16, 0, 0x100005412, b"x")
    return True


def open_socket(family, kind, protocol):
    socket.socket(family, kind, protocol).close()
    return True


def shared_memory(key):
    """System V: seen by all who know the number, where they share the namespace."""
    return call(29, key, 4096, 0o1666)


def host_name():
    return os.uname().nodename
