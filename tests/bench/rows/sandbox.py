"""What the sandbox costs: starts and calls without it, with T1, and whole."""

import time

from .start import starts
from .supervised import FULL_SANDBOX, supervised
from .table import median, note, percentile, row

STARTS, CALLS = 150, 2000
NAMESPACES = ("root", "ipc", "host_name", "groups", "network")
CONFIGURATIONS = {
    "off": {"sandbox": "all=off", "plugin_users": "none"},
    "T1": {
        **FULL_SANDBOX,
        "sandbox": ",".join(f"{name}=off" for name in NAMESPACES),
        "passable": True,
    },
    "whole": FULL_SANDBOX,
}


def calls(here):
    """Milliseconds of each of some calls, one at a time."""
    key = here.keys[0]
    here.enable(key)
    for _ in range(200):
        here.echo(key)
    taken = []
    for _ in range(CALLS):
        began = time.monotonic()
        here.echo(key)
        taken.append((time.monotonic() - began) * 1e3)
    here.enable(key, False)
    return taken


def measure(_options):
    rows, plain = [], None
    for name, flags in CONFIGURATIONS.items():
        with supervised(1, **flags) as here:
            enabled, _, stopped, _, _ = starts(here, STARTS)
            called = calls(here)
            here.enable(here.keys[0])
            tier = here.worker(here.keys[0])["sandbox_tier"]
            note(f"  {name}: {'no tier' if tier < 0 else f'tier T{tier}'}")
        plain = plain or (enabled, stopped, called)
        peer = None if name == "off" else "off"
        rows += [
            row("sandbox", f"{name}: enable to ready, p50", median(enabled), "ms", peer,
                peer and median(plain[0]), "<= 10 ms" if name == "whole" else None,
                median(enabled) <= 10 if name == "whole" else None, STARTS),
            row("sandbox", f"{name}: enable to ready, p99", percentile(enabled, 99), "ms", peer,
                peer and percentile(plain[0], 99), samples=STARTS),
            row("sandbox", f"{name}: disable, p50", median(stopped), "ms", peer,
                peer and median(plain[1]), samples=STARTS),
            row("sandbox", f"{name}: REST run, p50", median(called), "ms", peer,
                peer and median(plain[2]), samples=CALLS),
        ]  # fmt: skip
    return rows
