"""Every attempt of the battery, at every tier that this machine can show, with the error that it
must fail with; outside of a sandbox, where it must not; and with its protection off, where it does
not.

The table in deploy/docs/security.md is written from the same runs: tests/attack_table.py."""

import pytest

from harness import attack_table, attack_tiers
from harness.attack_tiers import (
    ATTEMPTS,
    ROOT_ALREADY,
    SUPERVISOR,
    TIERS,
    UNPROTECTED,
    is_hosts_matter,
    without,
)

PLUGINS = ["samples/hello"]
# The PID namespace is made wherever it can be: plugins are ended by its end.
SWITCHABLE = """no_new_privileges no_capabilities not_dumpable user files ports scope system_calls
root ipc host_name groups network""".split()


# What nothing else stops at the full tier, and every kernel has. Of the others two protections stop
# each.
FILTER = set(
    """type_into_terminal type_into_terminal_wide paste_into_terminal make_set_user_id leave_parent
    hide_flags become_subreaper become_dumpable keyctl add_key personality netlink_socket""".split()
)
ALONE = {
    "no_new_privileges": FILTER | {"execute", "listen"},  # Landlock and the filter need it.
    "system_calls": FILTER,
    "user": {"seen_by_own_user"},
    "ports": {"listen"},
    "root": {"map_executable", "message_bus", "database_socket"},
    "host_name": {"see_host_name"},
    "groups": {"see_control_group"},
}


@pytest.fixture(scope="module")
def seen(postgres):
    """What came of a tier; looked at once."""
    known = {}

    def of(tier):
        if tier.name not in known:
            known[tier.name] = attack_tiers.look(postgres, tier)
        return known[tier.name]

    return of


@pytest.fixture(scope="module")
def control(installation, ctl):
    installation.install("samples/hello", "sibling")
    ctl("reload").ok()
    ctl.enable("hello", "sibling")
    return attack_tiers.outside(installation, "hello", "sibling")


@pytest.fixture(params=TIERS, ids=lambda tier: tier.name, scope="module")
def tier(request, seen):
    return seen(request.param)


def by_name(attempt):
    return attempt.name


def no_capability_to_leave(attempt, outcomes):
    errors = {b.error for b in attempt.barriers if b.protection == "no_capabilities"}
    return any(outcome in attack_tiers.names(errors) for outcome in outcomes)


def refused_by_the_supervisor(attempt):
    return any(barrier.name == SUPERVISOR for barrier in attempt.barriers)


def test_every_tier_is_what_it_is_to_be(seen):
    full, poorer, container, user, unprivileged = (seen(tier) for tier in TIERS)
    assert {"root", "network", "processes", "user", "files"} <= full.known
    # Where plugins have user ids of their own none is missed.
    assert poorer.known == full.known
    assert container.known.isdisjoint({"root", "network", "processes", "ipc", "groups"})
    assert {"user", "files", "ports", "scope", "system_calls"} <= container.known
    assert "user" not in user.known and {"privileges", "root", "network"} <= user.known
    assert "user" not in unprivileged.known and "files" in unprivileged.known


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=by_name)
def test_at_each_tier(tier, attempt):
    row = tier.rows[attempt.name]
    assert tier.is_as_expected(attempt), (row, tier.expected(attempt))
    assert row["verdict"] != "open"


def test_no_tier_lets_through_what_it_is_to_stop(tier):
    assert tier.code == 0 and tier.answer["success"] is True
    assert [row for row in tier.rows.values() if row["verdict"] in ("open", "unclear")] == []


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=by_name)
def test_outside_it_is_not_stopped(control, attempt):
    outcome = control[attempt.name]
    if is_hosts_matter(attempt, outcome):
        pytest.skip(f"this host itself says {outcome}")
    if outcome == ROOT_ALREADY:
        pytest.skip(outcome)
    if attempt.name == "sibling_socket":
        assert outcome == "ECONNRESET", "it is for that worker alone"
        return
    assert outcome == "done" or outcome in attack_tiers.names(attempt.through), outcome


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=by_name)
def test_without_protections_it_is_not_stopped(seen, attempt):
    outcomes = [seen(tier).rows[attempt.name]["outcome"] for tier in UNPROTECTED]
    if refused_by_the_supervisor(attempt):
        assert set(outcomes) == {"ECONNRESET"}
        return
    through = {"done", *attack_tiers.names(attempt.through)}
    if not through.isdisjoint(outcomes):
        return
    if any(is_hosts_matter(attempt, outcome) for outcome in outcomes):
        pytest.skip(f"this host itself says {outcomes}")
    if ROOT_ALREADY in outcomes:
        pytest.skip(ROOT_ALREADY)
    # A supervisor keeps few capabilities, and leaves no worker more.
    assert no_capability_to_leave(attempt, outcomes), outcomes
    pytest.skip(f"the supervisor itself has no capability for it: {outcomes}")


@pytest.mark.parametrize("protection", SWITCHABLE)
def test_with_one_protection_off_what_it_alone_stops_is_not_stopped(seen, protection):
    poorer, full = seen(without(protection)), seen(TIERS[0])
    wrong = [
        (attempt.name, poorer.rows[attempt.name]["outcome"], poorer.expected(attempt))
        for attempt in ATTEMPTS
        if not poorer.is_as_expected(attempt)
        and poorer.rows[attempt.name]["outcome"] != ROOT_ALREADY
    ]
    assert wrong == []
    opened = {
        attempt.name
        for attempt in ATTEMPTS
        if not attempt.host_may
        and full.rows[attempt.name]["verdict"] == "blocked"
        and poorer.rows[attempt.name]["verdict"] == "unprotected"
    }
    # What the supervisor has itself its workers cannot go without.
    assert opened == (set() if protection in poorer.known else ALONE.get(protection, set()))


def test_the_table_in_the_documentation_is_what_is_seen(seen):
    kept, made = attack_table.kept_rows(), attack_table.rows([seen(tier) for tier in TIERS])
    assert kept == made, "write it anew: /usr/bin/python3 tests/attack_table.py"
