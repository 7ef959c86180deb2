"""Enable to ready: POST enabled/ until it answers that the plugin runs."""

import time

from .peers import ColdInterpreter, GoPluginHost
from .processes import cpu_seconds
from .supervised import load_text, supervised
from .table import median, note, percentile, row

COUNT = 300


def starts(here, count):
    """Milliseconds of `count` enables, each followed by a first call; the supervisor's own
    account of them; milliseconds of the disables after; CPU milliseconds the supervisor took."""
    key = here.keys[0]
    enabled, answered, stopped, steps = [], [], [], []
    for _ in range(5):  # The spawner has imported what it preloads, caches are warm.
        here.enable(key)
        here.enable(key, False)
    cpu = cpu_seconds(here.supervisor_pid)
    for _ in range(count):
        began = time.monotonic()
        here.enable(key)
        enabled.append((time.monotonic() - began) * 1e3)
        here.echo(key)
        answered.append((time.monotonic() - began) * 1e3)
        steps.append(here.worker(key)["start_steps"])
        began = time.monotonic()
        here.enable(key, False)
        stopped.append((time.monotonic() - began) * 1e3)
    cpu = (cpu_seconds(here.supervisor_pid) - cpu) * 1e3 / count
    return enabled, answered, stopped, steps, cpu


def measure(options):
    note(f"  {load_text()}")
    with supervised(1) as here:
        enabled, answered, _, steps, cpu = starts(here, COUNT)
    names = [name for name in steps[0] if name != "total_ms"]
    told = ", ".join(f"{name} {median([s[name] for s in steps]):.2f}" for name in names)
    own = [s["total_ms"] for s in steps]
    note(f"  ours: p50 {median(enabled):.1f} ms; by steps (p50): {told}")
    cold = ColdInterpreter.starts(COUNT)
    p50, p99 = median(enabled), percentile(enabled, 99)
    rows = [
        row("start", "enable to ready, p50", p50, "ms", ColdInterpreter.name, median(cold),
            "<= 10 ms", p50 <= 10, COUNT),
        row("start", "enable to ready, p99", p99, "ms", ColdInterpreter.name,
            percentile(cold, 99), "<= 30 ms", p99 <= 30, COUNT),
        row("start", "launch to ready in the supervisor, p50", median(own), "ms",
            samples=COUNT),
        row("start", "CPU of the supervisor per start and stop", cpu, "ms", samples=COUNT),
    ]  # fmt: skip
    peer = GoPluginHost(options.build)
    if not peer.missing:
        ready, first = peer.starts(COUNT)
        rows += [
            row("start", "enable to ready, p50", p50, "ms", peer.name, median(ready),
                samples=COUNT),
            row("start", "enable to first answer, p50", median(answered), "ms", peer.name,
                median(first), samples=COUNT),
            row("start", "enable to first answer, p99", percentile(answered, 99), "ms",
                peer.name, percentile(first, 99), samples=COUNT),
        ]  # fmt: skip
    return rows
