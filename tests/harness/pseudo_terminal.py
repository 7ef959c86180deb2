"""A program that runs on a terminal of its own, as under a person's hands."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from .waiting import seconds

_ESCAPE = re.compile(r"\x1b(\[[0-9;?=>]*[A-Za-z]|[=>]|\][^\x07]*\x07|\([A-Z0-9])")


def _plain(text: str) -> str:
    """Without escape sequences, bells, and what a backspace takes back."""
    text = _ESCAPE.sub("", text).replace("\x07", "")
    while "\x08" in text:
        shorter = re.sub("[^\n\x08]\x08", "", text)
        if shorter == text:
            break
        text = shorter
    return text


class PseudoTerminal:
    """What it shows is kept as it came; `seen` leaves out what moves and colours it."""

    def __init__(self, command, rows=40, columns=160, environment=None, directory=None):
        self.ours, theirs = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(theirs)
        self.raw = ""
        self._partial = b""
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", **(environment or {})},
            cwd=directory,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        self.theirs = theirs

    def resize(self, rows: int, columns: int):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, text: str):
        os.write(self.ours, text.encode())

    @property
    def seen(self) -> str:
        return _plain(self.raw)

    def pages(self, since: int = 0) -> list[str]:
        """What was painted from the top left corner of the screen, one after another."""
        return [_plain(page) for page in self.raw[since:].split("\x1b[H")[1:]]

    def mark(self) -> int:
        """A place in what was shown, for read_until()."""
        return len(self.raw)

    def read_until(self, condition, what: str, since: int = 0, within: float = 20.0) -> str:
        """Reads until `condition(text shown since)`; a string is looked for. Returns that text."""
        if isinstance(condition, str):
            wanted = condition
            condition = lambda text: wanted in text  # noqa: E731
        deadline = time.monotonic() + seconds(within)
        while True:
            text = _plain(self.raw[since:])
            if condition(text):
                return text
            left = deadline - time.monotonic()
            assert left > 0, f"not shown: {what}; shown: {text[-3000:]!r}"
            if not select.select([self.ours], [], [], min(left, 0.5))[0]:
                continue
            try:
                chunk = os.read(self.ours, 65536)
            except OSError:
                chunk = b""  # EIO: nobody has the other end open.
            assert chunk, f"it ended before: {what}; shown: {text[-3000:]!r}"
            self._take(chunk)

    def _take(self, chunk: bytes):
        whole = self._partial + chunk
        # A character may be cut in two.
        for cut in range(len(whole), max(len(whole) - 4, -1), -1):
            try:
                self.raw += whole[:cut].decode()
                self._partial = whole[cut:]
                return
            except UnicodeDecodeError:
                continue
        self.raw += whole.decode(errors="replace")
        self._partial = b""

    def drain(self):
        """What has come by now."""
        while select.select([self.ours], [], [], 0)[0]:
            try:
                self._take(os.read(self.ours, 65536))
            except OSError:
                return

    def modes(self):
        """Of the terminal: local flags, as tcgetattr(3) tells them."""
        return termios.tcgetattr(self.theirs)[3]

    def wait(self, within: float = 20.0) -> int:
        """Its exit status, with what it showed last taken in."""
        code = self.process.wait(seconds(within))
        self.drain()
        return code

    def close(self):
        if self.ours < 0:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
        os.close(self.ours)
        os.close(self.theirs)
        self.ours = -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
