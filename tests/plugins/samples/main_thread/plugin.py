"""Reports its thread. `hold` keeps one busy until `release`, so that calls overlap."""

import signal
import threading

# What the import and the constructor saw.
imported_on_main = threading.current_thread() is threading.main_thread()


class Plugin:
    def __init__(self):
        self.constructed_on_main = threading.current_thread() is threading.main_thread()
        self.released = threading.Event()
        self.holding = 0
        self.lock = threading.Lock()

    def run(self, action, params, context):
        thread = threading.current_thread()
        answer = {
            "thread": thread.name,
            "native_id": threading.get_native_id(),
            "is_main": thread is threading.main_thread(),
            "imported_on_main": imported_on_main,
            "constructed_on_main": self.constructed_on_main,
            "holding": self.holding,
        }
        if action == "hold":
            with self.lock:
                self.holding += 1
            answer["released"] = self.released.wait(min(float(params.get("seconds", 10)), 60))
            with self.lock:
                self.holding -= 1
        elif action == "release":
            self.released.set()
        elif action == "reset":
            self.released.clear()
        elif action == "signal":
            previous = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            signal.signal(signal.SIGUSR1, previous)
        return answer
