"""What must hold after the faults: each check is a method that returns what it counted, and
raises Broken with what does not hold."""

from __future__ import annotations

import json
import re
import time
from collections import Counter

from harness.processes import mentioning, parent
from harness.waiting import eventually

from .call_book import HUNG
from .faults import Faults
from .load import WORKERS_PATH, Load
from .stage import CALL_TIMEOUT, REQUEST_TIMEOUT, SPARES, STOP_TIMEOUT, Stage

SETTLED_WITHIN, JOBS_OVER_WITHIN = 60.0, 45.0
# Over a call's own deadline: everything may be stopped meanwhile, and the machine is starved.
MARGIN = 15.0
# pluginctl gives a plugin some time to settle before it reports; see pluginctl --help.
ALLOWED = {"run": CALL_TIMEOUT + MARGIN}
ALLOWED_ELSE = REQUEST_TIMEOUT + MARGIN
BAD_LINES = ("state.forbidden", "[critical]", "daemon.broken", "terminate called", "Sanitizer")
RECOVERY = 30.0  # PostgreSQL's, after a fault, on a machine that is starved.
SLACK_FILES = 6  # A timer, a connection that is being made.
FORKED = re.compile(r"(?:worker\.forked|launch\.left) plugin=(\S+) generation=(\d+) init_pid=(\d+)")
# By the hog; and by itself, when its supervisor was killed before it could attach; or before it was
# told what to be, which is in the log as worker.forked.
EXPLAINED = ("memory limit", "of memory, its limit is", "exit code 3.")
NOT_TOLD = "exit code 4."
OVER = ("succeeded", "failed", "cancelled")


class Broken(Exception):
    pass


def require(condition, text: str):
    if not condition:
        raise Broken(text)


def some(things, most=10) -> str:
    things = list(things)
    more = f" and {len(things) - most} more" if len(things) > most else ""
    return "; ".join(map(str, things[:most])) + more


