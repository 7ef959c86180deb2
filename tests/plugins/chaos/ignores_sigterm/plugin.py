"""Ignores SIGTERM, and lets a call go only when it must."""

import signal
import time

from .journal import noted


class Plugin:
    def __init__(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def run(self, action, params, context):
        with noted(params, context):
            end = time.monotonic() + params.get("seconds", 0)
            while time.monotonic() < end:
                try:
                    time.sleep(0.05)
                except BaseException:
                    pass
            return {"nonce": params["nonce"]}

    def stop(self, context):
        time.sleep(3600)
