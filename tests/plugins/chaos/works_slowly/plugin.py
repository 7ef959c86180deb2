"""Long actions with progress, that end early when they are cancelled."""

import time

from .journal import noted

STEPS = 20


class Cancelled(Exception):
    pass


class Plugin:
    def run(self, action, params, context):
        with noted(params, context):
            for step in range(STEPS):
                if context["cancelled"]():
                    raise Cancelled(params["nonce"])
                time.sleep(params.get("seconds", 0.5) / STEPS)
                context["progress"]((step + 1) / STEPS, f"step {step + 1}")
            return {"nonce": params["nonce"]}
