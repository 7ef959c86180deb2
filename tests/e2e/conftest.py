"""One installation for the session, made by deploy/up with the sample plugins."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest

from harness.deployment import Deployment, down, up
from harness.installation import PLUGINS


@pytest.fixture(scope="session")
def deployment():
    directory = Path(tempfile.mkdtemp(prefix="pse2e-", dir="/tmp"))
    plugins = directory / "plugins"
    plugins.mkdir()
    for folder in ("samples", "seed_style", "hostile"):
        for plugin in sorted((PLUGINS / folder).iterdir()):
            if plugin.is_dir() and not (plugins / plugin.name).exists():
                shutil.copytree(plugin, plugins / plugin.name)
    try:
        made = Deployment.detached(directory / "state", "--plugins", plugins)
        made.plugins_dir = plugins
        yield made
        made.down()
    finally:
        down(directory / "state")
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def rest(deployment):
    return deployment.rest


@pytest.fixture(scope="session")
def ctl(deployment):
    return deployment.ctl


@pytest.fixture(scope="session")
def own():
    """One with nothing given but the state and a free port, and what deploy/up said."""
    directory = Path(tempfile.mkdtemp(prefix="pse2e-", dir="/tmp"))
    try:
        done = up("--state", directory / "state", "--listen", "127.0.0.1:0", "--detach")
        assert done.returncode == 0, done.stderr
        made = Deployment(json.loads(done.stdout))
        made.said = done
        yield made
        made.down()
    finally:
        down(directory / "state")
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def place():
    """A directory with a short path, for the state of an installation."""
    directory = Path(tempfile.mkdtemp(prefix="pse2e-", dir="/tmp"))
    yield directory
    for state in directory.iterdir():
        if (state / "pids").is_dir():
            down(state)
    shutil.rmtree(directory, ignore_errors=True)
