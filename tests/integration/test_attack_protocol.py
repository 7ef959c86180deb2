"""A plugin that knows the secrets of its own launch opens its link again, and lies in it."""

import secrets
from pathlib import Path

import pytest

from harness.installation import FULL_SANDBOX

FLAGS = FULL_SANDBOX


def prepare(installation):
    for name in ("liar", "sibling"):
        installation.install("hostile/link_liar", name)


@pytest.fixture(scope="module", autouse=True)
def enabled(installation, ctl):
    ctl.enable("liar", "sibling")


@pytest.fixture(autouse=True)
def all_goes_on(ctl):
    # A launch's socket takes few connections: see the last test.
    ctl("restart", "liar").ok()
    before = {key: ctl.worker(key)["pid"] for key in ("liar", "sibling")}
    yield
    for key, pid in before.items():
        assert ctl.result(key, "ping") == {"pong": True}
        assert ctl.worker(key)["pid"] == pid


def refused(ctl, action, **params):
    """What it is told; nothing of the supervisor's is heard."""
    answer = ctl.result("liar", action, params)
    assert answer["heard"] == 0, answer
    assert answer["status"] != "none", answer
    return answer["status"]


UNAUTHENTICATED = "16"


def test_its_token_is_good_once(ctl):
    assert refused(ctl, "hello") == UNAUTHENTICATED


def test_another_token_is_refused(ctl):
    assert refused(ctl, "hello", token=secrets.token_hex(32)) == UNAUTHENTICATED
    assert refused(ctl, "hello", token="") == UNAUTHENTICATED


def test_another_plugin_cannot_be_claimed_to_be(ctl):
    assert refused(ctl, "hello", key="sibling") == UNAUTHENTICATED
    assert refused(ctl, "hello", key="../sibling") == UNAUTHENTICATED


def test_another_plugins_token_is_of_no_use(ctl):
    theirs = ctl.result("sibling", "secrets")
    told = {name: theirs[name] for name in ("key", "generation", "token")}
    assert refused(ctl, "hello", **told) == UNAUTHENTICATED
    assert refused(ctl, "hello", token=theirs["token"]) == UNAUTHENTICATED


@pytest.mark.parametrize("version", [0, 2, 999, (1 << 32) - 1])
def test_another_version_is_refused(ctl, version):
    assert refused(ctl, "hello", version=version) == UNAUTHENTICATED


def test_an_older_and_a_later_launch_cannot_be_claimed(ctl):
    now = ctl.result("liar", "secrets")["generation"]
    for generation in (now - 1, now + 1, (1 << 64) - 1):
        assert refused(ctl, "hello", generation=generation) == UNAUTHENTICATED


@pytest.mark.parametrize("action", ["half", "garbage", "too_long", "end"])
def test_what_is_no_message_ends_that_stream(ctl, action):
    refused(ctl, action)  # With status 0 when nothing had been said.


@pytest.mark.parametrize("depth", [99, 5000])
def test_deep_nesting_is_no_hello(ctl, depth):
    refused(ctl, "nested", depth=depth)


def test_a_million_tiny_messages_are_not_read(ctl):
    refused(ctl, "tiny", count=1_000_000)


def test_a_link_takes_few_connections(installation, ctl):
    """Those beyond wait, in a queue of the kernel's, and cost the supervisor no descriptor."""
    descriptors = Path(f"/proc/{installation.supervisor.pid}/fd")
    before = len(list(descriptors.iterdir()))
    assert ctl.result("liar", "connect", {"count": 500})["connected"] > 16
    assert len(list(descriptors.iterdir())) <= before + 16
