"""What began and what ended, one line each, in a file that all plugins of the run append to."""

import contextlib
import os


def note(word, nonce, job_id):
    line = f"{word} {nonce} {job_id} {os.getpid()}\n"
    file = os.open(os.environ["CHAOS_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


@contextlib.contextmanager
def noted(params, context):
    """`began` before, and `ended` after what succeeds."""
    note("began", params["nonce"], context["job_id"])
    yield
    note("ended", params["nonce"], context["job_id"])
