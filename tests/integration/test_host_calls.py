"""What plugins find of the host where there is no host: settings, collections, tasks, updates."""

import json

import pytest

from harness.waiting import eventually

ASKS = """
import json, os
from apps.plugins.models import PluginConfig, PluginData
from celery import shared_task
from celery.result import AsyncResult
from core.utils import RedisClient, send_websocket_update
from plugin_worker import host

KEY = os.path.basename(os.path.dirname(__file__)).lower()
gate = None

@shared_task
def double(number):
    return {"doubled": number * 2}

@shared_task(bind=True, name="asks.fails")
def fails(self, text):
    raise ValueError(f"{self.name} {bool(self.request.id)}: {text}")

@shared_task
def waits_for_file(path):
    import time
    while not os.path.exists(path):
        time.sleep(0.01)
    return path

def record(row):
    return row and {"id": row.id, "data": row.data, "aware": row.created_at.tzinfo is not None}

class Plugin:
    name = "Asks"
    fields = [{"id": "colour", "label": "Colour", "type": "string", "default": "blue"}]

    def run(self, action, params, context):
        return getattr(self, action)(context=context, **params)

    def add(self, context, collection, data, key=KEY):
        return record(PluginData.objects.add_to_collection(key, collection, data))

    def data(self, context, collection, key=KEY):
        return {"rows": PluginData.objects.get_collection_data(key, collection)}

    def records(self, context, collection):
        rows = PluginData.objects.get_collection(KEY, collection)
        return {"count": rows.count(), "first": record(rows.first()), "exists": rows.exists()}

    def replace(self, context, collection, items):
        return {"ids": [row.id for row in PluginData.objects.set_collection(KEY, collection, items)]}

    def update(self, context, collection, id, data):
        return {"row": record(PluginData.objects.update_in_collection(KEY, collection, id, data))}

    def remove(self, context, collection, id):
        return {"gone": PluginData.objects.remove_from_collection(KEY, collection, id)}

    def clear(self, context, collection):
        return {"gone": PluginData.objects.clear_collection(KEY, collection)}

    def change_record(self, context, collection):
        row = PluginData.objects.get_collection(KEY, collection).first()
        row.data["changed"] = True
        row.save()
        row.delete()
        return {"left": PluginData.objects.get_collection(KEY, collection).count()}

    def settings(self, context):
        return context["settings"]

    def save(self, context, colour):
        config = PluginConfig.objects.get(key=KEY)
        config.settings["colour"] = colour
        config.save(update_fields=["settings", "updated_at"])
        return PluginConfig.objects.get(key=KEY).settings

    def save_by_filter(self, context, colour):
        return {"updated": PluginConfig.objects.filter(key=KEY).update(settings={"colour": colour})}

    def configs(self, context):
        return {row.key: row.enabled for row in PluginConfig.objects.all()}

    def settings_of(self, context, key):
        return PluginConfig.objects.get(key=key).settings

    def missing(self, context):
        try:
            PluginConfig.objects.get(key="nobody")
        except PluginConfig.DoesNotExist as error:
            return {"error": str(error), "filter": PluginConfig.objects.filter(key="nobody").exists()}

    def disable_itself(self, context):
        config = PluginConfig.objects.get(key=KEY)
        config.enabled = False
        config.save()

    def not_there(self, context, what):
        return {"value": eval(what)}

    def start(self, context, number):
        return {"id": double.delay(number).id}

    def result(self, context, id):
        task = AsyncResult(id)
        return {"ready": task.ready(), "result": task.get(timeout=10)}

    def start_and_wait(self, context, number):
        return double.apply_async((number,), countdown=0.05).get(timeout=10)

    def call_directly(self, context, number):
        return double(number)

    def fail(self, context, text):
        task = fails.delay(text)
        task.get(timeout=10)

    def fail_later(self, context, text):
        return {"id": fails.delay(text).id}

    def block(self, context, path, count):
        tasks = [waits_for_file.delay(path) for _ in range(count)]
        return {"states": sorted({task.state for task in tasks}), "ids": [t.id for t in tasks]}

    def send(self, context, data):
        send_websocket_update("updates", "update", data)

    def in_child(self, context):
        import sys
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            said = []
            for ask in (lambda: PluginConfig.objects.get(key=KEY), lambda: double.delay(1)):
                try:
                    ask()
                    said.append("answered")
                except host.HostCallFailed as error:
                    said.append(error.reason)
            os.write(writer, json.dumps(said).encode())
            os._exit(0)
        os.close(writer)
        said = json.loads(os.read(reader, 1000))
        os.waitpid(child, 0)
        return {"said": said, "still": PluginConfig.objects.get(key=KEY).key}

    # What only a hostile plugin does: past the compat package, to the link.

    def raw(self, context, method, text):
        link = host.link()
        answer = link.host_answer(link.host_call(method, text.encode()), 10.0)
        return {"answer": answer if isinstance(answer, tuple) else json.loads(answer)}

    def oversize(self, context, size):
        link = host.link()
        text = json.dumps({"collection": "big", "data": {"x": "y" * size}}).encode()
        answer = link.host_answer(link.host_call(12, text), 10.0)
        return {"answer": answer if isinstance(answer, tuple) else "stored"}

    def flood(self, context, count):
        import threading, collections
        tally, errors, lock = collections.Counter(), [], threading.Lock()
        def ask():
            for _ in range(count):
                try:
                    PluginData.objects.get_collection_data(KEY, "calm")
                    got = "answered"
                except host.HostCallFailed as error:
                    got = error.reason
                with lock:
                    tally[got] += 1
        threads = [threading.Thread(target=ask) for _ in range(40)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        return dict(tally)

    def abandon(self, context, count):
        link = host.link()
        for _ in range(count):
            link.host_forget(link.host_call(10, b'{"collection": "calm"}'))
        return {"asked": count}

    def still(self, context):
        return {"key": PluginConfig.objects.get(key=KEY).key}
"""
PLUGINS = ["seed_style/sports_calendar"]
KEY = "asks"


