"""Vice: a thread of it prints as fast as it can, for ever."""

import os
import threading


class Plugin:
    def run(self, action, params, context):
        if action == "flood":
            threading.Thread(target=_flood, daemon=True).start()
        elif action == "crash":
            os.write(2, b"the last line\n")
            os.abort()
        return {"status": "ok"}


def _flood():
    block = b"".join(b"%d %s\n" % (number, b"." * 40) for number in range(1000))
    while True:
        os.write(1, block)
