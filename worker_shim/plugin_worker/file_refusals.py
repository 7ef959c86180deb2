"""Says which permission was missing when a file is refused, or is not there for the plugin.

As refusals.py does for the rest. A call that succeeds costs a frame more.
"""

import builtins
import errno
import io
import os

from . import _native

_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
_READING = ("listdir", "scandir")
_MAKING = ("mkdir",)
_CHANGING = (
    "link", "remove", "rename", "replace", "rmdir", "symlink", "truncate", "unlink",
)  # fmt: skip


_code = ""


def explain_file_refusals():
    """Once per interpreter, before there is a plugin."""
    # One function under two names, and so again.
    builtins.open = io.open = _Explained(open, _wish_of_open)
    os.open = _Explained(os.open, _wish_of_os_open)
    for names, wish in ((_READING, _read), (_MAKING, _make), (_CHANGING, _change)):
        for name in names:
            setattr(os, name, _Explained(getattr(os, name), wish))
    # Whoever asks what a function can do finds the one that does it.
    for able in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        able.update(one for one in vars(os).values() if _plain(one) in able)


def set_code_directory(path):
    """Of the plugin that this process is."""
    global _code
    _code = path


def _plain(function):
    return function.plain if isinstance(function, _Explained) else None


class _Explained:
    """A function of the system's. An object, since a class may have it for an attribute: that makes
    a method of a function, and of a builtin one does not."""

    def __init__(self, plain, wish):
        self.plain = plain
        self._wish = wish
        self.__name__ = self.__qualname__ = plain.__name__
        self.__doc__ = plain.__doc__
        self.__module__ = plain.__module__
        self.__wrapped__ = plain

    def __call__(self, *arguments, **named):
        try:
            return self.plain(*arguments, **named)
        except OSError as error:
            if named.get("dir_fd") is not None:
                raise
            what = _explanation(error, *self._wish(arguments, named))
            if what is None:
                raise
            told = type(error)(error.errno, what, error.filename, None, error.filename2)
            raise told from error

    def __repr__(self):
        return repr(self.plain)


# What was wanted of a file, and with which permission on what it could be had.


def _read(_arguments, _named):
    return "read", _itself


def _change(_arguments, _named):
    return "write", os.path.dirname


def _make(_arguments, _named):
    return "write", _itself


def _itself(path):
    return path


def _wish_of_open(arguments, named):
    mode = named.get("mode", arguments[1] if len(arguments) > 1 else "r")
    writes = isinstance(mode, str) and any(letter in mode for letter in "wax+")
    return ("write", _itself_or_directory) if writes else ("read", _itself)


def _wish_of_os_open(arguments, named):
    flags = named.get("flags", arguments[1] if len(arguments) > 1 else 0)
    writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    return ("write", _itself_or_directory) if writes else ("read", _itself)


def _itself_or_directory(path):
    return path if os.path.lexists(path) else os.path.dirname(path)


def _explanation(error, what, granted_on):
    """What the message is to be; None when that of the system is as good."""
    absent = error.errno == errno.ENOENT and _native.has_own_root()
    path = error.filename if error.filename2 is None else error.filename2
    if not (absent or error.errno in _NOT_ALLOWED):
        return None
    if not isinstance(path, (str, bytes, os.PathLike)):
        return None
    path = os.path.abspath(os.fsdecode(path))
    if _code and any(_is_within(path, place) for place in (_code, os.path.realpath(_code))):
        if what == "read" or absent:
            return None
        return "a plugin's code is read-only: write to $PLUGIN_DATA_DIR"
    own = (os.environ.get("PLUGIN_DATA_DIR"), os.environ.get("TMPDIR"), "/tmp", "/dev", "/proc")
    if any(place and _is_within(path, os.path.realpath(place)) for place in own):
        return None
    if absent and _is_in_sight(path):
        return None
    refused = "not in the sandbox" if absent else f"{what} refused"
    return f"{refused}: grant filesystem.{what}={granted_on(path)}"


def _is_within(path, place):
    return path == place or path.startswith(place + "/")


def _is_in_sight(path):
    """Whether what the host has there is there for the plugin, too: the directories of its root are
    its own where nothing of the host's begins, and all of one file system."""
    directory = os.path.dirname(path)
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    return os.stat(directory).st_dev != os.stat("/").st_dev
