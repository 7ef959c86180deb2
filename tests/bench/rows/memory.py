"""Memory of an idle worker when there are 1, 10 and 100 of them."""

import pathlib

from .peers import ColdInterpreter
from .processes import pss_bytes
from .supervised import load_text, supervised
from .table import note, row

MB = 1e6


def parent(pid):
    text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return int(text.rpartition(")")[2].split()[1])


def cold_pss(count):
    peers = [ColdInterpreter() for _ in range(count)]
    for peer in peers:
        peer.await_ready()
    total = sum(pss_bytes(peer.process.pid) for peer in peers)
    for peer in peers:
        peer.end()
    return total / count / MB


def measure(_options):
    note(f"  {load_text()}")
    rows = []
    for count in (1, 10, 100):
        with supervised(count) as here:
            for key in here.keys:
                here.enable(key)
                here.echo(key)
            pids = [here.worker(key)["pid"] for key in here.keys]
            workers = sum(pss_bytes(pid) for pid in pids) / count / MB
            inits = sum(pss_bytes(parent(pid)) for pid in pids) / count / MB
        goal = "<= 4 MB" if count == 100 else None
        met = workers + inits <= 4 if count == 100 else None
        rows.append(
            row("memory", f"PSS of an idle worker and its init, {count} of them",
                workers + inits, "MB", ColdInterpreter.name, cold_pss(count), goal, met, count)
        )  # fmt: skip
        note(f"  {count}: worker {workers:.2f} MB, init {inits:.2f} MB")
    return rows
