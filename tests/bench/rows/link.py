"""The link's round trip, its floor, and a plain grpcio worker."""

import json
import os
import subprocess

from .table import row


def measure(options):
    binary = os.path.join(options.build, "tests", "bench", "link", "bench_link")
    out = subprocess.run(
        [binary, "--seconds", str(options.seconds)],
        stdout=subprocess.PIPE, check=True, timeout=600,
    )  # fmt: skip
    measured = json.loads(out.stdout)
    link, floor, unary = measured["link"], measured["floor"], measured["grpcio_unary"]
    rows = []
    p50 = link["p50_us"]
    rows.append(
        row("link", "p50 one at a time", p50, "us", "socketpair + protobuf", floor["p50_us"],
            "<= 1.5x", p50 <= 1.5 * floor["p50_us"])
    )  # fmt: skip
    for metric in ("p50_us", "p99_us"):
        rows.append(
            row("link", metric.replace("_us", "") + " one at a time", link[metric], "us",
                "grpcio unary", unary[metric])
        )  # fmt: skip
    for flight in (1, 8, 64):
        key = f"throughput_{flight}"
        goal = ">= 10x" if flight == 64 else None
        met = link[key] >= 10 * unary[key] if flight == 64 else None
        rows.append(
            row("link", f"throughput, {flight} in flight", link[key], "/s", "grpcio unary",
                unary[key], goal, met)
        )  # fmt: skip
    return rows