def prepare(installation):
    for key in (KEY, "other"):
        installation.write(key, ASKS)
    installation.write("core", "class Plugin:\n    def run(self, *_):\n        return __name__\n")
    installation.write("celery", "import celery\nclass Plugin:\n    def run(self, *_):\n"
                       "        return [__name__, celery.__version__]\n")


@pytest.fixture(scope="module", autouse=True)
def enabled(ctl):
    ctl.enable(KEY, "other", "sports_calendar", "core", "celery")


def failure_of(ctl, action, params=None, key=KEY):
    answer = ctl.run(key, action, params)
    assert answer.code == 1, answer
    return {"message": answer.data["error"], **answer.data}


def test_records_are_added_listed_replaced_and_removed(ctl):
    first = ctl.result(KEY, "add", {"collection": "shows", "data": {"name": "One", "_id": 7}})
    assert first["data"] == {"name": "One"} and first["aware"]
    second = ctl.result(KEY, "add", {"collection": "shows", "data": {"name": "Two"}})
    assert ctl.result(KEY, "data", {"collection": "shows"})["rows"] == [
        {"name": "One", "_id": first["id"]},
        {"name": "Two", "_id": second["id"]},
    ]
    told = ctl.result(KEY, "update",
                      {"collection": "shows", "id": first["id"], "data": {"title": "Uno"}})
    assert told["row"]["data"] == {"title": "Uno"}
    assert ctl.result(KEY, "records", {"collection": "shows"}) == {
        "count": 2, "first": told["row"], "exists": True}
    gone = {"collection": "shows", "id": str(second["id"])}  # As a form gives it back.
    assert ctl.result(KEY, "remove", gone) == {"gone": True}
    assert ctl.result(KEY, "remove", gone) == {"gone": False}
    missing = {"collection": "shows", "id": second["id"], "data": {}}
    assert ctl.result(KEY, "update", missing) == {"row": None}
    ids = ctl.result(KEY, "replace", {"collection": "shows", "items": [{"n": 3}, {"n": 1}]})["ids"]
    assert ids == sorted(ids)
    assert [row["n"] for row in ctl.result(KEY, "data", {"collection": "shows"})["rows"]] == [3, 1]
    assert ctl.result(KEY, "change_record", {"collection": "shows"}) == {"left": 1}
    assert ctl.result(KEY, "clear", {"collection": "shows"}) == {"gone": 1}
    assert ctl.result(KEY, "data", {"collection": "shows"})["rows"] == []


def test_records_outlive_the_worker_and_are_the_hosts_rows(ctl, installation):
    ctl.result(KEY, "add", {"collection": "kept", "data": {"big": 9007199254740993}})
    ctl("restart", KEY).ok()
    [row] = ctl.result(KEY, "data", {"collection": "kept"})["rows"]
    assert row["big"] == 9007199254740993
    assert installation.sql(
        "SELECT c.key, d.collection, d.data->>'big' FROM plugins_plugindata d"
        " JOIN plugins_pluginconfig c ON c.id = d.plugin_id WHERE d.collection = 'kept'"
    ).strip() == "asks|kept|9007199254740993"


