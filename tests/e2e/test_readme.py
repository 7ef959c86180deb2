"""The README's first plugin, as it is written there."""

import re
import subprocess

import pytest

from harness.waiting import ROOT, build_dir, eventually, seconds


@pytest.fixture(scope="module")
def steps(own, tmp_path_factory):
    """Runs the commands under a bold word of the section, and returns what they print."""
    readme = (ROOT / "README.md").read_text()
    section = readme.split("## A first plugin in two minutes")[1].split("\n## ")[0]
    here = tmp_path_factory.mktemp("readme")
    (here / ".state").symlink_to(own.state)
    (here / "build").symlink_to(build_dir().parent)
    alias = next(line for line in section.splitlines() if line.startswith("alias "))
    told = own.rest

    def run(word: str) -> str:
        commands = section.split(f"**{word}**")[1].split("```sh\n")[1].split("\n```")[0]
        commands = commands.replace("http://127.0.0.1:9195", told.url)
        script = f"shopt -s expand_aliases\nexport TOKEN={told.token}\n{alias}\n{commands}\n"
        done = subprocess.run(
            ["bash", "-c", script], cwd=here, capture_output=True, text=True, timeout=seconds(60)
        )
        return done.stdout + done.stderr

    return run


def test_it_is_written_enabled_run_and_crashed_and_the_rest_goes_on(steps, own):
    assert steps("Write") == ""
    enabled = steps("Enable")
    assert re.search(r"^my_first +My first +0\.1\.0 +no +disabled", enabled, re.MULTILINE)
    assert "my_first is enabled" in enabled and "hello is enabled" in enabled
    ran = steps("Run").replace(" ", "")
    assert '"total":1}' in ran and '"step":10' in ran and '"total":11}' in ran
    hello = own.rest.plugin("hello")["worker"]
    crashed = steps("Crash")
    assert "SIGABRT" in crashed and "goodbye" in crashed
    assert "Hello, World!" in crashed
    assert "the total is 11" in crashed
    eventually(lambda: own.rest.plugin("my_first")["worker"]["state"] == "running", "it runs again")
    assert own.rest.plugin("my_first")["worker"]["restarts"] == 1
    assert own.rest.plugin("hello")["worker"]["pid"] == hello["pid"], "the other never noticed"
