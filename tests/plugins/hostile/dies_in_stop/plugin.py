"""Vice: ends its own process in stop(), in the way that the last action named."""

import os
import signal


class Plugin:
    way = "ping"

    def run(self, action, params, context):
        self.way = action
        return {"status": "ok", "pid": os.getpid()}

    def stop(self, context):
        if self.way == "abort":
            os.abort()
        elif self.way == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.way == "exit":
            os._exit(3)
