"""The logging module's records, sent over the link."""

import contextvars
import logging
import sys
import traceback

# The supervisor cuts a longer line; what is cut here says so.
_MAX_LINE_BYTES = 8 * 1024 - 32
_MAX_LINES = 400


# The job that this thread (or task) works on; its log lines carry it.
current_job = contextvars.ContextVar("current_job", default="")


class LinkHandler(logging.Handler):
    """Sends records to the supervisor. Never raises, whatever a record holds."""

    def __init__(self, link):
        super().__init__(logging.NOTSET)
        self._link = link

    def emit(self, record):
        try:
            lines = _lines_of(record)
            if not self._link.log(_level(record.levelno), record.name, lines,
                                  int(record.created * 1_000_000), current_job.get()):
                # A child that the plugin forked: the link is its parent's.
                sys.stderr.write("\n".join([*lines, ""]))
        except Exception:
            pass


def capture_logging(link):
    """Sends all logging of this process to the supervisor."""
    root = logging.getLogger()
    root.handlers[:] = [LinkHandler(link)]
    root.setLevel(logging.INFO)
    logging.raiseExceptions = False


def plugin_logger(key):
    """The logger of a plugin's context: everything of it is sent."""
    logger = logging.getLogger(f"plugin.{key}")
    logger.setLevel(logging.DEBUG)
    return logger


def _lines_of(record):
    try:
        text = record.getMessage()
    except Exception as error:  # "%d" % "x": the message is still worth having.
        text = f"{record.msg!r} % {record.args!r} ({type(error).__name__}: {error})"
    if record.exc_info:
        text += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
    elif record.exc_text:
        text += "\n" + record.exc_text
    if record.stack_info:
        text += "\n" + record.stack_info
    lines = str(text).splitlines() or [""]
    if len(lines) > _MAX_LINES:
        left_out = len(lines) - _MAX_LINES
        lines[_MAX_LINES // 2 : -_MAX_LINES // 2] = [f"[{left_out} lines left out]"]
    return [_cut(line) for line in lines]


def _cut(line):
    if len(line) * 4 <= _MAX_LINE_BYTES:
        return line
    data = line.encode("utf-8", "replace")
    if len(data) <= _MAX_LINE_BYTES:
        return line
    kept = data[:_MAX_LINE_BYTES].decode("utf-8", "ignore")
    return f"{kept} [{len(data) - _MAX_LINE_BYTES} bytes cut]"


def _level(number):
    """The nearest of the five standard levels, downwards."""
    return max(10, min(50, number // 10 * 10))
