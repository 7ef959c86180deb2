"""Vice: C code that never lets another thread run, on the main thread or beside it. It ends by
itself after some minutes."""

import itertools
import os
import threading
import time

ROUNDS = 20_000_000_000


def spin():
    sum(itertools.repeat(1, ROUNDS))


class Plugin:
    def run(self, action, params, context):
        if action == "spin":
            spin()
        elif action == "beside":
            # After the answer, so that the caller sees it.
            threading.Timer(params.get("after", 0.2), spin).start()
        elif action == "busy":
            # Python code: slow, but it lets others have their turn.
            end = time.monotonic() + params.get("seconds", 60)
            while time.monotonic() < end:
                pass
        return {"status": "ok", "pid": os.getpid()}
