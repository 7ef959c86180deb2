"""Attempts at the kernel: calls that no plugin needs.

Where one would do harm if it were let through, its arguments make it fail with something else,
after the kernel has looked whether the caller may.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import platform
import socket
import struct

from .attempt import Attempt, Untried, barriers
from .files import open_for_reading
from .system_call import call

# Of every call the name, and arguments with which it is harmless.
ARGUMENTS = {
    "io_uring_setup": (1, 0),
    "bpf": (0, 0, 0),
    "perf_event_open": (0, 0, -1, -1, 0),
    "userfaultfd": (1 << 30,),
    "keyctl": (0, -3, 0),
    "add_key": (0, 0, 0, 0, 0),
    "kexec_load": (0, 0, 0, 0xFFFF),
    "init_module": (0, 0, 0),
    "finit_module": (-1, 0, 0),
    "reboot": (0, 0, 0),
    "swapon": (0, 0),
    "settimeofday": (0, 0),
    "sethostname": (0, -1),
    "personality": (0x0040000,),  # ADDR_NO_RANDOMIZE
    "modify_ldt": (0, 0, 0),
    "mount": (b"none", b"/proc/self/fd", b"no-such-file-system", 0, 0),
    "umount2": (b"/proc/self/fd", 0),
    "move_mount": (-1, 0, -1, 0, 0),
    "open_tree": (-1, b"", 1),  # OPEN_TREE_CLONE
    "fsopen": (b"no-such-file-system", 0),
    "pivot_root": (0, 0),
    "chroot": (b"/",),
    "acct": (1,),
    "iopl": (3,),
}


def system_call(name):
    result = call(name, *ARGUMENTS[name])
    if name in ("io_uring_setup", "perf_event_open", "userfaultfd", "open_tree", "fsopen"):
        os.close(result)
    return True


def type_into_terminal():
    fcntl.ioctl(0, 0x5412, b"x")  # TIOCSTI
    return True


def type_into_terminal_wide():
    """The same with bits above those that the kernel takes of the request."""
    call("ioctl", 0, 0x100005412, b"x")
    return True


def paste_into_terminal():
    call("ioctl", 0, 0x541C, b"\x03")  # TIOCLINUX
    return True


def call_as_32_bit():
    """getpid() of the 32-bit calls, whose numbers a filter for 64 bits does not mean."""
    if platform.machine() != "x86_64":
        raise Untried("this machine has no int 0x80")
    code = b"\xb8\x14\x00\x00\x00\xcd\x80\x48\x98\xc3"  # mov eax, 20; int 0x80; cdqe; ret
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    place = ctypes.addressof(ctypes.c_char.from_buffer(page))
    result = ctypes.CFUNCTYPE(ctypes.c_long)(place)()
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return True


def call_as_x32():
    if platform.machine() != "x86_64":
        raise Untried("this machine has no x32")
    return call(0x40000000 | 39) > 0


def open_socket(family, kind, protocol):
    socket.socket(family, kind, protocol).close()
    return True


def find_shared_memory(key):
    call("shmget", key, 0, 0)
    return True


def find_queue(name):
    os.close(call("mq_open", name.lstrip("/").encode(), os.O_RDONLY, 0, 0))
    return True


def see_host_name(name):
    if os.uname().nodename != name:
        raise FileNotFoundError(errno.ENOENT, "it is shown another")
    return True


def _attempt(number, name, what, stops, *through, host_may=()):
    return Attempt(number, name, what, lambda at: system_call(name), stops, through, host_may)


_FILTER = barriers(system_calls="EPERM")


def _power(capability):
    return barriers(system_calls="EPERM", **{f"no_capabilities__{capability}": "EPERM"})


_ADMIN = _power("sys_admin")
_NO_FAMILY = barriers(system_calls="EAFNOSUPPORT")
_VSOCK = 40
_ICMP = socket.IPPROTO_ICMP

ATTEMPTS = (
    Attempt(12, "type_into_terminal", "type into a terminal (TIOCSTI)",
            lambda at: type_into_terminal(), _FILTER, (errno.ENOTTY, errno.EIO)),
    Attempt(12, "type_into_terminal_wide", "the same with bits that the kernel does not look at",
            lambda at: type_into_terminal_wide(), _FILTER, (errno.ENOTTY, errno.EIO)),
    Attempt(12, "paste_into_terminal", "paste into a console (TIOCLINUX)",
            lambda at: paste_into_terminal(), _FILTER, (errno.ENOTTY,)),
    _attempt(13, "mount", "mount a file system", _ADMIN, errno.ENODEV),
    _attempt(13, "umount2", "take a mount away", _ADMIN, errno.EINVAL),
    _attempt(13, "move_mount", "move a mount", _ADMIN, errno.EBADF, errno.EFAULT, errno.ENOENT),
    _attempt(13, "open_tree", "copy a mount", _ADMIN, errno.EBADF, errno.ENOENT),
    _attempt(13, "fsopen", "prepare a mount", _ADMIN, errno.ENODEV),
    _attempt(13, "pivot_root", "change the root", _ADMIN, errno.EFAULT),
    _attempt(13, "chroot", "change its own root, to climb out of it", _power("sys_chroot")),
    _attempt(32, "io_uring_setup", "make system calls past the filter (io_uring)", _FILTER,
             errno.EFAULT, host_may=(errno.EPERM,)),
    _attempt(33, "bpf", "put a program into the kernel (bpf)", _FILTER, errno.EINVAL,
             host_may=(errno.EPERM,)),
    _attempt(33, "perf_event_open", "measure the kernel and others (perf_event_open)", _FILTER,
             errno.EFAULT, host_may=(errno.EACCES,)),
    _attempt(33, "userfaultfd", "hold up the kernel (userfaultfd)", _FILTER, errno.EINVAL,
             host_may=(errno.EPERM,)),
    _attempt(33, "keyctl", "reach keys of others in the kernel's store (keyctl)", _FILTER),
    _attempt(33, "add_key", "put a key into the kernel's store", _FILTER, errno.EFAULT),
    _attempt(34, "kexec_load", "start another kernel (kexec_load)", _power("sys_boot"), errno.EINVAL,
             host_may=(errno.ENOSYS,)),
    _attempt(34, "init_module", "load a kernel module", _power("sys_module"), errno.EFAULT, errno.ENOEXEC,
             host_may=(errno.ENOSYS,)),
    _attempt(34, "finit_module", "load a kernel module from a file", _power("sys_module"), errno.EBADF,
             errno.EINVAL, host_may=(errno.ENOSYS,)),
    _attempt(34, "reboot", "restart the machine", _power("sys_boot"), errno.EINVAL),
    _attempt(34, "swapon", "swap to a file of its own", _ADMIN, errno.EFAULT),
    _attempt(34, "settimeofday", "set the clock", _power("sys_time")),
    _attempt(34, "sethostname", "rename the host", _ADMIN, errno.EINVAL),
    _attempt(34, "acct", "have all processes recorded (acct)", _power("sys_pacct"), errno.EFAULT),
    _attempt(34, "iopl", "reach devices by their ports (iopl)", _power("sys_rawio"), errno.EINVAL,
             host_may=(errno.ENOSYS,)),
    _attempt(35, "personality", "switch off address randomization", barriers(system_calls="ENOSYS")),
    _attempt(35, "modify_ldt", "change segments (modify_ldt)", _FILTER, host_may=(errno.ENOSYS,)),
    Attempt(36, "call_as_32_bit", "make 32-bit system calls (int 0x80)",
            lambda at: call_as_32_bit(), barriers(system_calls="ENOSYS"),
            host_may=(errno.ENOSYS,)),
    Attempt(36, "call_as_x32", "make x32 system calls", lambda at: call_as_x32(),
            barriers(system_calls="ENOSYS"), host_may=(errno.ENOSYS,)),
    Attempt(38, "packet_socket", "listen to all packets (AF_PACKET)",
            lambda at: open_socket(socket.AF_PACKET, socket.SOCK_RAW, 0),
            barriers(system_calls="EAFNOSUPPORT", no_capabilities__net_raw="EPERM")),
    Attempt(38, "netlink_socket", "configure the network (AF_NETLINK)",
            lambda at: open_socket(socket.AF_NETLINK, socket.SOCK_RAW, 0), _NO_FAMILY),
    Attempt(38, "crypto_socket", "reach the kernel's cryptography (AF_ALG)",
            lambda at: open_socket(socket.AF_ALG, socket.SOCK_SEQPACKET, 0), _NO_FAMILY,
            host_may=(errno.EAFNOSUPPORT,)),
    Attempt(38, "vm_socket", "reach the hypervisor (AF_VSOCK)",
            lambda at: open_socket(_VSOCK, socket.SOCK_STREAM, 0), _NO_FAMILY,
            host_may=(errno.EAFNOSUPPORT,)),
    Attempt(38, "raw_socket", "forge TCP packets (SOCK_RAW)",
            lambda at: open_socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP),
            barriers(system_calls__internet="EACCES", system_calls="EPERM",
                     no_capabilities__net_raw="EPERM")),
    Attempt(38, "raw_icmp_socket", "forge ICMP packets",
            lambda at: open_socket(socket.AF_INET, socket.SOCK_RAW, _ICMP),
            barriers(system_calls__internet="EACCES", system_calls="EPROTONOSUPPORT",
                     no_capabilities__net_raw="EPERM")),
    Attempt(38, "ping_socket", "send pings",
            lambda at: open_socket(socket.AF_INET, socket.SOCK_DGRAM, _ICMP),
            barriers(system_calls__internet="EACCES", system_calls="EPROTONOSUPPORT"),
            host_may=(errno.EACCES,)),
    Attempt(39, "shared_memory", "reach System V shared memory of the host",
            lambda at: find_shared_memory(at.segment),
            barriers(system_calls__ipc="EACCES", ipc="ENOENT")),
    Attempt(39, "message_queue", "reach a POSIX message queue of the host",
            lambda at: find_queue(at.queue), barriers(system_calls__ipc="EACCES", ipc="ENOENT")),
    Attempt(39, "shared_file", "reach POSIX shared memory of the host (/dev/shm)",
            lambda at: open_for_reading("/dev/shm/" + at.shared), barriers(root="ENOENT", files="EACCES")),
    Attempt(39, "see_host_name", "see the host's name", lambda at: see_host_name(at.host_name),
            barriers(host_name="ENOENT")),
)  # fmt: skip
