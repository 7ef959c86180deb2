"""Vice: takes all the processor time it can get, for some seconds."""

import os
import time


class Plugin:
    def run(self, action, params, context):
        if action == "burn":
            before, end = time.process_time(), time.monotonic() + params.get("seconds", 2)
            while time.monotonic() < end:
                pass
            return {"cpu_seconds": time.process_time() - before}
        return {"status": "ok", "pid": os.getpid()}
