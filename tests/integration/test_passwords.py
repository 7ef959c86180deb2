"""Settings whose field is a password: shown to who asks for secrets, and to no log."""

import json
import os
from pathlib import Path

import pytest

from harness.processes import descendants
from harness.waiting import eventually

SECRETIVE = """
class Plugin:
    fields = [{"id": "account", "label": "A", "type": "string"},
              {"id": "word", "label": "W", "type": "string", "input_type": "password"}]
    def run(self, action, params, context):
        word = context["settings"].get("word", "")
        if action == "blurt":
            print("printed", word, flush=True)
            context["logger"].info("logged %s", word)
        if action == "raise":
            raise ValueError("it was " + word)
        return {"length": len(word), "word": word}
"""
WORD = "plantedpassword47"


@pytest.fixture(scope="module")
def secretive(installation, ctl):
    ctl("settings", "secretive", "--replace", json.dumps({"account": "me", "word": WORD})).ok()
    ctl.enable("secretive")
    return "secretive"


def test_pluginctl_shows_a_mask_unless_it_is_asked_to_show_secrets(ctl, secretive):
    for verb in (["settings", secretive], ["show", secretive], ["list"], ["why", secretive]):
        assert WORD not in ctl(*verb).text
    assert ctl("settings", secretive).ok()["settings"] == {"account": "me", "word": "********"}
    assert ctl.human("show", secretive).stdout.count("********") == 1
    shown = ctl("settings", secretive, "--show-secrets").ok()["settings"]
    assert shown == {"account": "me", "word": WORD}


def test_a_mask_that_comes_back_leaves_what_is_stored(ctl, secretive):
    answer = ctl("settings", secretive, "--set", "account=you").ok()
    assert answer["settings"] == {"account": "you", "word": "********"}
    assert ctl.result(secretive, "x") == {"length": len(WORD), "word": WORD}
    # The host's frontend sends the whole object back.
    whole = json.dumps({"account": "me", "word": "********", "more": 1})
    ctl("settings", secretive, "--replace", whole).ok()
    assert ctl.result(secretive, "x")["word"] == WORD
    ctl("settings", secretive, "--replace", json.dumps({"account": "me", "word": "other-word"}))
    assert ctl.result(secretive, "x")["word"] == "other-word"
    ctl("settings", secretive, "--replace", json.dumps({"account": "me", "word": WORD})).ok()


def test_a_mask_for_what_was_never_stored_stores_no_mask(installation, ctl):
    installation.write("never_set", SECRETIVE)
    eventually(lambda: "never_set" in ctl.list(), "it is listed")
    ctl.enable("never_set")
    ctl("settings", "never_set", "--replace", '{"word": "********"}').ok()
    assert ctl.result("never_set", "x")["word"] == ""


def test_passwords_are_masked_in_the_log_and_its_files(installation, ctl, secretive):
    ctl.result(secretive, "blurt")
    ctl.await_log(secretive, "printed ********")
    ctl.await_log(secretive, "logged ********")
    ctl.run(secretive, "raise")
    file = installation.runtime_dir / "logs" / "secretive.log"
    eventually(lambda: "logged ********" in file.read_text(), "the file has it")
    assert WORD not in file.read_text()
    assert WORD not in ctl("logs", secretive).text


def test_no_process_and_no_log_of_an_installation_holds_its_secrets(fresh):
    """Secrets of all kinds, planted: in the command lines, environments and logs there are none."""
    planted = {
        "database": "planteddatabase11",
        "token": "plantedtoken22",
        "settings": WORD,
    }
    fresh.token_file.write_text(planted["token"] + "\n")
    fresh.write("secretive", SECRETIVE)
    url = f"{fresh.database_url}&password={planted['database']}"
    environment = {**os.environ, "PGPASSWORD": planted["database"]}
    for variables, flags in (({"DATABASE_URL": url}, {}), ({}, {"database": url})):
        supervisor = fresh.spawn_supervisor(
            environment={**environment, **variables}, log_level="debug", **flags
        )
        supervisor.ready_line()
        gateway = fresh.start_gateway()
        fresh.ctl("settings", "secretive", "--replace", json.dumps({"word": WORD})).ok()
        fresh.ctl.enable("secretive")
        fresh.ctl.result("secretive", "blurt")
        fresh.ctl.run("secretive", "raise")
        pids = [supervisor.pid, gateway.pid, *(pid for pid, _ in descendants(supervisor.pid))]
        assert len(pids) >= 5
        for pid in pids:
            for name in ("cmdline", "environ"):
                content = Path(f"/proc/{pid}/{name}").read_bytes()
                for secret in planted.values():
                    assert secret.encode() not in content, (pid, name, secret)
        assert gateway.terminate() == 0
        assert supervisor.terminate() == 0
    logs = [*fresh.directory.glob("*.log"), *fresh.runtime_dir.rglob("*.log*")]
    assert len(logs) >= 5
    for log in logs:
        for secret in planted.values():
            assert secret not in log.read_text(errors="replace"), log


def prepare(installation):
    installation.write("secretive", SECRETIVE)
