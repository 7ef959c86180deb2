"""Disable to gone: stop() of a friendly plugin, and every process verified to be away."""

from .start import starts
from .supervised import load_text, supervised
from .table import median, note, percentile, row

COUNT = 200


def measure(_options):
    note(f"  {load_text()}")
    with supervised(1) as here:
        _, _, stopped, _, _ = starts(here, COUNT)
    return [
        row("stop", "disable to gone, p50", median(stopped), "ms", samples=COUNT),
        row("stop", "disable to gone, p99", percentile(stopped, 99), "ms", samples=COUNT),
    ]
