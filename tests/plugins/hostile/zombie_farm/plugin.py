"""Vice: children that have ended and that nobody waits for."""

import os

MANY = 200


class Plugin:
    def run(self, action, params, context):
        if action == "farm":
            for _ in range(MANY):
                if os.fork() == 0:
                    os._exit(0)
        return {"status": "ok", "pid": os.getpid()}
