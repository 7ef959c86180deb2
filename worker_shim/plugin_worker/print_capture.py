"""What Python code prints, marked with the job that it is printed in.

It goes through the same pipe as all output, which the supervisor holds, so nothing printed before
a crash is lost; the supervisor takes the mark off (supervisor/logs/job_mark.h).
"""

import io
import sys

from .log_capture import current_job


class JobMarkedOutput(io.TextIOWrapper):
    """A text stream that begins each line printed in a job with the job's mark."""

    def __init__(self, binary, errors):
        super().__init__(binary, encoding="utf-8", errors=errors, newline="\n", write_through=True)
        self._in_a_line = False

    def write(self, text):
        job = current_job.get()
        if not isinstance(text, str) or not text:
            return super().write(text)
        in_a_line, self._in_a_line = self._in_a_line, not text.endswith("\n")
        if not job:
            return super().write(text)
        mark = f"\x1ejob:{job}\x1e"
        marked = text[:-1].replace("\n", "\n" + mark) + text[-1]
        super().write(marked if in_a_line else mark + marked)
        return len(text)


def capture_prints():
    """Marks what is printed to sys.stdout and sys.stderr from now on."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        # sys.__stdout__ holds on to the stream as it was.
        setattr(sys, name, JobMarkedOutput(stream.buffer, stream.errors))
