"""State in the object and in the module: both live between calls, and end with the process."""

import os
import threading

total = 0


class Plugin:
    def __init__(self):
        self.count = 0
        self.lock = threading.Lock()

    def run(self, action, params, context):
        global total
        with self.lock:
            if action == "add":
                self.count += int(params.get("by", 1))
                total += int(params.get("by", 1))
            return {"status": "ok", "count": self.count, "total": total, "pid": os.getpid()}
