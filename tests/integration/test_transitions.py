"""The real supervisor walks every row of the table of states, deploy/docs/states.md."""

import json
import os
import re
import signal

import pytest

from harness.installation import Installation
from harness.processes import await_gone, identity
from harness.waiting import ROOT, eventually, lasting

TABLE = re.findall(
    r"^\| `(\w+)` \| `(\w+)` \| (.+) \|$",
    (ROOT / "deploy" / "docs" / "states.md").read_text(),
    re.M,
)
ROWS = [(before, after) for before, after, _ in TABLE]
CODE = """
import os, signal
class Plugin:
    def run(self, action, params, context):
        if action == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        return {"pid": os.getpid()}
"""
WAITS = """
import os, time
while not os.path.exists({path!r}):
    time.sleep(0.01)
class Plugin:
    def run(self, action, params, context):
        return {{}}
"""
SOON = {"restart_first_delay": "200ms", "quarantine_after": "3", "quarantine_period": "60m"}
LATE = {**SOON, "restart_first_delay": "20m", "restart_max_delay": "20m"}


class Walk:
    """An installation whose supervisors' changes of state are all noted."""

    def __init__(self, installation: Installation):
        self.installation = installation
        self.ctl = installation.ctl
        self.shown = set()  # What `why` told.
        self.workers = {}  # When the last supervisor was killed.

    def start(self, **flags):
        self.installation.start_supervisor(log_format="json", **flags)

    def note(self):
        for key in self.ctl.list():
            for event in self.ctl("why", key).ok()["events"]:
                self.shown.add((event["from"], event["to"]))

    def kill_supervisor(self):
        self.note()
        self.workers = {key: plugin["worker"]["pid"] for key, plugin in self.ctl.list().items()}
        self.installation.kill_supervisor()

    def stop_a_worker_of_the_dead(self, key):
        os.kill(self.workers[key], signal.SIGSTOP)

    def end_a_worker_of_the_dead(self, key):
        worker = identity(self.workers[key])
        os.kill(worker[0], signal.SIGKILL)
        await_gone([worker])

    def end(self):
        self.note()
        assert self.installation.supervisor.terminate() == 0

    def logged(self):
        """Every change, in the order in which it was made: plugin, from, to."""
        changes = []
        for daemon in self.installation.daemons:
            for line in daemon.log().splitlines():
                if line.startswith("{") and '"event":"plugin.state"' in line:
                    told = json.loads(line)
                    changes.append((told["plugin"], told["from"], told["to"]))
        return changes

    # Files. A look at the list makes the supervisor look at them.

    def directory(self, key):
        return self.installation.plugins_dir / key

    def write(self, key, code=CODE):
        self.installation.write(key, code)

    def take_away(self, key, state="missing"):
        self.directory(key).rename(self.installation.directory / key)
        self.look(key, state)

    def put_back(self, key, state):
        (self.installation.directory / key).rename(self.directory(key))
        self.look(key, state)

    def spoil(self, directory):
        (directory / "plugin.py").unlink()
        (directory / "plugin.py").symlink_to("nowhere")

    def mend(self, directory):
        (directory / "plugin.py").unlink()
        (directory / "plugin.py").write_text(CODE)

    def look(self, key, state):
        self.ctl.list()
        self.ctl.await_state(key, state)

    # What plugins do.

    def crash(self, key, times=1):
        for _ in range(times):
            generation = self.ctl.await_state(key, "running")["generation"]
            assert self.ctl.run(key, "crash").code != 0
            eventually(
                lambda before=generation: self.ctl.worker(key)["generation"] > before
                or self.ctl.worker(key)["state"] in ("backoff", "quarantined"),
                "the crash was noticed",
            )

    def quarantine(self, key):
        self.crash(key, 3)
        self.ctl.await_state(key, "quarantined")


