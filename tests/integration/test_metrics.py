"""What can be counted and measured, for a scraper; and what the examples in deploy/monitoring make
of it."""

import json
import re
import shutil
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.rest import refused
from harness.waiting import ROOT, eventually

MONITORING = ROOT / "deploy" / "monitoring"
PLUGINS = ["samples/hello", "hostile/os_exit", "hostile/import_error", "hostile/crash_in_run"]
FLAGS = {"quarantine_after": 0, "log_lines_per_second": 1000}


@pytest.fixture(scope="module")
def gateway(installation):
    return installation.start_gateway()


@pytest.fixture(scope="module")
def scrape(gateway):
    def read(**more):
        answer = gateway.rest.get("/metrics", **more)
        assert answer.status == 200, answer
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        return Metrics(answer.body.decode())

    return read


class Metrics:
    """The text format, taken apart."""

    def __init__(self, text):
        self.text = text
        self.types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
        self.series = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, labels, value = re.fullmatch(r"([a-z_]+)(?:\{(.*)\})? (\S+)", line).groups()
                pairs = frozenset(re.findall(r'(\w+)="([^"]*)"', labels or ""))
                assert (name, pairs) not in self.series, line
                self.series[name, pairs] = float(value)

    def __call__(self, name, **labels):
        return self.series.get((name, frozenset(labels.items())))

    def base_names(self):
        return set(self.types)


def test_calls_are_counted_by_outcome_and_timed(ctl, scrape):
    ctl.enable("hello", "crash_in_run")
    before = scrape()("plugin_calls_total", plugin="hello", outcome="ok") or 0
    for _ in range(3):
        ctl.result("hello", "greet")
    ctl.run("crash_in_run", "crash")
    seen = scrape()
    assert seen("plugin_calls_total", plugin="hello", outcome="ok") == before + 3
    assert seen("plugin_calls_total", plugin="crash_in_run", outcome="plugin_raised") == 1
    assert seen("plugin_call_duration_seconds_count", plugin="hello") == before + 3
    assert 0 < seen("plugin_call_duration_seconds_sum", plugin="hello") < 60
    assert seen("plugin_calls_in_flight", plugin="hello") == 0


def test_starts_stops_crashes_and_failed_loads_are_counted(ctl, scrape):
    generation = ctl.enable("os_exit")[0]["worker"]["generation"]
    ctl("enable", "import_error")
    ctl.run("os_exit", "exit")
    eventually(lambda: ctl.worker("os_exit")["generation"] == generation + 1, "it is started again")
    ctl.await_state("os_exit", "running")
    ctl.disable("os_exit")
    seen = scrape()
    assert seen("plugin_starts_total", plugin="os_exit") == 2
    assert seen("plugin_crashes_total", plugin="os_exit", reason="worker_exited") == 1
    assert seen("plugin_stops_total", plugin="os_exit", forced="false") == 1
    assert seen("plugin_load_failures_total", plugin="import_error", reason="import_failed") == 1
    assert seen("plugin_state", plugin="os_exit", state="disabled") == 1
    assert seen("plugin_state", plugin="os_exit", state="running") is None
    assert seen("plugin_supervisor_forks_total") >= 3
    steps = [
        seen("plugin_supervisor_start_step_seconds_count", step=step)
        for step in ("fork", "attach", "import", "construct", "ready", "total")
    ]
    assert len(set(steps)) == 1 and steps[0] >= 2


def test_what_workers_and_daemons_use_is_measured(ctl, scrape):
    ctl.enable("hello")
    seen = scrape()
    assert seen("plugin_state", plugin="hello", state="running") == 1
    assert seen("plugin_memory_bytes", plugin="hello") > 1e6
    assert seen("plugin_cpu_seconds_total", plugin="hello") is not None
    assert seen("plugin_open_descriptors", plugin="hello") >= 3
    assert seen("plugin_processes", plugin="hello") >= 1
    for daemon in ("plugin_supervisor", "plugin_gateway"):
        assert seen(f"{daemon}_memory_bytes") > 1e6
        assert seen(f"{daemon}_open_descriptors") > 3
    assert seen("plugin_supervisor_database_up") == 1
    assert seen("plugin_gateway_supervisor_up") == 1
    eventually(lambda: scrape()("plugin_supervisor_core_lag_seconds_count") >= 1, "lag is measured")


