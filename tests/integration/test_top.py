"""pluginctl top: the workers, looked at again and again."""

import re
import signal
import subprocess
import termios

import pytest

from harness.ctl import OK, UNREACHABLE, USAGE, Ctl
from harness.processes import state_of
from harness.pseudo_terminal import PseudoTerminal
from harness.waiting import eventually

PLUGINS = ["samples/results", "hostile/import_error", "hostile/burns_cpu"]
LIVE = ["top", "--interval", "300ms"]
CHILDREN = """
import subprocess

class Plugin:
    name = "Children"
    def __init__(self):
        self.children = [subprocess.Popen(["sleep", "600"]) for _ in range(40)]
    def run(self, action, params, context):
        return {}
    def stop(self, context):
        for child in self.children:
            child.kill()
            child.wait()
"""


def prepare(installation):
    installation.write("children", CHILDREN)


@pytest.fixture(scope="module", autouse=True)
def enabled(ctl):
    ctl.enable("results", "children", "burns_cpu")
    ctl("enable", "import_error")


@pytest.fixture
def live(ctl):
    """Runs top on a terminal; ends what is left of it."""
    opened = []

    def start(*more, **terminal):
        command = [ctl.program, "--socket", ctl.socket, *LIVE, *more]
        opened.append(PseudoTerminal(command, **terminal))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def rows_of(text):
    """The last whole table in what was shown: key -> cells."""
    begin = text.rindex("PLUGIN ")
    lines = text[begin:].replace("\r", "").splitlines()
    titles = re.split(r"  +", lines[0].strip())
    rows = {}
    for line in lines[1:]:
        cells = re.split(r"  +", line.strip())
        if len(cells) == len(titles):
            rows[cells[0]] = dict(zip(titles, cells))
    return rows


def test_once_prints_one_table_with_totals(ctl):
    shown = ctl.human("top", "--once")
    assert shown.returncode == OK
    assert shown.stdout.count("PLUGIN ") == 1
    assert "\x1b" not in shown.stdout
    rows = rows_of(shown.stdout)
    assert set(rows) == {"results", "children", "import_error", "burns_cpu"}
    assert list(rows)[-1] == "import_error"
    results = ctl.worker("results")
    assert rows["results"]["STATE"] == "running"
    assert int(rows["results"]["PID"]) == results["pid"]
    assert int(rows["results"]["GEN"]) == results["generation"]
    assert rows["import_error"]["PID"] == "-"
    first = shown.stdout.splitlines()[0]
    assert "4 plugins: 3 running, 1 load_failed" in first


def test_processes_and_memory_include_what_a_worker_started(ctl):
    page = ctl("top", "--once").ok()
    rows = {row["key"]: row for row in page["workers"]}
    if rows["children"]["processes"] is None:
        pytest.skip("no mechanism here tells how many processes there are")
    assert rows["children"]["processes"] > 40 > rows["results"]["processes"]
    assert page["totals"]["processes"] == sum(row["processes"] or 0 for row in page["workers"])
    assert page["totals"]["memory_bytes"] == sum(row["memory_bytes"] for row in page["workers"])
    assert page["totals"]["states"] == {"running": 3, "load_failed": 1}


def test_json_is_for_a_single_look(ctl):
    answer = ctl("top")
    assert (answer.code, answer.data["code"]) == (USAGE, "invalid_request")
    assert ctl("top", "--count", "2").code == USAGE
    assert ctl("top", "--count", "1").code == OK
    assert ctl("top", "--once", "--count", "1").code == USAGE
    assert ctl("top", "--once", "--sort", "colour").code == USAGE


@pytest.mark.parametrize(
    "order, field", [("memory", "memory_bytes"), ("cpu", "cpu_percent"), ("restarts", "restarts")]
)
def test_the_largest_stands_first(ctl, order, field):
    amounts = [row[field] for row in ctl("top", "--once", "--sort", order).ok()["workers"]]
    assert amounts == sorted(amounts, reverse=True)


def test_keys_can_be_sorted_by(ctl):
    keys = [row["key"] for row in ctl("top", "--once", "--sort", "key").ok()["workers"]]
    assert keys == sorted(keys)


def test_without_a_terminal_tables_come_one_after_another(ctl):
    shown = ctl.human("top", "--count", "3", "--interval", "100ms")
    assert shown.returncode == OK
    assert shown.stdout.count("PLUGIN ") == 3