def test_the_calendar_of_the_plugin_guide_keeps_its_calendars(ctl, installation):
    ctl.result("sports_calendar", "add_calendar", {"name": "Cup", "url": "https://x.example/c"})
    stored = json.loads(installation.sql(
        "SELECT jsonb_build_object('id', id, 'data', data) FROM plugins_plugindata"
        " WHERE collection = 'calendars'"))
    assert stored["data"] == {"name": "Cup", "url": "https://x.example/c"}
    ctl.result("sports_calendar", "delete_calendar", {"_id": stored["id"]})
    assert installation.sql(
        "SELECT count(*) FROM plugins_plugindata WHERE collection = 'calendars'").strip() == "0"


def test_a_plugin_finds_the_settings_that_it_saved_in_its_next_call(ctl):
    for colour in ("red", "green", "teal"):
        assert ctl.result(KEY, "save", {"colour": colour}) == {"colour": colour}
        assert ctl.result(KEY, "settings")["colour"] == colour
    assert ctl.result(KEY, "save_by_filter", {"colour": "pink"}) == {"updated": 1}
    assert ctl.result(KEY, "settings")["colour"] == "pink"
    assert ctl.show(KEY)["settings"] == {"colour": "pink"}


def test_a_plugin_sees_who_else_there_is_but_not_their_settings(ctl):
    known = ctl.result(KEY, "configs")
    assert known["other"] is True and known[KEY] is True
    told = failure_of(ctl, "settings_of", {"key": "other"})
    assert "may not see the settings" in told["message"] and told["hint"]
    assert ctl.result(KEY, "missing")["filter"] is False


@pytest.mark.parametrize(
    "what",
    ["RedisClient.get_client()", "PluginConfig.objects.create()", "PluginData.objects.bulk_create()",
     "double.retry()", "__import__('celery').Celery", "__import__('core.utils').utils.natural_sort_key"],
)
def test_what_is_not_there_says_so(ctl, what):
    told = failure_of(ctl, "not_there", {"what": what})
    assert "standalone runtime profile" in told["message"], told


def test_a_plugin_cannot_disable_itself(ctl):
    assert "PluginConfig.enabled" in failure_of(ctl, "disable_itself")["message"]
    assert ctl.show(KEY)["enabled"]


def test_folders_named_like_the_hosts_modules_hide_nothing(ctl):
    assert ctl.result("core", "x")["result"] == "_dispatcharr_plugin_core.plugin"
    name, version = ctl.result("celery", "x")["result"]
    assert name == "_dispatcharr_plugin_celery.plugin" and version


def test_tasks_run_in_the_worker_and_their_results_are_found_by_id(ctl):
    task = ctl.result(KEY, "start", {"number": 21})["id"]
    assert ctl.result(KEY, "result", {"id": task})["result"] == {"doubled": 42}
    assert ctl.result(KEY, "result", {"id": task})["ready"]
    assert ctl.result(KEY, "start_and_wait", {"number": 4}) == {"doubled": 8}
    assert ctl.result(KEY, "call_directly", {"number": 5}) == {"doubled": 10}


def test_a_failed_task_raises_where_it_is_waited_for_and_is_logged(ctl):
    assert "asks.fails True: broken" in failure_of(ctl, "fail", {"text": "broken"})["message"]
    ctl.await_log(KEY, "task asks.fails failed")


def test_tasks_are_in_the_history_of_jobs_with_the_job_that_started_them(ctl):
    started = ctl.run(KEY, "start", {"number": 3}).ok()
    task = ctl("job", started["id"], "--wait", "10s").ok()
    assert (task["state"], task["kind"], task["plugin"]) == ("succeeded", "task", KEY), task
    assert task["action"].endswith(".double") and task["result"] == {"doubled": 6}
    assert task["requested_by"].startswith("job:"), task
    failed = ctl.result(KEY, "fail_later", {"text": "later"})["id"]
    task = ctl("job", failed, "--wait", "10s").ok()
    assert (task["state"], task["action"]) == ("failed", "asks.fails")
    assert "asks.fails True: later" in task["failure"]["message"]
    lines = [line for line in ctl.logs(KEY) if line["job"] == failed]
    assert any("task asks.fails failed" in line["text"] for line in lines)


def test_tasks_that_wait_are_bounded_and_block_no_call(ctl, tmp_path):
    gate = tmp_path / "gate"
    blocked = ctl.result(KEY, "block", {"path": str(gate), "count": 6})
    assert "PENDING" in blocked["states"]  # Four threads, six tasks.
    told = failure_of(ctl, "block", {"path": str(gate), "count": 1001})
    assert "1000 tasks of this plugin are waiting" in told["message"]
    assert ctl.result(KEY, "call_directly", {"number": 5}) == {"doubled": 10}
    gate.touch()
    for task in blocked["ids"]:
        assert ctl.result(KEY, "result", {"id": task})["result"] == str(gate)


def test_updates_are_sent_and_what_is_no_json_is_refused(ctl):
    assert ctl.run(KEY, "send", {"data": {"type": "plugin", "message": "Done"}}).code == 0