def test_the_processes_that_a_worker_started_are_counted(installation, ctl, scrape):
    starts_many = """
        import subprocess

        class Plugin:
            name = "Starts many"
            def __init__(self):
                self.children = [subprocess.Popen(["sleep", "600"]) for _ in range(40)]
            def run(self, action, params, context):
                return {}
        """
    key = installation.write("starts_many", starts_many)
    ctl("reload").ok()
    ctl.enable(key)
    # More than the threads of a worker, which count as well where the kernel counts.
    eventually(lambda: scrape()("plugin_processes", plugin=key) > 40, "they and the worker")
    ctl.disable(key)


def test_requests_are_counted_by_endpoint_and_status(gateway, scrape):
    gateway.rest.enable("hello").ok()
    gateway.rest.run("hello", "greet").ok()
    gateway.rest.get("/no/such/path")
    gateway.rest.get("/api/plugins/plugins/", token="wrong")
    seen = scrape()
    assert seen("plugin_gateway_requests_total", endpoint="run", status="200") >= 1
    assert seen("plugin_gateway_requests_total", endpoint="none", status="404") == 1
    assert seen("plugin_gateway_requests_total", endpoint="plugins", status="401") == 1
    assert seen("plugin_gateway_request_duration_seconds_count", endpoint="run") >= 1
    assert seen("plugin_gateway_connections") >= 1


def test_a_flood_of_lines_is_counted(ctl, installation, scrape):
    installation.install("hostile/prints_a_lot")
    ctl.enable("prints_a_lot")
    ctl.run("prints_a_lot", "flood", timeout="60s").ok()
    eventually(
        lambda: scrape()("plugin_log_lines_dropped_total", plugin="prints_a_lot") > 10_000,
        "the dropped lines are counted",
        within=30,
    )


def test_no_plugin_can_make_labels(ctl, installation, scrape):
    code = """
    class Plugin:
        name = 'bomb"} 1\\nforged_metric 1'
        def run(self, action, params, context):
            raise type(params["name"], (Exception,), {})("forged")
    """
    installation.write("label_bomb", code)
    ctl.enable("label_bomb")
    before = len(scrape().series)
    for number in range(30):
        ctl.run("label_bomb", f"action{number}", {"name": f"Error{number}"})
    seen = scrape()
    assert "forged" not in seen.text and "Error1" not in seen.text and "action1" not in seen.text
    # One outcome and one histogram at most.
    assert len(seen.series) - before < 25


def test_metrics_need_a_token_unless_they_are_opened(installation, gateway):
    refused(gateway.rest.get("/metrics", token=None), 401, "unauthenticated")
    opened = installation.start_gateway(metrics_open=True)
    assert opened.rest.get("/metrics", token=None).status == 200
    refused(opened.rest.get("/api/plugins/plugins/", token=None), 401, "unauthenticated")
    opened.terminate()


def test_workers_that_are_taken_over_are_no_starts(fresh):
    fresh.install("samples/hello")
    fresh.start_supervisor()
    fresh.ctl.enable("hello")
    fresh.kill_supervisor()
    fresh.start_supervisor()
    fresh.ctl.await_state("hello", "running")
    seen = Metrics(fresh.start_gateway().rest.get("/metrics").body.decode())
    assert seen("plugin_adoptions_total", plugin="hello") == 1
    assert seen("plugin_starts_total", plugin="hello") == 0


