#!/usr/bin/env python3
"""Runs the benchmarks and prints one table; called by deploy/bench.

A row compares with a peer or a floor that was measured in the same call where
there is one: absolute figures of a shared machine say little, ratios hold.
"""

import argparse
import json
import os
import pathlib

from rows import crash, link, memory, readopt, rest_run, sandbox, scale, start, stop
from rows.table import note, print_table

ROOT = pathlib.Path(__file__).resolve().parents[2]

BENCHMARKS = {
    "link": link, "rest_run": rest_run, "start": start, "crash": crash, "stop": stop,
    "memory": memory, "scale": scale, "readopt": readopt, "sandbox": sandbox,
}  # fmt: skip


def parse():
    parser = argparse.ArgumentParser(
        prog="deploy/bench", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"{name:10}{module.__doc__.splitlines()[0]}"
                         for name, module in BENCHMARKS.items()),
    )  # fmt: skip
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run; all if none")
    parser.add_argument("--only", metavar="NAME,...", help="the same, as a list")
    parser.add_argument("--json", metavar="FILE", help="also write the rows to FILE")
    parser.add_argument("--seconds", type=float, default=5,
                        help="length of each measurement of link and rest_run")  # fmt: skip
    parser.add_argument("--preset", default="release", help="build to measure (default: release)")
    options = parser.parse_args()
    options.names += options.only.split(",") if options.only else []
    for name in options.names:
        if name not in BENCHMARKS:
            parser.error(f"there is no benchmark '{name}'; there are: {', '.join(BENCHMARKS)}")
    if not 0.2 <= options.seconds <= 60:
        parser.error("--seconds must be between 0.2 and 60")
    options.build = str(ROOT / "build" / options.preset)
    return options


def main():
    options = parse()
    os.environ["BUILD_DIR"] = options.build
    rows = []
    for name in options.names or BENCHMARKS:
        note(f"{name}:")
        rows += BENCHMARKS[name].measure(options)
    print_table(rows)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"rows": rows}, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