def walk_with_soon_restarts(walk: Walk):
    ctl = walk.ctl
    walk.start(**SOON)
    walk.write("life")
    ctl.enable("life")
    walk.crash("life", 2)  # Started again at once; then after a moment.
    ctl.await_state("life", "running")
    ctl.disable("life")
    walk.take_away("life")
    walk.put_back("life", "disabled")
    ctl.enable("life")
    ctl("reload", "life").ok()
    walk.spoil(walk.directory("life"))
    walk.look("life", "load_failed")
    walk.mend(walk.directory("life"))
    walk.look("life", "running")
    walk.take_away("life")
    walk.put_back("life", "running")
    walk.take_away("life")
    walk.spoil(walk.installation.directory / "life")
    walk.put_back("life", "load_failed")
    walk.take_away("life")
    walk.put_back("life", "load_failed")
    ctl.disable("life")
    assert ctl("enable", "life").code != 0
    ctl.await_state("life", "load_failed")
    walk.mend(walk.directory("life"))
    walk.look("life", "running")
    ctl("stop", "life").ok()
    walk.take_away("life")
    walk.put_back("life", "stopped")

    walk.write("raises", "raise RuntimeError('not today')")
    assert ctl("enable", "raises").code != 0
    ctl.await_state("raises", "load_failed")
    gate = walk.installation.directory / "gate"
    walk.write("waits", WAITS.format(path=str(gate)))
    enabling = ctl.begin("enable", "waits")
    ctl.await_state("waits", "starting")
    ctl.disable("waits")
    enabling.answer()

    walk.write("crashes")
    ctl.enable("crashes")
    walk.quarantine("crashes")
    walk.take_away("crashes")
    walk.put_back("crashes", "quarantined")
    walk.spoil(walk.directory("crashes"))
    walk.look("crashes", "load_failed")
    walk.mend(walk.directory("crashes"))
    walk.look("crashes", "quarantined")
    ctl("unquarantine", "crashes").ok()
    walk.quarantine("crashes")
    ctl("stop", "crashes").ok()
    ctl("start", "crashes").ok()
    walk.quarantine("crashes")
    ctl.disable("crashes")
    ctl.enable("crashes")
    walk.quarantine("crashes")  # And so it is found by the next supervisor.
    walk.kill_supervisor()


def walk_with_late_restarts(walk: Walk):
    ctl = walk.ctl
    walk.start(**LATE)
    ctl.await_state("crashes", "quarantined")
    walk.write("later")
    ctl.enable("later")
    walk.crash("later", 2)
    ctl.await_state("later", "backoff")
    walk.take_away("later")
    walk.put_back("later", "backoff")
    walk.spoil(walk.directory("later"))
    walk.look("later", "load_failed")
    walk.mend(walk.directory("later"))
    walk.look("later", "backoff")
    ctl.disable("later")
    ctl.enable("later")
    walk.crash("later", 2)
    ctl.await_state("later", "backoff")
    for key in ("lost", "lost_too", "ended"):
        walk.write(key)
        ctl.enable(key)
    walk.crash("lost")
    walk.crash("lost_too")
    for key in ("lost", "lost_too"):
        ctl.await_state(key, "running")
    walk.kill_supervisor()


def walk_with_workers_that_do_not_come_back(walk: Walk):
    ctl = walk.ctl
    walk.stop_a_worker_of_the_dead("lost")
    walk.start(start_timeout=lasting(2), **LATE)
    ctl.await_state("later", "backoff")
    ctl.await_state("lost", "backoff")
    walk.kill_supervisor()
    walk.stop_a_worker_of_the_dead("lost_too")
    walk.start(start_timeout=lasting(2), **{**LATE, "quarantine_after": "2"})
    ctl.await_state("lost_too", "quarantined")
    walk.kill_supervisor()
    walk.end_a_worker_of_the_dead("ended")
    walk.start(restart="never", **LATE)
    ctl.await_state("ended", "stopped")
    for key, state in {"raises": "load_failed", "lost": "backoff"}.items():
        ctl.await_state(key, state)
    walk.end()


@pytest.fixture(scope="module")
def walked(postgres):
    installation = Installation(postgres)
    try:
        walk = Walk(installation)
        walk_with_soon_restarts(walk)
        walk_with_late_restarts(walk)
        walk_with_workers_that_do_not_come_back(walk)
        yield walk
    finally:
        installation.close()


def test_the_page_has_a_table():
    assert len(ROWS) > 40
    assert len(set(ROWS)) == len(ROWS)


@pytest.mark.parametrize("row", TABLE, ids=[f"{row[0]}-{row[1]}" for row in TABLE])
def test_a_row_of_the_table_is_walked(walked, row):
    before, after, when = row
    assert (before, after) in {change[1:] for change in walked.logged()}, when


def test_nothing_else_is_walked(walked):
    assert {change[1:] for change in walked.logged()} <= set(ROWS)
    assert not any("state.forbidden" in daemon.log() for daemon in walked.installation.daemons)


def test_each_change_of_a_plugin_begins_where_the_last_one_ended(walked):
    state = {}
    for key, before, after in walked.logged():
        # A supervisor begins anew.
        assert before in (state.get(key, "disabled"), "disabled"), (key, before, after)
        state[key] = after


def test_why_tells_what_was_walked_while_there_was_somebody_to_ask(walked):
    logged = {change[1:] for change in walked.logged()}
    assert walked.shown <= logged
    # The end of a supervisor is told by its log alone.
    assert logged - walked.shown <= {row for row in ROWS if row[1] == "stopped"}