def test_a_forked_child_is_told_that_the_link_is_its_parents(ctl):
    assert ctl.result(KEY, "in_child") == {"said": ["link_lost", "not_supported"], "still": KEY}


# Hostile ones


def reason(answer):
    return answer["answer"][0]


INVALID, DENIED, TOO_LARGE, QUEUE_FULL, NOT_SUPPORTED = 1, 3, 6, 25, 45


def test_another_plugins_data_cannot_be_asked_for(ctl, installation):
    ctl.result("other", "add", {"collection": "secret", "data": {"of": "other"}})
    told = failure_of(ctl, "data", {"collection": "secret", "key": "other"})
    assert "may not use the data" in told["message"]
    for method, more in ((10, {}), (11, {"items": []}), (12, {"data": {}}), (15, {})):
        text = json.dumps({"plugin": "other", "collection": "secret", **more})
        assert reason(ctl.result(KEY, "raw", {"method": method, "text": text})) == DENIED
    # A record is found by its owner alone, whatever id is asked for.
    number = installation.sql("SELECT id FROM plugins_plugindata WHERE collection = 'secret'").strip()
    for method in (13, 14):
        text = json.dumps({"collection": "secret", "id": int(number), "data": {"taken": 1}})
        assert ctl.result(KEY, "raw", {"method": method, "text": text})["answer"] in (None, False)
    assert ctl.result("other", "data", {"collection": "secret"})["rows"][0]["of"] == "other"


@pytest.mark.parametrize(
    "method, text, expected",
    [
        (10, "not json", INVALID),
        (10, "[1]", INVALID),
        (10, "{}", INVALID),
        (10, '{"collection": 5}', INVALID),
        (10, json.dumps({"collection": ""}), INVALID),
        (10, json.dumps({"collection": "x" * 129}), INVALID),
        (10, '{"collection": "a\\u0000b"}', INVALID),
        (10, '{"collection": "x", "plugin": {"a": 1}}', INVALID),
        (11, '{"collection": "x", "items": {"a": 1}}', INVALID),
        (11, '{"collection": "x", "items": [{}, 5]}', INVALID),
        (12, '{"collection": "x", "data": [1]}', INVALID),
        (12, '{"collection": "x", "data": {"a": "\\u0000"}}', INVALID),
        (13, '{"collection": "x", "id": "1; DROP TABLE x", "data": {}}', INVALID),
        (13, '{"collection": "x", "id": 1e99, "data": {}}', INVALID),
        (2, '{"settings": [1]}', INVALID),
        (2, "[" * 100_000, INVALID),
        (0, "{}", NOT_SUPPORTED),
        (99, "{}", NOT_SUPPORTED),
        (-5, "{}", NOT_SUPPORTED),
    ],
)
def test_garbage_is_refused_and_harms_nobody(ctl, method, text, expected):
    assert reason(ctl.result(KEY, "raw", {"method": method, "text": text})) == expected
    assert ctl.worker(KEY)["state"] == "running"


def test_what_is_too_large_is_refused(ctl):
    assert reason(ctl.result(KEY, "oversize", {"size": 5 << 20})) == TOO_LARGE
    # What compresses well is small on disk, but not when it is read.
    for _ in range(3):
        assert ctl.result(KEY, "oversize", {"size": 3 << 20})["answer"] == "stored"
    told = failure_of(ctl, "data", {"collection": "big"})
    assert "9437" in told["message"] and "limits" in told["message"]
    assert ctl.result(KEY, "clear", {"collection": "big"}) == {"gone": 3}


def test_a_flood_is_answered_or_refused_and_delays_no_other_plugin(ctl):
    flood = ctl.begin_run(KEY, "flood", {"count": 50})
    for _ in range(5):
        assert ctl.result("other", "add", {"collection": "beside", "data": {}})
    tally = flood.answer().ok()
    assert sum(tally.values()) == 40 * 50
    assert set(tally) <= {"answered", "queue_full"} and tally["answered"] > 0
    assert ctl.result(KEY, "abandon", {"count": 2000}) == {"asked": 2000}
    eventually(lambda: ctl.run(KEY, "still").code == 0, "it is answered again")


def test_a_database_that_is_away_is_told_and_forgotten_when_it_is_back(ctl, installation):
    installation.sql("ALTER TABLE plugins_plugindata RENAME TO away")
    try:
        told = failure_of(ctl, "data", {"collection": "calm"})
        assert "lacks a table" in told["message"]
    finally:
        installation.sql("ALTER TABLE away RENAME TO plugins_plugindata")
    eventually(lambda: ctl.run(KEY, "data", {"collection": "calm"}).code == 0, "it is back")
