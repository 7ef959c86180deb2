#!/usr/bin/env python3
"""Runs the fuzzers, each in its own process: first over its seeds, then on.

    run_fuzzers.py --seconds 20                     a bounded run
    run_fuzzers.py --runs 1000000 --seconds 3600    a long one
    run_fuzzers.py --only http,json --seconds 600

A fuzzer ends at `--runs` executions or after `--seconds`, whichever comes
first. What it found by the way is kept in build/fuzz/corpus and used again.
An input that it fails on is left in build/fuzz/found, and the exit status is 1.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parent.parent / "build/fuzz"
SYMBOLIZER = pathlib.Path("/usr/bin/llvm-symbolizer-14")  # Debian's; found by name only without the version.


def main():
    arguments = parse()
    targets = sorted(path.name for path in (HERE / "corpus").iterdir())
    if arguments.only:
        unknown = set(arguments.only.split(",")) - set(targets)
        if unknown:
            sys.exit(f"there is no fuzzer {', '.join(sorted(unknown))}; there are {', '.join(targets)}")
        targets = arguments.only.split(",")
    (BUILD / "found").mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        good = list(pool.map(lambda target: run(target, arguments), targets))
    print(f"{sum(good)} fuzzers without a finding, {len(good) - sum(good)} with one")
    return 0 if all(good) else 1


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=20, help="each, at most")
    parser.add_argument("--runs", type=int, default=-1, help="executions each, at most; -1 = as many as there is time for")
    parser.add_argument("--only", help="names of fuzzers, with commas")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="so many at a time")
    return parser.parse_args()


def run(target, arguments):
    kept = BUILD / "corpus" / target
    kept.mkdir(parents=True, exist_ok=True)
    command = [
        BUILD / "tests/fuzz" / f"fuzz_{target}", kept, HERE / "corpus" / target,
        f"-max_total_time={arguments.seconds}", f"-runs={arguments.runs}", "-timeout=10", "-rss_limit_mb=2048",
        f"-artifact_prefix={BUILD / 'found'}/{target}-", "-print_final_stats=1"]
    dictionary = HERE / "dictionaries" / f"{target}.dict"
    if dictionary.exists():
        command.append(f"-dict={dictionary}")
    environment = dict(os.environ)
    if SYMBOLIZER.exists():
        environment.setdefault("ASAN_SYMBOLIZER_PATH", str(SYMBOLIZER))
    began = time.monotonic()
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    took = time.monotonic() - began
    said = done.stdout.decode(errors="replace")
    (BUILD / "found" / f"{target}.log").write_text(said)
    # A run that ends before it began, on a seed or for want of a library, is none.
    executions = re.findall(r"stat::number_of_executed_units: (\d+)", said)
    coverage = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", said)
    good = done.returncode == 0 and bool(executions and coverage)
    if good:
        print(f"{target}: {executions[-1]} executions in {took:.0f} s, {coverage[-1][0]} places reached, "
              f"{coverage[-1][2]} inputs kept", flush=True)
    else:
        print("\n".join(said.splitlines()[-60:]))
        print(f"{target}: FAILED with status {done.returncode} after {took:.0f} s", flush=True)
    return good


if __name__ == "__main__":
    sys.exit(main())
