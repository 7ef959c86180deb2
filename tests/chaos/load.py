"""What clients do all the while: runs, jobs, writes, and an admin who looks after the plugins."""

from __future__ import annotations

import itertools
import random
import threading
import time

from .acknowledged import Acknowledged
from .call_book import HUNG, CallBook
from .stage import CALL_TIMEOUT, HOG, Stage

PLUGINS_PATH, WORKERS_PATH = "/api/plugins/plugins/", "/api/supervisor/workers/"
CALLERS, WRITERS = 5, 2
PAUSE = 0.06  # Of a client between two calls, on the average.
REFUSED = object()  # What such a client returns who had better wait a little.
REFUSED_PAUSE = 0.2
PLUGINCTL_EXITS = range(7)  # See harness.ctl.


class Load:
    def __init__(self, stage: Stage, seed: int):
        self.stage = stage
        self.book = CallBook(stage.rest)
        self.jobs: dict[str, str] = {}  # Accepted with 202: id to nonce.
        self.answered: set[str] = set()  # Nonces of runs whose result a caller got.
        self.recorded: dict[str, list[str]] = {}  # By plugin: nonces that were acknowledged.
        self.settings = {key: Acknowledged({}) for key in stage.keys}
        self.options = {key: Acknowledged(None) for key in stage.keys}
        self.enabled = {key: Acknowledged(True) for key in stage.keys}
        self._nonces = itertools.count()
        self._over = threading.Event()
        self._lock = threading.Lock()
        works = [("caller", self._call)] * CALLERS
        works += [("writer", self._writer(n)) for n in range(WRITERS)]
        works += [("admin", self._administer), ("looker", self._look)]
        self._threads = [
            threading.Thread(
                target=self._repeat, args=(work, random.Random(f"{seed} {n}")), name=f"{name} {n}"
            )
            for n, (name, work) in enumerate(works)
        ]

    def start(self):
        for key in self.stage.all_keys:
            answer = self.stage.rest.enable(key)
            assert answer.status == 200, answer
        for thread in self._threads:
            thread.start()

    def end(self):
        """Waits for the answers to the last calls."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, work, random_numbers):
        while not self._over.wait(random_numbers.expovariate(1 / PAUSE)):
            try:
                if work(random_numbers) is REFUSED:
                    self._over.wait(REFUSED_PAUSE)
            except Exception as error:  # Would end the client, and go unnoticed.
                self.book.accuse(f"{threading.current_thread().name}: {error!r}")

    def _nonce(self) -> str:
        return f"n{next(self._nonces)}"

    # Callers.

    def _call(self, dice: random.Random):
        key, nonce = dice.choice(self.stage.keys), self._nonce()
        params = {"nonce": nonce, "seconds": round(dice.uniform(0, 2), 2)}
        body = {"action": "go", "params": params}
        path = f"{PLUGINS_PATH}{key}/run/"
        if dice.random() < 0.3:
            answer = self.book("job", key, "POST", path, body, Prefer="respond-async")
            if answer is None or answer.status != 202:
                return REFUSED
            with self._lock:
                self.jobs[answer.data["job"]["id"]] = nonce
            return None
        if dice.random() < 0.05:
            self.book.hang_up("POST", path, body)
            return None
        answer = self.book("run", key, "POST", path, body)
        if answer is None or answer.status != 200:
            return REFUSED
        if answer.data["result"]["nonce"] != nonce:
            self.book.accuse(f"the run {nonce} of {key} got {answer.data}")
        with self._lock:
            self.answered.add(nonce)
            if self.stage.kind(key) == "saves_records":
                self.recorded.setdefault(key, []).append(nonce)
        return None

    # Writers: each value has one.

    def _writer(self, number: int):
        keys = self.stage.keys[number::WRITERS]
        counter = itertools.count(1)

        def write(dice: random.Random):
            key, value = dice.choice(keys), next(counter)
            what = dice.random()
            if what < 0.5:
                stored = {"value": value}
                path = f"{PLUGINS_PATH}{key}/settings/"
                answer = self.book("settings", key, "POST", path, {"settings": stored})
                self.settings[key].judge(answer, stored)
            elif what < 0.85:
                timeout = CALL_TIMEOUT * 1000 + value % 1000
                path = f"{WORKERS_PATH}{key}/options/"
                answer = self.book("options", key, "PATCH", path, {"call_timeout_ms": timeout})
                self.options[key].judge(answer, timeout)
            else:
                wanted = dice.random() < 0.8
                path = f"{PLUGINS_PATH}{key}/enabled/"
                answer = self.book("enabled", key, "POST", path, {"enabled": wanted})
                self.enabled[key].judge(answer, wanted)

        return write

    # The admin, with pluginctl.

    def _administer(self, dice: random.Random):
        key = dice.choice(self.stage.all_keys)
        verb = dice.choice(
            ["restart", "kill", "stop", "start", "start", "dump-stacks", "why", "workers", "jobs",
             "reload", "unquarantine", "unquarantine"]
        )  # fmt: skip
        self._pluginctl(verb, *([] if verb == "workers" else [key]))
        if verb == "stop":
            self._pluginctl("start", key)
        self._over.wait(0.3)

    def _pluginctl(self, verb: str, *arguments: str):
        began = time.monotonic()
        plugin = arguments[0] if arguments else ""
        try:
            answer = self.stage.ctl(verb, *arguments)
        except AssertionError:
            self.book.note(f"pluginctl {verb}", plugin, began, HUNG)
            return
        if answer.code not in PLUGINCTL_EXITS:
            self.book.accuse(f"pluginctl {verb} {plugin} ended with {answer.code}: {answer.err}")
        self.book.note(f"pluginctl {verb}", plugin, began, f"exit {answer.code}")

    # One who only looks, and lets out of quarantine what came into it.

    def _look(self, dice: random.Random):
        path = dice.choice(
            [PLUGINS_PATH, WORKERS_PATH, "/api/supervisor/jobs/?limit=50", "/metrics", "/readyz"]
            + [f"{WORKERS_PATH}{key}/logs/" for key in self.stage.keys]
        )
        self.book("look", "", "GET", path)
        answer = self.book("look", "", "GET", WORKERS_PATH)
        if answer is None or answer.status != 200:
            return
        for row in answer.data["workers"]:
            if row["worker"]["state"] == "quarantined":
                key = row["key"]
                self.book("unquarantine", key, "POST", f"{WORKERS_PATH}{key}/unquarantine/")
        self._over.wait(0.3)

    def fill_memory(self):
        """What the hog's worker does not outlive."""
        body = {"action": "hog", "params": {}}
        self.book("run", HOG, "POST", f"{PLUGINS_PATH}{HOG}/run/", body)
