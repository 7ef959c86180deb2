"""Counts, with threads that live as long as it does."""

import threading

from .journal import noted


class Plugin:
    def __init__(self):
        self.total, self.ticks = 0, 0
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.tick, daemon=True) for _ in range(2)]
        for thread in self.threads:
            thread.start()

    def tick(self):
        while not self.over.wait(0.2):
            self.ticks += 1

    def run(self, action, params, context):
        with noted(params, context):
            self.total += 1
            if self.total % 20 == 0:
                print(f"total {self.total}, ticks {self.ticks}", flush=True)
            return {"nonce": params["nonce"], "total": self.total}

    def stop(self, context):
        self.over.set()
        for thread in self.threads:
            thread.join()
