"""Waiting for something to become true, always with a deadline."""

import os
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def build_dir() -> Path:
    """Where the programs under test were built: $BUILD_DIR, or the release build."""
    return (ROOT / os.environ.get("BUILD_DIR", "build/release")).resolve()


def is_sanitized() -> bool:
    return any(word in build_dir().name for word in ("asan", "tsan"))


def seconds(allowed: float) -> float:
    """A bound, wider where instrumented programs run on a busy machine."""
    return allowed * (4 if is_sanitized() else 1)


def lasting(allowed: float) -> str:
    """A daemon's time limit for a flag, as wide as `seconds()`."""
    return f"{seconds(allowed):g}s"


def eventually(condition, what: str, within: float = 10.0):
    """Returns the first true answer of `condition()`; fails after `within` seconds."""
    deadline = time.monotonic() + seconds(within)
    pause = 0.01
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {seconds(within):.0f} s: {what}; last seen: {answer!r}"
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
