"""Vice: children that have children. At most 3000 live at a time, and each ends after a minute."""

import errno
import os
import time

SECONDS = 60
MOST = 3000


def sleep_and_end():
    time.sleep(SECONDS)
    os._exit(0)


class Plugin:
    def run(self, action, params, context):
        if action != "bomb":
            return {"status": "ok", "pid": os.getpid()}
        started, end = 0, time.monotonic() + 20
        while started < MOST and time.monotonic() < end:
            try:
                child = os.fork()
            except OSError as error:
                return {"started": started, "refused": errno.errorcode[error.errno]}
            if child == 0:
                # One more generation, which falls to whoever reaps here.
                try:
                    os.fork()
                except OSError:
                    pass
                sleep_and_end()
            started += 1
        return {"started": started}
