"""Vice: threads, not daemons, that outlive the call and would outlive the process."""

import threading
import time


def log_for_ever(logger):
    for number in range(60_000):
        logger.info("still here: %d", number)
        time.sleep(0.01)


class Plugin:
    def run(self, action, params, context):
        if action == "start":
            threading.Thread(target=threading.Event().wait, args=(600,)).start()
        elif action == "log_for_ever":
            threading.Thread(target=log_for_ever, args=(context["logger"],)).start()
        return {"status": "ok", "threads": threading.active_count()}
