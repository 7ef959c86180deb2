"""Vice: threads until there can be no more, at most 3000; then it may take that badly."""

import os
import threading
import time

SECONDS = 60
MOST = 3000


class Plugin:
    def run(self, action, params, context):
        if action == "ping":
            return {"status": "ok", "pid": os.getpid()}
        started = 0
        try:
            while started < MOST:
                threading.Thread(target=time.sleep, args=[SECONDS], daemon=True).start()
                started += 1
        except RuntimeError as error:
            print(f"{started} threads, then: {error}", flush=True)
            if action == "bomb_and_abort":
                os.abort()
            return {"started": started, "refused": str(error)}
        return {"started": started}