def test_it_ends_when_its_reader_goes_away(ctl):
    process = subprocess.Popen(
        [ctl.program, "--socket", ctl.socket, "top", "--interval", "100ms"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.readline()
    process.stdout.close()
    process.wait(20)
    process.stderr.close()


def test_a_plugin_that_computes_shows_at_the_top_while_it_does(ctl, live):
    with live() as top:
        burning = ctl.begin_run("burns_cpu", "burn", {"seconds": 30})

        def burns(text):
            rows = rows_of(text) if "PLUGIN " in text else {}
            return (
                list(rows)[:1] == ["burns_cpu"]
                and float(rows["burns_cpu"]["CPU %"]) > 20
                and rows["burns_cpu"]["CALLS"] == "1"
            )

        top.read_until(burns, "burns_cpu and its call above all others", within=30)
        ctl("kill", "burns_cpu")
        burning.answer()


def test_it_is_renewed_until_q_and_gives_the_terminal_back(live):
    with live() as top:
        top.read_until(lambda text: text.count("PLUGIN ") >= 3, "three tables")
        assert not top.modes() & (termios.ECHO | termios.ICANON)
        assert "\x1b[?1049h" in top.raw and "\x1b[?1049l" not in top.raw
        top.send("q")
        assert top.wait() == OK
        assert top.raw.endswith("\x1b[?25h\x1b[?1049l")
        assert top.modes() == top.before[3]


def test_ctrl_c_ends_it_and_gives_the_terminal_back(live):
    with live() as top:
        top.read_until("PLUGIN ", "a table")
        top.send("\x03")
        assert top.wait() == OK
        assert top.raw.endswith("\x1b[?25h\x1b[?1049l")
        assert top.modes() == top.before[3]


def test_ctrl_z_suspends_it_with_the_terminal_as_it_was(live):
    with live() as top:
        top.read_until("PLUGIN ", "a table")
        top.send("\x1a")
        eventually(lambda: state_of(top.process.pid) == "T", "it is stopped")
        assert top.modes() == top.before[3]
        top.drain()
        assert top.raw.endswith("\x1b[?1049l")
        since = top.mark()
        top.process.send_signal(signal.SIGCONT)
        top.read_until("PLUGIN ", "a table again", since)
        assert "\x1b[?1049h" in top.raw[since:]


def test_keys_sort(live):
    with live("--sort", "memory") as top:
        top.read_until("results", "a table")
        since = top.mark()
        top.send("k")
        wanted = ["burns_cpu", "children", "import_error", "results"]
        top.read_until(
            lambda text: "PLUGIN " in text and list(rows_of(text)) == wanted, "by key", since
        )


def test_it_fits_a_small_terminal_and_follows_its_size(live):
    with live(rows=7, columns=40) as top:
        top.read_until("q quits", "a whole page")
        (page, *_) = [page for page in top.pages() if "q quits" in page]
        lines = page.replace("\r", "").split("\n")
        assert len(lines) <= 7 and all(len(line) <= 40 for line in lines), lines
        assert re.search(r"\.\.\. and \d more", page)
        since = top.mark()
        top.resize(40, 160)
        top.read_until(
            lambda text: "UPTIME" in text and "r restarts" in text.split("UPTIME")[-1],
            "all columns",
            since,
        )
        (page, *_) = [page for page in top.pages(since) if "UPTIME" in page and "r restarts" in page]
        assert "import_error" in page and " more" not in page


def test_a_supervisor_that_starts_again_is_found_again(installation, ctl, live):
    with live() as top:
        top.read_until("PLUGIN ", "a table")
        installation.supervisor.terminate()
        since = top.mark()
        away = top.read_until("supervisor away since", "that it is away", since)
        assert "results" in away + top.read_until("results", "what was seen last", since)
        installation.start_supervisor()
        since = top.mark()
        top.read_until(
            lambda text: text.count("PLUGIN ") >= 2
            and "away" not in text.split("PLUGIN ")[-2]
            and rows_of(text).get("results", {}).get("STATE") == "running",
            "the new one's workers",
            since,
            within=30,
        )
        top.send("q")
        assert top.wait() == OK


def test_a_supervisor_that_hangs_keeps_nobody_from_quitting(installation, live):
    with live() as top:
        top.read_until("PLUGIN ", "a table")
        installation.supervisor.signal(signal.SIGSTOP)
        try:
            top.read_until("supervisor away", "that it does not answer")
            top.send("q")
            assert top.wait(5) == OK
        finally:
            installation.supervisor.signal(signal.SIGCONT)


def test_without_a_supervisor_it_says_so_and_leaves_the_screen_alone(ctl):
    command = [ctl.program, "--socket", ctl.socket.parent / "none.sock", "top"]
    with PseudoTerminal(command) as top:
        assert top.wait() == UNREACHABLE
        assert "cannot be reached" in top.seen
        assert "\x1b[?1049h" not in top.raw
    assert Ctl(ctl.socket.parent / "none.sock").human("top", "--once").returncode == UNREACHABLE


def test_a_supervisor_that_goes_away_for_good_is_an_error_at_the_end(installation, ctl):
    process = subprocess.Popen(
        [ctl.program, "--socket", ctl.socket, "top", "--count", "3", "--interval", "1s"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline()
    installation.supervisor.terminate()
    try:
        out, err = process.communicate(timeout=60)
        assert process.returncode == UNREACHABLE, out + err
        assert err.startswith("pluginctl: ")
    finally:
        installation.start_supervisor()
