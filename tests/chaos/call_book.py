"""Every call that was made, and what came of it."""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import NamedTuple

from harness.rest import Response, Rest

HUNG = "hung"
WITHIN = 60.0  # Whoever hears nothing for so long calls it hung.


class Call(NamedTuple):
    kind: str
    plugin: str
    began: float
    ended: float
    outcome: str  # "200", "503 backoff", "connection: ConnectionResetError", "hung", ...

    @property
    def took(self) -> float:
        return self.ended - self.began


class CallBook:
    def __init__(self, rest: Rest):
        self._rest = rest
        self._lock = threading.Lock()
        self.calls: list[Call] = []
        self.wrong: list[str] = []  # Answers that cannot be.

    def note(self, kind: str, plugin: str, began: float, outcome: str):
        call = Call(kind, plugin, began, time.monotonic(), outcome)
        with self._lock:
            self.calls.append(call)

    def accuse(self, text: str):
        with self._lock:
            self.wrong.append(text)

    def __call__(self, kind: str, plugin: str, method: str, path: str, body=None, **headers):
        """The answer, or None when there was none."""
        began = time.monotonic()
        answer: Response | None = None
        try:
            answer = self._rest(method, path, body, headers=headers, within=WITHIN)
            code = answer.data.get("code", "") if isinstance(answer.data, dict) else ""
            outcome = f"{answer.status} {code}".strip()
        except TimeoutError:
            outcome = HUNG
        except (OSError, http.client.HTTPException) as error:
            outcome = f"connection: {type(error).__name__}"
        self.note(kind, plugin, began, outcome)
        return answer

    def hang_up(self, method: str, path: str, body):
        """Asks, and is gone before there can be an answer."""
        connection = self._rest.connection(WITHIN)
        headers = {
            "Authorization": f"Bearer {self._rest.token}",
            "Content-Type": "application/json",
        }
        try:
            connection.request(method, path, json.dumps(body), headers)
        except OSError:
            pass  # The gateway is away.
        finally:
            connection.close()
