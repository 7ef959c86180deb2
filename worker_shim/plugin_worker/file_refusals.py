"""Says which permission was missing when a file is refused, or is not there for the plugin.

As refusals.py does for the rest. A call that succeeds costs a frame more.
"""

import builtins
import errno
import functools
import io
import os

from . import _native

_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
_READING = ("listdir", "scandir")
_CHANGING = ("link", "remove", "rename", "replace", "rmdir", "symlink", "unlink")
# With one of them a path is not what it says.
_ELSEWHERE = ("dir_fd", "src_dir_fd", "dst_dir_fd", "opener")


def explain_file_refusals():
    """Once per interpreter, before there is a plugin."""
    # One function under two names, and so again.
    builtins.open = io.open = _Explained(open, "io", _wish_of_open)
    os.open = _Explained(os.open, "os", _wish_of_os_open)
    os.mkdir = _Explained(os.mkdir, "os", _make)
    os.truncate = _Explained(os.truncate, "os", _write)
    for names, wish in ((_READING, _read), (_CHANGING, _change)):
        for name in names:
            setattr(os, name, _Explained(getattr(os, name), "os", wish))
    # Whoever asks what a function can do finds the one that does it.
    for able in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        able.update(one for one in vars(os).values() if _plain(one) in able)


def set_code_directory(path):
    """Of the plugin that this process is."""
    global _code
    _code = path


_code = ""


def _plain(function):
    return function.plain if isinstance(function, _Explained) else None


class _Explained:
    """A function of the system's. An object, since a class may have it for an attribute: that makes
    a method of a function, and of a builtin one does not."""

    __annotations__ = {}

    def __init__(self, plain, module, wish):
        self.plain = plain
        self._wish = wish
        self.__name__ = self.__qualname__ = plain.__name__
        self.__doc__ = plain.__doc__
        self.__module__ = module
        self.__wrapped__ = plain

    def __call__(self, *arguments, **named):
        try:
            return self.plain(*arguments, **named)
        except OSError as error:
            # The same error goes on: another one would keep what its callers hold alive.
            explain(error, lambda: _explanation(error, self._wish, arguments, named))
            raise

    def __repr__(self):
        return repr(self.plain)

    def __reduce__(self):
        return self.__name__  # Of its module, as others find it.


def explain(error, explanation):
    """Has `error` say what `explanation`, which may return nothing, or fail, returns."""
    try:
        what = explanation()
    except Exception:
        return
    if what:
        error.strerror = what


# What was wanted of a file, and on what the permission is to be had: itself, or its directory; None
# when nobody knows.


def _read(_arguments, _named, path):
    return "read", path


def _write(_arguments, _named, path):
    return "write", path


def _change(_arguments, _named, path):
    return "write", os.path.dirname(path)


def _make(_arguments, _named, path):
    # Directories on the way to what is wanted are made first: to have all that is in them would be
    # too much.
    is_wanted = os.path.isdir(os.path.dirname(path)) and _is_in_sight(path)
    return "write", path if is_wanted else None


def _wish_of_open(arguments, named, path):
    mode = named.get("mode", arguments[1] if len(arguments) > 1 else "r")
    writes = isinstance(mode, str) and any(letter in mode for letter in "wax+")
    return _wish_to_open(writes, path)


def _wish_of_os_open(arguments, named, path):
    flags = named.get("flags", arguments[1] if len(arguments) > 1 else 0)
    writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    return _wish_to_open(writes, path)


def _wish_to_open(writes, path):
    if not writes:
        return "read", path
    return "write", path if os.path.lexists(path) else os.path.dirname(path)


def _explanation(error, wish, arguments, named):
    """What the message is to be; None when that of the system is as good."""
    absent = error.errno == errno.ENOENT and _native.has_own_root()
    if not (absent or error.errno in _NOT_ALLOWED):
        return None
    if any(named.get(name) is not None for name in _ELSEWHERE):
        return None
    named_paths = [path for path in (error.filename, error.filename2) if path is not None]
    if not named_paths or not all(isinstance(path, (str, bytes)) for path in named_paths):
        return None
    paths = [os.path.abspath(os.fsdecode(path)) for path in named_paths]
    code = [path for path in paths if _is_within_any(path, _places_of_code())]
    if code:
        what, _ = wish(arguments, named, code[0])
        if what == "read" or absent:
            return None
        return "a plugin's code is read-only: write to $PLUGIN_DATA_DIR"
    paths = [path for path in paths if not _is_within_any(path, _own_places())]
    if absent:
        paths = [path for path in paths if not _is_in_sight(path)]
    # Of two, it could be either.
    if len({os.path.dirname(path) for path in paths}) != 1:
        return None
    what, granted_on = wish(arguments, named, paths[0])
    refused = "not in the sandbox" if absent else f"{what} refused"
    if granted_on is None:
        return f"{refused}: filesystem.{what} must be granted for the directory that is wanted"
    return f"{refused}: grant filesystem.{what}={granted_on}"


@functools.cache
def _own_places():
    """What needs no permission."""
    own = (os.environ.get("PLUGIN_DATA_DIR"), os.environ.get("TMPDIR"), "/tmp", "/dev", "/proc")
    return tuple(os.path.realpath(place) for place in own if place)


@functools.cache
def _places_of_code():
    return (_code, os.path.realpath(_code)) if _code else ()


def _is_within_any(path, places):
    return any(path == place or path.startswith(place + "/") for place in places)


def _is_in_sight(path):
    """Whether what the host has there is there for the plugin, too: the directories of its root are
    its own where nothing of the host's begins, and all of one file system."""
    if not _native.has_own_root():
        return True
    directory = os.path.dirname(path)
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    return os.stat(directory).st_dev != os.stat("/").st_dev
