"""Vice: stops its own process (SIGSTOP), in a call or in stop()."""

import os
import signal


class Plugin:
    stop_in_stop = False

    def run(self, action, params, context):
        if action == "now":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif action == "later":
            self.stop_in_stop = True
        return {"status": "ok", "pid": os.getpid()}

    def stop(self, context):
        if self.stop_in_stop:
            os.kill(os.getpid(), signal.SIGSTOP)
