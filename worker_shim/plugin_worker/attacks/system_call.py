"""System calls by name."""

import ctypes
import os

from .attempt import Untried

_libc = ctypes.CDLL(None, use_errno=True)
_numbers = {}


def call(name, *arguments):
    """Raises OSError. `name` may be a number."""
    number = name if isinstance(name, int) else number_of(name)
    result = _libc.syscall(ctypes.c_long(number), *[_value(a) for a in arguments])
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def number_of(name):
    """On this machine, as libseccomp knows it: the supervisor needs that library anyway."""
    if name not in _numbers:
        try:
            resolve = ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_name
        except OSError as error:
            raise Untried(f"system calls have no numbers here: {error}") from None
        _numbers[name] = resolve(name.encode())
    if _numbers[name] < 0:
        raise Untried(f"this machine has no system call {name}")
    return _numbers[name]


def _value(argument):
    if isinstance(argument, bytes):
        return ctypes.c_char_p(argument)
    return ctypes.c_long(argument) if isinstance(argument, int) else argument
