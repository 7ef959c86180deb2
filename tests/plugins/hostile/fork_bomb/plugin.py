"""Vice: processes that fork: many of them, or one after the other. They end after a minute."""

import os
import time

SECONDS = 60
MANY = 150


class Plugin:
    def run(self, action, params, context):
        if action in ("many", "runaway", "scatter") and os.fork() == 0:
            end = time.monotonic() + SECONDS
            if action == "many":
                for _ in range(MANY):
                    if os.fork() == 0:
                        os.setsid()
                        break
                time.sleep(SECONDS)
            while time.monotonic() < end:
                # Its number is another every few milliseconds, with "scatter" its group as well.
                if os.fork() != 0:
                    os._exit(0)
                if action == "scatter":
                    os.setsid()
                time.sleep(0.002)
            os._exit(0)
        return {"status": "ok", "pid": os.getpid()}
