"""One attempt, what stops it, and what is to be said of how it went."""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

BLOCKED, OPEN, UNPROTECTED, GRANTED, UNCLEAR, UNTRIED = (
    "blocked", "open", "unprotected", "granted", "unclear", "untried",
)  # fmt: skip


# Those that attempts need: see linux/capability.h.
CAPABILITIES = {
    "dac_read_search": 2, "setuid": 7, "net_raw": 13, "sys_module": 16, "sys_rawio": 17,
    "sys_chroot": 18, "sys_ptrace": 19, "sys_pacct": 20, "sys_admin": 21, "sys_boot": 22,
    "sys_nice": 23, "sys_resource": 24, "sys_time": 25, "mknod": 27,
}  # fmt: skip
# Stands among protections for what the supervisor itself refuses, whatever the sandbox.
SUPERVISOR = "supervisor"
ROOT_ALREADY = "it is root already"


class Untried(Exception):
    """There is nothing here to try it on; the text says what."""


@dataclass(frozen=True)
class Barrier:
    """A protection that stops an attempt all alone, and the error that it gives.

    "system_calls:exec": under a condition, see in_force().
    """

    name: str
    error: int

    @property
    def protection(self):
        return self.name.partition(":")[0]


@dataclass(frozen=True)
class Attempt:
    number: int  # In the list of deploy/docs/security.md.
    name: str
    what: str
    act: Callable[[Any], Any]  # Gets a Targets; returns when it was not stopped, else raises.
    # In the order in which the kernel comes to them: the first that is in force is what is seen.
    barriers: tuple[Barrier, ...]
    # Errors that come after the kernel has let the call through.
    through: tuple[int, ...] = ()
    # Errors that a host may give by its own settings, whatever the sandbox.
    host_may: tuple[int, ...] = ()
    # A grant, as Targets.grants has it, with which it is no attack.
    granted_by: str = ""

    def expected(self, in_force):
        """The error that it must fail with; None when nothing stops it."""
        return next((barrier.error for barrier in self.barriers if barrier.name in in_force), None)

    def verdict(self, outcome, in_force, grants):
        """Of an Outcome."""
        if outcome.untried:
            return UNTRIED
        stops = {barrier.error for barrier in self.barriers if barrier.name in in_force}
        if outcome.error and outcome.error in (*stops, *self.host_may):
            return BLOCKED
        if outcome.error and outcome.error not in self.through:
            return UNCLEAR
        if self.granted_by and self.granted_by in grants:
            return GRANTED
        return OPEN if stops else UNPROTECTED


@dataclass(frozen=True)
class Outcome:
    """Of one attempt. With neither error nor untried it was done."""

    error: int = 0
    untried: str = ""

    @property
    def text(self):
        if self.untried:
            return self.untried
        return errno.errorcode.get(self.error, f"errno {self.error}") if self.error else "done"


def in_force(protections, grants, capabilities, user):
    """The protections, by name, and what follows from them.

    "system_calls:internet", ":exec" and ":ipc" are what the filter of system calls refuses as long
    as it is not needed; "files:proc" is Landlock's word on /proc/self. `capabilities`: those that the
    process has, as bits; who lacks one is held by that whatever took it. `user`: its user id; what
    is root's is closed to all but root.
    """
    known = {*protections, SUPERVISOR}
    for name, bit in CAPABILITIES.items():
        if not capabilities >> bit & 1:
            known.add(f"no_capabilities:{name}")
    if "not_dumpable" in known and user != 0:
        known.add("not_dumpable:user")
    # Without a /proc of its own it is granted that of the worker alone, not those of its children.
    if "files" in known and not {"root", "processes"} <= known:
        known.add("files:proc")
    if "system_calls" in known:
        if "network" not in known and "network" not in grants:
            known.add("system_calls:internet")
        if "exec" not in grants:
            known.add("system_calls:exec")
        if "ipc" not in known:
            known.add("system_calls:ipc")
    return known


def barriers(**errors):
    """barriers(root="ENOENT", files="EACCES"): in that order. "__" stands for ":"."""
    return tuple(
        Barrier(name.replace("__", ":"), getattr(errno, error)) for name, error in errors.items()
    )
