"""One installation for the session, made by deploy/up with the sample plugins."""

import shutil
import tempfile
from pathlib import Path

import pytest

from harness.deployment import Deployment, down
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


@pytest.fixture
def place():
    """A directory with a short path, for the state of an installation."""
    directory = Path(tempfile.mkdtemp(prefix="pse2e-", dir="/tmp"))
    yield directory
    for state in directory.iterdir():
        if (state / "pids").is_dir():
            down(state)
    shutil.rmtree(directory, ignore_errors=True)
