"""One line of the result: what was measured, beside what, and the goal."""

import statistics
import sys


def note(text):
    print(text, file=sys.stderr, flush=True)


def row(name, metric, value, unit, peer=None, peer_value=None, goal=None, met=None, samples=None):
    """`samples`: how many measurements `value` stands for; None where it is not a statistic."""
    ratio = round(value / peer_value, 4) if peer_value else None
    return {
        "name": name, "metric": metric, "value": round(value, 3), "unit": unit, "peer": peer,
        "peer_value": round(peer_value, 3) if peer_value else None, "ratio": ratio,
        "goal": goal, "met": met, "samples": samples,
    }  # fmt: skip


def percentile(values, percent):
    """The smallest value that `percent` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * percent // 100) - 1))]


def median(values):
    return statistics.median(values)


def print_table(rows):
    head = ("name", "metric", "value", "samples", "peer", "peer's value", "ratio", "goal", "met")
    lines = [head]
    for r in rows:
        met = {True: "yes", False: "NO", None: ""}[r["met"]]
        peer_value = "" if r["peer_value"] is None else f"{r['peer_value']:g} {r['unit']}"
        ratio = "" if r["ratio"] is None else f"{r['ratio']:.2f}x"
        lines.append((r["name"], r["metric"], f"{r['value']:g} {r['unit']}",
                      str(r["samples"] or ""), r["peer"] or "", peer_value, ratio,
                      r["goal"] or "", met))  # fmt: skip
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