def test_the_gateway_tells_its_own_when_the_supervisor_is_away(fresh):
    gateway = fresh.start_gateway()
    answer = gateway.rest.get("/metrics")
    assert answer.status == 200
    seen = Metrics(answer.body.decode())
    assert seen("plugin_gateway_supervisor_up") == 0
    assert "plugin_state" not in seen.types


# The examples.


def named_in(text):
    """Metrics that an expression or a file of them names, without a histogram's endings."""
    names = set(re.findall(r"\bplugin_[a-z_]+\b", text))
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}


def dashboard_expressions():
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    targets = [target for panel in dashboard["panels"] for target in panel["targets"]]
    variables = [v["query"]["query"] for v in dashboard["templating"]["list"] if v["type"] == "query"]
    return [target["expr"] for target in targets] + variables


def test_every_metric_in_the_dashboard_and_the_alerts_is_there(scrape):
    there = scrape().base_names()
    rules = re.sub(r"#.*", "", (MONITORING / "alerts.yaml").read_text())
    # Annotations name metrics too: they are to be there as well.
    assert named_in(rules) and named_in(rules) <= there
    shown = named_in(" ".join(dashboard_expressions()))
    assert shown <= there
    # And nothing is exported that no panel shows, but for what a table would.
    assert there - shown <= {"plugin_supervisor_build_info", "plugin_gateway_build_info"}


def test_every_outcome_and_state_that_an_alert_names_is_one(installation):
    text = (MONITORING / "alerts.yaml").read_text()
    reasons = (ROOT / "proto/plugin_supervisor/v1/reason.proto").read_text()
    states = (ROOT / "proto/plugin_supervisor/v1/plugin.proto").read_text()
    for outcome in re.findall(r'outcome="(\w+)"', text):
        assert f"REASON_{outcome.upper()} " in reasons, outcome
    for state in re.findall(r'state="(\w+)"', text):
        assert f"PLUGIN_STATE_{state.upper()} " in states, state


def check_histogram(family):
    """Its buckets count up to what its count says."""
    series = {}
    for sample in family.samples:
        labels = frozenset((k, v) for k, v in sample.labels.items() if k != "le")
        ending = sample.name.removeprefix(family.name)
        series.setdefault(labels, {}).setdefault(ending, []).append(sample)
    for of_one in series.values():
        assert set(of_one) == {"_bucket", "_sum", "_count"}, of_one
        bounds = [float(sample.labels["le"]) for sample in of_one["_bucket"]]
        counts = [sample.value for sample in of_one["_bucket"]]
        assert bounds == sorted(set(bounds)) and bounds[-1] == float("inf"), of_one
        assert counts == sorted(counts) and counts[-1] == of_one["_count"][0].value, of_one


def test_a_scraper_takes_all_of_it_and_knows_its_types(scrape):
    seen = scrape()
    families = list(text_string_to_metric_families(seen.text))
    assert sum(len(family.samples) for family in families) == len(seen.series)
    # The parser names a counter without what its samples end with.
    ending = {"counter": "_total"}
    names = {family.name + ending.get(family.type, "") for family in families}
    assert names == seen.base_names()
    for family in families:
        # Whatever belongs to none that was announced comes as one of unknown type.
        assert family.type in ("counter", "gauge", "histogram"), family
        assert family.documentation.strip(), family
        if family.type == "histogram":
            check_histogram(family)
    assert any(family.type == "histogram" and family.samples for family in families)


# It comes with a whole Prometheus; the test above reads the same text without, but not the rules.
@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_has_nothing_to_say(scrape):
    rules = subprocess.run(
        ["promtool", "check", "rules", MONITORING / "alerts.yaml"], capture_output=True, text=True
    )
    assert rules.returncode == 0, rules.stdout + rules.stderr
    metrics = subprocess.run(
        ["promtool", "check", "metrics"], input=scrape().text, capture_output=True, text=True
    )
    assert metrics.returncode == 0, metrics.stdout + metrics.stderr
