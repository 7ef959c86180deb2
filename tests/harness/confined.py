"""Starts a program as it would be in poorer surroundings.

    confined.py container PROGRAM...     the capabilities and the system calls that are left to a
                                         process in a default container
    confined.py no-user-namespaces ...   user namespaces cannot be made; all else can
    confined.py unprivileged ...         the same for another user, without any capability
    confined.py user ...                 such a user, who may make user namespaces

What is refused is refused by a filter of system calls, as container engines do it; the program's own
filters come on top of it.
"""

import ctypes
import errno
import os
import sys

# Those that Docker and Podman leave to a container's root.
CONTAINER_CAPABILITIES = (
    "chown dac_override fsetid fowner mknod net_raw setgid setuid setfcap setpcap "
    "net_bind_service sys_chroot kill audit_write"
).split()
# What their default filters refuse to those without CAP_SYS_ADMIN.
MOUNTS_AND_NAMESPACES = (
    "mount umount2 move_mount open_tree fsopen fsmount fsconfig fspick mount_setattr pivot_root "
    "unshare setns"
).split()
_NAMESPACES = 0x7E020000  # All CLONE_NEW* of clone(2).
_NEW_USER = 0x10000000
_SOME_USER = 65534

_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_MASKED_EQUAL = 7


class _Comparison(ctypes.Structure):
    _fields_ = [
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("mask", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
    ]


class Filter:
    """Of the system calls of this process and all it starts; see seccomp_rule_add(3)."""

    def __init__(self):
        self._library = ctypes.CDLL("libseccomp.so.2")
        self._library.seccomp_init.restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(self._library.seccomp_init(_ALLOW))
        _check(self._library.seccomp_attr_set(self._context, 2, _ALLOW))  # Of 32-bit calls.
        _check(self._library.seccomp_attr_set(self._context, 3, 0))  # Without no_new_privs.

    def refuse(self, name, error=errno.EPERM, flag=None):
        """All calls, or those with this bit in their first argument."""
        number = self._library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return
        comparisons = (_Comparison * 1)()
        if flag is not None:
            comparisons[0] = _Comparison(0, _MASKED_EQUAL, flag, flag)
        count = 0 if flag is None else 1
        _check(
            self._library.seccomp_rule_add_array(
                self._context, ctypes.c_uint32(_ERRNO | error), number, count, comparisons
            )
        )

    def load(self):
        _check(self._library.seccomp_load(self._context))


def _check(result):
    if result < 0:
        raise OSError(-result, f"libseccomp: {os.strerror(-result)}")


def container(program):
    made = Filter()
    for name in MOUNTS_AND_NAMESPACES:
        made.refuse(name)
    for bit in range(64):
        if _NAMESPACES >> bit & 1:
            made.refuse("clone", flag=1 << bit)
    made.refuse("clone3", errno.ENOSYS)  # Whose flags a filter does not see.
    made.load()
    bounds = ",".join(["-all", *(f"+{name}" for name in CONTAINER_CAPABILITIES)])
    os.execvp("setpriv", ["setpriv", "--bounding-set", bounds, "--inh-caps", "-all", *program])


def _refuse_user_namespaces():
    """As with user.max_user_namespaces=0."""
    made = Filter()
    for name in ("clone", "unshare"):
        made.refuse(name, errno.ENOSPC, _NEW_USER)
    made.refuse("clone3", errno.ENOSYS)
    made.load()


def no_user_namespaces(program):
    _refuse_user_namespaces()
    os.execvp(program[0], program)


def unprivileged(program):
    _refuse_user_namespaces()
    user(program)


def user(program):
    some = str(_SOME_USER)
    os.execvp(
        "setpriv",
        [
            *("setpriv", "--reuid", some, "--regid", some, "--clear-groups", "--inh-caps", "-all"),
            *program,
        ],
    )


KINDS = {
    "container": container,
    "no-user-namespaces": no_user_namespaces,
    "unprivileged": unprivileged,
    "user": user,
}

if __name__ == "__main__":
    KINDS[sys.argv[1]](sys.argv[2:])
