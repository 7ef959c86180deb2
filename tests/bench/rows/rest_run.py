"""run/ through gateway, supervisor and worker, beside Django and gunicorn."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

from .table import note, row

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(os.path.dirname(HERE))

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


def measure(options):
    preset, seconds = options.preset, max(1, round(options.seconds))
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
        row("rest_run", "p99 one at a time", ours_one["p99_us"], "us", peer, peer_one["p99_us"]),
        row("rest_run", "throughput, 64 connections", ours_many["per_second"], "/s", peer,
            peer_many["per_second"], ">= 8000/s", ours_many["per_second"] >= 8000),
        row("rest_run", "p99, 64 connections", ours_many["p99_us"], "us", peer,
            peer_many["p99_us"]),
    ]  # fmt: skip