class Checks:
    def __init__(self, stage: Stage, load: Load, faults: Faults):
        self.stage = stage
        self.load = load
        self.faults = faults

    # In this order: the first brings everything to rest, the last ends it.

    def no_plugin_is_stuck(self) -> str:
        """Each comes to the state that its flag asks for, once an admin has said so."""
        began = time.monotonic()
        eventually(self._is_ready, "everything is ready", SETTLED_WITHIN)
        for key, worker in self._workers().items():
            if worker["state"] == "quarantined":
                self.stage.ctl("unquarantine", key)
            elif worker["state"] == "stopped":
                self.stage.ctl("start", key)
        seen = {}

        def settled():
            plugins = self.stage.rest.plugins()
            seen.clear()
            for key, plugin in plugins.items():
                wanted = "running" if plugin["enabled"] else "disabled"
                if plugin["worker"]["state"] != wanted:
                    seen[key] = plugin["worker"]["state"]
            return not seen

        try:
            eventually(settled, "all settle", SETTLED_WITHIN)
        except AssertionError:
            raise Broken(f"after {SETTLED_WITHIN:.0f} s: {seen}") from None
        for key in self._running():
            if key in self.stage.keys:
                params = {"nonce": f"last-{key}"}
                answer = self.stage.rest.run(key, "go", params)
                require(answer.status == 200, f"{key} does not answer: {answer}")
        return f"{len(self.stage.all_keys)} plugins, {time.monotonic() - began:.1f} s"

    def every_call_was_answered(self) -> str:
        calls = self.load.book.calls
        hung = [call for call in calls if call.outcome == HUNG]
        require(not hung, some(hung))
        late = [call for call in calls if call.took > ALLOWED.get(call.kind, ALLOWED_ELSE)]
        require(not late, f"too late: {some(late)}")
        away = self.stage.gateway.away()
        unexplained = [
            call
            for call in calls
            if call.outcome.startswith("connection")
            and not any(call.began <= end and call.ended >= begin - 1 for begin, end in away)
        ]
        require(not unexplained, f"no gateway was killed then: {some(unexplained)}")
        require(not self.load.book.wrong, some(self.load.book.wrong))
        longest = max((call.took for call in calls if call.kind == "run"), default=0)
        return f"{len(calls)} calls, the longest run {longest:.1f} s"

    def every_job_ends_once(self) -> str:
        def unfinished():
            jobs = self.stage.rest.get("/api/supervisor/jobs/?unfinished=true&limit=1000").ok()
            return jobs["jobs"]

        try:
            eventually(lambda: not unfinished(), "all jobs end", JOBS_OVER_WITHIN)
            eventually(lambda: self._sql(
                "SELECT count(*) FROM supervisor_jobs WHERE ended_at IS NULL") == "0",
                "their ends are written", 20,
            )  # fmt: skip
        except AssertionError as error:
            raise Broken(f"{error}; {some(unfinished())}") from None
        rows = dict(
            line.split("|")
            for line in self._sql(
                "SELECT id, state FROM supervisor_jobs WHERE kind = 'background'"
            ).splitlines()
        )
        accepted = self.load.jobs
        lost = [job for job in accepted if rows.get(job) not in OVER]
        require(not lost, f"accepted, and not in the history: {some(lost)}")
        began, ended = self._journal()
        twice = [nonce for nonce, count in began.items() if count > 1]
        require(not twice, f"run twice: {some(twice)}")
        wrong = []
        for job, nonce in accepted.items():
            if rows[job] != "succeeded":
                continue
            shown = self.stage.rest.get(f"/api/supervisor/jobs/{job}/").ok()
            if (shown["result"] or {}).get("nonce") != nonce or ended[nonce] != 1:
                wrong.append((job, nonce, shown["result"], ended[nonce]))
        require(not wrong, f"succeeded without their result: {some(wrong)}")
        never = [nonce for nonce in self.load.answered if ended[nonce] != 1]
        require(not never, f"answered, and not run once: {some(never)}")
        states = Counter(rows[job] for job in accepted)
        return f"{len(accepted)} jobs, {len(self.load.answered)} runs answered, {dict(states)}"

    def no_call_is_in_flight(self) -> str:
        """Nor one of a caller who has hung up."""
        left = {}

        def none_left():
            left.clear()
            left.update((k, w["in_flight"]) for k, w in self._workers().items() if w["in_flight"])
            return not left

        try:
            eventually(none_left, "no call is in flight", CALL_TIMEOUT + MARGIN)
        except AssertionError:
            raise Broken(str(left)) from None
        return f"{len(self._running())} workers"

    def every_acknowledged_write_is_there(self) -> str:
        shown = self.stage.rest.plugins()
        missing, count = [], 0
        for key in self.stage.keys:
            options = self.stage.rest.get(f"{WORKERS_PATH}{key}/options/").ok()["options"]
            row = self._sql(
                f"SELECT settings, enabled FROM plugins_pluginconfig WHERE key = '{key}'"
            ).rsplit("|", 1)
            for what, register, values in (
                ("settings", self.load.settings[key], (shown[key]["settings"], json.loads(row[0]))),
                ("enabled", self.load.enabled[key], (shown[key]["enabled"], row[1] == "t")),
                ("options", self.load.options[key], (options["call_timeout_ms"],)),
            ):
                count += register.count
                missing += [
                    f"{what} of {key}: {value}, may be {register.may_be}"
                    for value in values
                    if value not in register.may_be
                ]
        for key, nonces in self.load.recorded.items():
            rows = Counter(
                self._sql(
                    f"SELECT data->>'nonce' FROM plugins_plugindata WHERE plugin_id ="
                    f" (SELECT id FROM plugins_pluginconfig WHERE key = '{key}')"
                ).splitlines()
            )
            count += len(nonces)
            missing += [f"record {n} of {key}: {rows[n]} times" for n in nonces if rows[n] != 1]
        require(not missing, some(missing))
        return f"{count} acknowledged"

    def no_process_is_stray(self) -> str:
        """Whatever carries a launch mark carries that of a worker that is known; what carries none
        is such a worker's init, a spawner, or a spare worker with its init."""
        seen = {}

        def strays():
            known = {worker["pid"] for worker in self._workers().values()} - {0, None}
            processes = self.stage.processes()
            marks = {mark for process, mark in processes.items() if process[0] in known}
            spares = self.stage.spares()
            unmarked = {parent(pid) for pid in known} | {p[0] for p in self.stage.spawners()}
            unmarked |= {pid for spare in spares[:SPARES] for pid in (spare[0], parent(spare[0]))}
            seen.clear()
            seen.update(
                (process, mark)
                for process, mark in processes.items()
                if (mark not in marks if mark else process[0] not in unmarked)
            )
            return seen

        try:
            eventually(lambda: not strays(), "no strays", 5)
        except AssertionError:
            raise Broken(some(seen.items())) from None
        return f"{len(self.stage.processes())} processes of {len(self._running())} workers"

    def nothing_is_left_of_old_launches(self) -> str:
        running = len(self._running())
        try:
            eventually(
                lambda: len(self.stage.launch_directories()) == running, f"{running} directories"
            )
        except AssertionError:
            raise Broken(
                f"{running} run; directories: {some(self.stage.launch_directories())}"
            ) from None
        groups: list[str] = []

        def per_worker():
            groups[:] = self.stage.groups()
            counts = Counter(group.rpartition("/")[0] for group in groups)
            # Spare workers may wait in groups of their own.
            return all(running <= count <= running + SPARES for count in counts.values())

        try:
            eventually(per_worker, "groups of workers that run", 10)
        except AssertionError:
            raise Broken(f"{running} run; cgroups: {some(groups, 40)}") from None
        return f"{running} workers, {running} directories, {len(groups)} cgroups"

    def no_descriptor_leaks(self) -> str:
        """Compared with daemons that have just been started."""
        told = []
        for minder in (self.stage.gateway, self.stage.supervisor):
            lived = time.monotonic() - minder.began_at
            before = self.stage.open_files(minder)
            minder.renew(30 + STOP_TIMEOUT)
            self.no_plugin_is_stuck()
            after = self.stage.open_files(minder)
            text = f"{minder.name} {sum(before.values())} after {lived:.0f} s, {sum(after.values())} fresh"
            require(
                sum(before.values()) <= sum(after.values()) + SLACK_FILES,
                f"{text}: {before} against {after}",
            )
            told.append(text)
        return ", ".join(told)

    def daemons_ended_only_by_faults(self) -> str:
        """A start without a database fails, and is tried again."""
        strange = []
        for minder in (self.stage.supervisor, self.stage.gateway):
            for life in minder.lives:
                is_fault = any(
                    fault.target == str(life.pid) and fault.name == f"kill {minder.name}"
                    for fault in self.faults.timeline
                )
                no_database = life.code == 1 and life.ready is None and self._database_was_away(life)
                if not is_fault and not no_database and life.code != 0:
                    strange.append((minder.name, life))
        require(not strange, some(strange))
        lives = {m.name: len(m.lives) for m in (self.stage.supervisor, self.stage.gateway)}
        return f"ended {lives}"

    def workers_ended_only_by_faults(self) -> str:
        """Nothing that happened to a daemon has ended a worker; but a supervisor that is killed
        while it ends one leaves what looks like a crash to the next."""
        inits: dict[tuple[str, str], set[int]] = {}
        told = set()
        for path in self.stage.installation.directory.glob("supervisor.*.log"):
            log = path.read_text(errors="replace")
            for match in FORKED.finditer(log):
                inits.setdefault((match[1], match[2]), set()).add(int(match[3]))
                if match[0].startswith("worker.forked"):
                    told.add((match[1], match[2]))
        strange, torn, count, without_supervisor = [], [], 0, 0
        for path in (self.stage.installation.runtime_dir / "logs").glob("*.log*"):
            for written in path.read_text().split("\n"):
                try:
                    line = json.loads(written or "null")
                except ValueError:
                    torn.append(f"{path.name}: {written[:80]}")
                    continue
                if line is None:
                    continue
                text = line["text"].removeprefix("load failed: ")
                if line["source"] != "supervisor" or not text.startswith("The worker of plugin"):
                    continue
                count += 1
                run = (line["plugin"], str(line["generation"]))
                of = inits.get(run, set())
                if any(word in text for word in EXPLAINED) or of & self.faults.hit:
                    continue
                if NOT_TOLD in text and run not in told:
                    continue
                if "No supervisor was running" in text:
                    without_supervisor += 1
                else:
                    strange.append(f"{line['plugin']} {line['generation']} {of}: {text}")
        require(not strange, some(strange))
        kills = self.faults.counts().get("kill supervisor", 0)
        # A supervisor that is killed while it writes leaves a part of a line.
        require(len(torn) <= kills, f"{kills} supervisors were killed; torn lines: {some(torn)}")
        require(
            without_supervisor <= kills,
            f"{without_supervisor} ended without a cause, and {kills} supervisors were killed",
        )
        return f"{count} ended, {without_supervisor} while their supervisor was killed"

    def logs_hold_nothing_critical(self) -> str:
        bad, lines = [], 0
        for path in sorted(self.stage.installation.directory.glob("*.log")):
            for line in path.read_text(errors="replace").splitlines():
                lines += 1
                if any(word in line for word in BAD_LINES):
                    bad.append(f"{path.name}: {line}")
        require(not bad, some(bad))
        return f"{lines} lines"

    def everything_ends_at_sigterm(self) -> str:
        began = time.monotonic()
        codes = {
            minder.name: minder.end(30 + STOP_TIMEOUT)
            for minder in (self.stage.gateway, self.stage.supervisor)
        }
        took = time.monotonic() - began
        require(set(codes.values()) == {0}, f"exit codes {codes}")
        left = mentioning(self.stage.installation.plugins_dir)
        require(not left, f"processes {left}")
        left = sorted((self.stage.installation.runtime_dir / "w").glob("*"))
        require(not left, some(left))
        require(not self.stage.groups(), some(self.stage.groups()))
        return f"{took:.1f} s"

    # Looking.

    def _is_ready(self) -> bool:
        try:
            return self.stage.rest.get("/readyz").status == 200
        except OSError:  # The last fault hit the gateway.
            return False

    def _workers(self) -> dict[str, dict]:
        """By key: state, pid, ..."""
        rows = self.stage.rest.get(WORKERS_PATH).ok()["workers"]
        return {row["key"]: row["worker"] for row in rows}

    def _running(self) -> list[str]:
        return [key for key, worker in self._workers().items() if worker["state"] == "running"]

    def _sql(self, query: str) -> str:
        return self.stage.installation.sql(query)

    def _journal(self):
        began, ended = Counter(), Counter()
        for line in self.stage.journal.read_text().splitlines():
            word, nonce, *_ = line.split()
            (began if word == "began" else ended)[nonce] += 1
        return began, ended

    def _database_was_away(self, life) -> bool:
        around = (life.began - RECOVERY, life.ended)
        return any(
            around[0] <= fault.at <= around[1]
            for fault in self.faults.timeline
            if "PostgreSQL" in fault.name or "backend" in fault.name
        )
