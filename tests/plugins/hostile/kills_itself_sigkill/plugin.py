"""Vice: ends or freezes its own process by signal."""

import os
import signal


class Plugin:
    def run(self, action, params, context):
        print(f"last words before {action}", flush=True)
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif action == "terminate":
            os.kill(os.getpid(), signal.SIGTERM)
        elif action == "abort":
            os.abort()
        elif action == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        return {"status": "ok", "pid": os.getpid()}
