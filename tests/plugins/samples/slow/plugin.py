"""A long action beside a status poll that must be answered meanwhile."""

import threading
import time

LONGEST = 120.0


class Plugin:
    def __init__(self):
        self.cancelled = threading.Event()
        self.working = False
        self.progress = 0.0

    def run(self, action, params, context):
        if action == "work":
            return self.work(min(float(params.get("seconds", 5)), LONGEST))
        if action == "cancel":
            self.cancelled.set()
        return {"status": "ok", "working": self.working, "progress": self.progress}

    def work(self, seconds):
        self.cancelled.clear()
        self.working, begin = True, time.monotonic()
        try:
            while (elapsed := time.monotonic() - begin) < seconds:
                self.progress = elapsed / seconds
                if self.cancelled.wait(min(0.02, seconds - elapsed)):
                    return {"status": "cancelled", "progress": self.progress}
            self.progress = 1.0
            return {"status": "ok", "seconds": seconds}
        finally:
            self.working = False
