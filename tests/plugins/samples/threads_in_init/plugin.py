"""A background thread from __init__ that logs and ticks between calls."""

import logging
import threading

logger = logging.getLogger(__name__)


class Plugin:
    def __init__(self):
        self.ticks = 0
        self.condition = threading.Condition()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.tick, name="ticker", daemon=True)
        self.thread.start()

    def tick(self):
        while not self.stopping.wait(0.01):
            with self.condition:
                self.ticks += 1
                self.condition.notify_all()
            if self.ticks == 1:
                logger.info("the thread of __init__ ticks")

    def run(self, action, params, context):
        with self.condition:
            before = self.ticks
            grew = self.condition.wait_for(lambda: self.ticks > before, timeout=5)
            return {"status": "ok", "grew": grew, "alive": self.thread.is_alive()}

    def stop(self, context):
        self.stopping.set()
        self.thread.join(timeout=5)
