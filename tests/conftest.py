"""One PostgreSQL for the whole session; one supervisor for each module.

A test module names the plugins it wants as PLUGINS = ["samples/x", ...] and the
supervisor's flags as FLAGS = {"call_timeout": "2s"}; a function
prepare(installation) writes plugins of the module's own. All may be left out.
"""

import pytest

from harness.installation import Installation
from harness.postgres import Postgres


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Shows what the daemons of a failed test said."""
    outcome = yield
    report = outcome.get_result()
    if report.passed:
        return
    for name in ("installation", "fresh"):
        for daemon in getattr(item.funcargs.get(name), "daemons", ()):
            report.sections.append((f"log of {daemon.name} ({daemon.pid})", daemon.log_tail()))


@pytest.fixture(scope="session")
def postgres():
    server = Postgres()
    yield server
    server.close()


@pytest.fixture(scope="module")
def installation(request, postgres):
    """The module's installation, its supervisor running."""
    made = Installation(postgres)
    try:
        for source in getattr(request.module, "PLUGINS", ()):
            made.install(source)
        getattr(request.module, "prepare", lambda _: None)(made)
        made.start_supervisor(**getattr(request.module, "FLAGS", {}))
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def ctl(installation):
    return installation.ctl


@pytest.fixture
def fresh(postgres):
    """An installation for one test, with nothing running yet."""
    made = Installation(postgres)
    try:
        yield made
    finally:
        made.close()
