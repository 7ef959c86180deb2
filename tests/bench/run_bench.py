#!/usr/bin/env python3
"""Runs the benchmarks and prints one table; called by deploy/bench.

Every row compares with a peer or a floor that was measured in the same call:
absolute figures of a shared machine say little, ratios hold.
"""

import argparse
import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.dirname(os.path.abspath(__file__))


def note(text):
    print(text, file=sys.stderr, flush=True)


def row(name, metric, value, unit, peer, peer_value, goal, met):
    ratio = round(value / peer_value, 3) if peer_value else None
    return {
        "name": name, "metric": metric, "value": round(value, 1), "unit": unit, "peer": peer,
        "peer_value": round(peer_value, 1) if peer_value else None, "ratio": ratio,
        "goal": goal, "met": met,
    }  # fmt: skip


# --- link ---------------------------------------------------------------------


def bench_link(build, seconds):
    """The link's round trip, its floor, and a plain grpcio worker."""
    binary = os.path.join(build, "tests", "bench", "link", "bench_link")
    out = subprocess.run(
        [binary, "--seconds", str(seconds)], stdout=subprocess.PIPE, check=True, timeout=600
    )
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
                "grpcio unary", unary[metric], None, None)
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


# --- rest_run -----------------------------------------------------------------


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def request(url, token, body=None):
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urllib.request.urlopen(
        urllib.request.Request(url, data, headers), timeout=60
    ) as answer:
        return json.load(answer)


def wrk(url, token, connections, seconds):
    environment = dict(os.environ, BENCH_TOKEN=token)
    out = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s",
         os.path.join(HERE, "rest", "post_run.lua"), url],
        env=environment, stdout=subprocess.PIPE, check=True, timeout=seconds + 60, text=True,
    )  # fmt: skip
    measured = json.loads(out.stdout.strip().splitlines()[-1])
    if measured["bad"] or not measured["requests"]:
        raise SystemExit(f"bench: {measured['bad']} of {measured['requests']} requests failed")
    measured["per_second"] = measured["requests"] / measured["seconds"]
    return measured


@contextlib.contextmanager
def installation(preset):
    """A whole installation of its own, through deploy/up."""
    scratch = tempfile.mkdtemp(prefix="bench-rest-")
    os.chmod(scratch, 0o755)
    plugins = os.path.join(scratch, "plugins")
    shutil.copytree(os.path.join(HERE, "rest", "bench_echo"), os.path.join(plugins, "bench_echo"))
    state = os.path.join(scratch, "state")
    try:
        up = subprocess.run(
            [os.path.join(ROOT, "deploy", "up"), "--plugins", plugins, "--state", state,
             "--listen", f"127.0.0.1:{free_port()}", "--preset", preset, "--detach"],
            stdout=subprocess.PIPE, check=True, timeout=900,
        )  # fmt: skip
        yield json.loads(up.stdout)
    finally:
        subprocess.run([os.path.join(ROOT, "deploy", "down"), "--state", state], check=False)
        shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def django_peer(token):
    """The same plugin behind Django and gunicorn, on as many processes as we have cores."""
    port = free_port()
    environment = dict(
        os.environ, BENCH_TOKEN=token,
        BENCH_PLUGIN=os.path.join(HERE, "rest", "bench_echo", "plugin.py"),
    )  # fmt: skip
    server = subprocess.Popen(
        ["/usr/bin/gunicorn", "--workers", str(os.cpu_count() or 2), "--threads", "8",
         "--keep-alive", "60", "--log-level", "error", "--bind", f"127.0.0.1:{port}",
         "--chdir", os.path.join(HERE, "rest"), "peer_app:application"],
        env=environment,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}/api/plugins/plugins/bench_echo/run/"
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                request(url, token, {"action": "echo"})
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("bench: gunicorn did not start")
                time.sleep(0.05)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=30)


def bench_rest_run(preset, seconds):
    """run/ through gateway, supervisor and worker, beside Django in one process."""
    peer_token = secrets.token_urlsafe(16)
    with installation(preset) as ours, django_peer(peer_token) as peer_url:
        base = ours["url"].rstrip("/") + "/api/plugins/plugins/bench_echo/"
        request(base + "enabled/", ours["token"], {"enabled": True})
        our_url = base + "run/"
        answer = request(our_url, ours["token"], {"action": "echo", "params": {"n": 7}})
        assert answer == {"success": True, "result": {"status": "ok", "n": 7}}, answer
        rounds = {}
        for name, url, token in (("ours", our_url, ours["token"]), ("peer", peer_url, peer_token)):
            wrk(url, token, 1, 1)  # Warm-up.
            rounds[name, 1] = wrk(url, token, 1, seconds)
            rounds[name, 64] = wrk(url, token, 64, seconds)
            note(f"  {name}: p50 {rounds[name, 1]['p50_us']:.0f} us, "
                 f"{rounds[name, 64]['per_second']:.0f}/s saturated")  # fmt: skip
    peer = "Django + gunicorn"
    ours_one, peer_one = rounds["ours", 1], rounds["peer", 1]
    ours_many, peer_many = rounds["ours", 64], rounds["peer", 64]
    return [
        row("rest_run", "p50 one at a time", ours_one["p50_us"], "us", peer, peer_one["p50_us"],
            "<= 400 us", ours_one["p50_us"] <= 400),
        row("rest_run", "p99 one at a time", ours_one["p99_us"], "us", peer, peer_one["p99_us"],
            None, None),
        row("rest_run", "throughput, 64 connections", ours_many["per_second"], "/s", peer,
            peer_many["per_second"], ">= 8000/s", ours_many["per_second"] >= 8000),
        row("rest_run", "p99, 64 connections", ours_many["p99_us"], "us", peer,
            peer_many["p99_us"], None, None),
    ]  # fmt: skip


# --- the table ------------------------------------------------------------------


def print_table(rows):
    head = ("name", "metric", "value", "peer", "peer's value", "ratio", "goal", "met")
    lines = [head]
    for r in rows:
        met = {True: "yes", False: "NO", None: ""}[r["met"]]
        peer_value = "" if r["peer_value"] is None else f"{r['peer_value']:g} {r['unit']}"
        ratio = "" if r["ratio"] is None else f"{r['ratio']:.2f}x"
        lines.append((r["name"], r["metric"], f"{r['value']:g} {r['unit']}", r["peer"] or "",
                      peer_value, ratio, r["goal"] or "", met))  # fmt: skip
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def main():
    parser = argparse.ArgumentParser(prog="deploy/bench", description=__doc__)
    names = ("link", "rest_run")
    parser.add_argument("--only", default=",".join(names), metavar="NAME,...",
                        help="benchmarks to run: " + ", ".join(names))  # fmt: skip
    parser.add_argument("--json", metavar="FILE", help="also write the rows to FILE")
    parser.add_argument("--seconds", type=float, default=5, help="length of each measurement")
    parser.add_argument("--preset", default="release", help="build to measure (default: release)")
    arguments = parser.parse_args()
    chosen = arguments.only.split(",")
    for name in chosen:
        if name not in names:
            parser.error(f"there is no benchmark '{name}'; there are: {', '.join(names)}")
    if not 0.2 <= arguments.seconds <= 60:
        parser.error("--seconds must be between 0.2 and 60")
    build = os.path.join(ROOT, "build", arguments.preset)
    rows = []
    for name in chosen:
        note(f"{name}:")
        if name == "link":
            rows += bench_link(build, arguments.seconds)
        else:
            rows += bench_rest_run(arguments.preset, max(1, round(arguments.seconds)))
    print_table(rows)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"rows": rows}, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
