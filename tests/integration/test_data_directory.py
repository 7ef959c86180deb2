"""A plugin's data directory: its quota, and that nothing written there is run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.ctl import FAILED
from harness.installation import FULL_SANDBOX, WITHOUT_NAMESPACES
from harness.waiting import eventually

MIB = 1 << 20
FLAGS = {
    **FULL_SANDBOX,
    "disk_limit": "16m",
    "restart_first_delay": "50ms",
    "quarantine_after": "0",
}
KEY = "fills_disk"


@pytest.fixture
def ctl(fresh):
    fresh.install("hostile/fills_disk")
    fresh.start_supervisor(**FLAGS)
    fresh.ctl.enable(KEY)
    return fresh.ctl


def data_of(installation, key=KEY) -> Path:
    return installation.runtime_dir / "data" / key


def size_of(directory: Path) -> int:
    """What du says: allocated blocks, each file once."""
    told = subprocess.run(["du", "-s", "-B1", directory], capture_output=True, text=True)
    return int(told.stdout.split()[0])


def disk_of(ctl, key=KEY) -> dict:
    return ctl("limits", key).ok()["limits"]["disk_bytes"]


def await_used(ctl, least: int, most: int) -> dict:
    def measured():
        disk = disk_of(ctl)
        return disk if least <= (disk["used"] or 0) <= most else None

    return eventually(measured, f"between {least} and {most} bytes are used")


def test_the_limit_is_shown_with_what_sees_to_it_and_what_is_used(fresh, ctl):
    disk = await_used(ctl, 0, MIB)
    assert disk["limit"] == 16 * MIB and disk["by"] == "measuring" and not disk["full"]
    assert ctl.result(KEY, "single", {"mebibytes": 5}) == {"written": 5, "refused": None}
    await_used(ctl, 5 * MIB, 6 * MIB)
    shown = ctl.human("limits", KEY).stdout
    assert "disk" in shown and "measuring" in shown and "16m" in shown


def test_one_file_never_outgrows_the_limit(fresh, ctl):
    assert ctl.result(KEY, "single") == {"written": 16, "refused": "EFBIG"}
    assert size_of(data_of(fresh)) < 17 * MIB


def test_many_files_are_refused_growth_and_the_plugin_lives_and_cleans_up(fresh, ctl):
    before = ctl.worker(KEY)["generation"]
    filled = ctl.result(KEY, "whole")
    assert filled["refused"] == "EFBIG" and filled["written"] < 1024
    ctl.await_log(KEY, "its data directory is full: it may take 16.0 MiB")
    assert disk_of(ctl)["full"]
    assert "full" in ctl.human("limits", KEY).stdout
    grown = size_of(data_of(fresh))
    assert ctl.result(KEY, "whole") == {"written": 0, "refused": "EFBIG"}
    assert ctl.result(KEY, "child") == {"refused": "EFBIG"}
    assert size_of(data_of(fresh)) < grown + 2 * MIB
    ctl.result(KEY, "remove")
    ctl.await_log(KEY, "has room again")
    assert not disk_of(ctl)["full"]
    assert ctl.result(KEY, "single", {"mebibytes": 5}) == {"written": 5, "refused": None}
    assert ctl.worker(KEY)["generation"] == before


def test_a_plugin_that_looks_at_no_error_fails_with_a_hint(fresh, ctl):
    failed = ctl.run(KEY, "careless")
    assert (failed.code, failed.data["code"]) == (FAILED, "plugin_raised")
    assert "File too large" in failed.data["error"]
    assert "pluginctl limits --disk" in failed.data["hint"]


def test_a_child_is_refused_growth_as_well(fresh, ctl):
    assert ctl.result(KEY, "child") == {"refused": "EFBIG"}
    assert disk_of(ctl)["full"]


def test_it_starts_with_a_full_directory_and_cleans_it_up(fresh, ctl):
    assert ctl.result(KEY, "whole")["refused"] == "EFBIG"
    grown = size_of(data_of(fresh))
    ctl("restart", KEY).ok()
    eventually(lambda: disk_of(ctl)["full"], "it is measured again")
    assert ctl.result(KEY, "whole") == {"written": 0, "refused": "EFBIG"}
    assert size_of(data_of(fresh)) < grown + 2 * MIB
    ctl.result(KEY, "remove")
    eventually(lambda: not disk_of(ctl)["full"], "there is room again")
    assert ctl.result(KEY, "single", {"mebibytes": 5})["refused"] is None


def test_another_supervisor_goes_on_with_what_it_finds(fresh, ctl):
    assert ctl.result(KEY, "whole")["refused"] == "EFBIG"
    pid = ctl.worker(KEY)["pid"]
    fresh.kill_supervisor()
    fresh.start_supervisor(**FLAGS)
    eventually(lambda: ctl.worker(KEY)["state"] == "running", "it is taken over")
    assert ctl.worker(KEY)["pid"] == pid
    eventually(lambda: disk_of(ctl)["full"], "it is measured")
    assert ctl.result(KEY, "whole") == {"written": 0, "refused": "EFBIG"}
    ctl.result(KEY, "remove")
    eventually(lambda: not disk_of(ctl)["full"], "there is room again")
    assert ctl.result(KEY, "single", {"mebibytes": 5})["refused"] is None


def test_holes_take_nothing_and_a_file_of_holes_has_its_bound(fresh, ctl):
    assert ctl.result(KEY, "sparse") == {"refused": "EFBIG"}
    assert ctl.result(KEY, "sparse", {"mebibytes": 15}) == {"blocks": 0}
    await_used(ctl, 1, MIB)


@pytest.mark.parametrize("way", ["mapped", "empty"])
def test_what_grows_at_the_limit_nevertheless_is_ended_and_may_clean_up(fresh, ctl, way):
    ended = ctl.run(KEY, way)
    assert (ended.code, ended.data.get("code")) == (FAILED, "disk_limit"), ended
    assert "grew on at its limit" in ended.data["error"] and "--disk" in ended.data["hint"]
    assert size_of(data_of(fresh)) < 512 * MIB
    worker = ctl.await_state(KEY, "running")
    assert worker["last_crash"]["code"] == "disk_limit"
    # It is no crash loop: a start with a full directory is a start.
    eventually(lambda: disk_of(ctl)["full"], "it is measured again")
    assert ctl.result(KEY, "single", {"mebibytes": 1})["refused"] == "EFBIG"
    ctl.result(KEY, "remove")
    eventually(lambda: not disk_of(ctl)["full"], "there is room again")
    assert ctl.worker(KEY)["generation"] == worker["generation"]


def test_directories_too_deep_to_be_measured_are_not_borne(fresh, ctl):
    ctl.run(KEY, "nested", {"depth": 300})
    crash = eventually(lambda: ctl.worker(KEY)["last_crash"], "it is ended")
    assert crash["code"] == "disk_limit" and "128 levels" in crash["message"]


def test_a_file_with_many_names_counts_once(fresh, ctl):
    ctl.result(KEY, "linked", {"mebibytes": 5, "names": 100})
    await_used(ctl, 5 * MIB, 6 * MIB)


@pytest.mark.parametrize("mapped", [False, True], ids=["open", "mapped"])
def test_what_was_removed_counts_while_it_is_held(fresh, ctl, mapped):
    ctl.result(KEY, "unlinked", {"mebibytes": 6, "mapped": mapped})
    await_used(ctl, 6 * MIB, 7 * MIB)
    assert size_of(data_of(fresh)) < MIB
    ctl.result(KEY, "remove")
    await_used(ctl, 0, MIB)


def test_a_plugin_may_have_a_limit_of_its_own_or_none(fresh, ctl):
    ctl("limits", KEY, "--disk", "24m", "--now").ok()
    assert disk_of(ctl)["limit"] == 24 * MIB
    assert ctl.result(KEY, "single")["written"] == 24
    ctl("limits", KEY, "--disk", "none", "--now").ok()
    assert disk_of(ctl) == {"limit": None, "by": "none", "used": None, "full": False}
    assert ctl.result(KEY, "single", {"mebibytes": 40}) == {"written": 40, "refused": None}
    ctl("permissions", "grant", KEY, "limits.disk_mb=20").ok()
    ctl("limits", KEY, "--disk", "default", "--now").ok()
    assert disk_of(ctl)["limit"] == 20 * MIB
    assert ctl("limits", KEY, "--disk", "100").data["code"] == "invalid_request"


def test_where_it_was_granted_to_write_its_files_may_be_larger(fresh, ctl):
    shared = fresh.directory / "shared"
    shared.mkdir()
    os.chown(shared, 4711, 4712)
    ctl("permissions", "grant", KEY, f"filesystem.write={shared}", "--now").ok()
    big = ctl.result(KEY, "single", {"path": f"{shared}/big", "mebibytes": 40})
    assert big == {"written": 40, "refused": None}
    assert not disk_of(ctl)["full"]
    assert ctl.result(KEY, "whole")["refused"] == "EFBIG"


def test_without_groups_and_namespaces_it_is_enforced_too(fresh):
    fresh.supervisor_prefix = WITHOUT_NAMESPACES
    fresh.install("hostile/fills_disk")
    fresh.start_supervisor(**FLAGS, limit_mechanism="sampling")
    fresh.ctl.enable(KEY)
    ctl = fresh.ctl
    assert ctl.result(KEY, "whole")["refused"] == "EFBIG"
    assert ctl.run(KEY, "empty").data.get("code") == "disk_limit"
    ctl.await_state(KEY, "running")
    ctl.result(KEY, "remove")
    eventually(lambda: not disk_of(ctl)["full"], "there is room again")
    assert ctl.result(KEY, "single", {"mebibytes": 5})["refused"] is None


def test_its_tmp_has_a_number_of_files(fresh, ctl):
    pid = ctl.worker(KEY)["pid"]
    status = os.statvfs(f"/proc/{pid}/root/tmp")
    assert status.f_files == 256 * MIB // 4096


# A fork and an interpreter of its own, with a root of its own and without.
TIERS = {
    "root": ("all=preferred", ()),
    "landlock": ("root=off", ()),
    "nothing": ("all=off", ()),
    "container": ("all=preferred", WITHOUT_NAMESPACES),
}
MANIFEST = {"fork": None, "exec": {"runtime": {"python": sys.executable}}}


def _take_away_from_hosts_tmp(written):
    """Without a /tmp of its own a plugin writes into everybody's. No interpreter looks there for
    code unless somebody runs a script that is in it."""
    for path in map(Path, written):
        if path.parent == Path("/tmp") and path.exists() and "planted" in path.read_text():
            path.unlink()


@pytest.mark.parametrize("launch", MANIFEST)
@pytest.mark.parametrize("tier", TIERS)
def test_nothing_that_it_writes_is_run_at_its_next_start(fresh, tier, launch):
    sandbox, fresh.supervisor_prefix = TIERS[tier]
    fresh.install("hostile/plants_code")
    if MANIFEST[launch]:
        manifest = {"name": "Plants code", "permissions": MANIFEST[launch]}
        fresh.write("plants_code", manifest=manifest)
    fresh.start_supervisor(**{**FULL_SANDBOX, "sandbox": sandbox})
    ctl = fresh.ctl
    ctl.enable("plants_code")
    before = ctl.result("plants_code", "found")
    written = ctl.result("plants_code", "plant")["written"]
    _take_away_from_hosts_tmp(written)
    data = str(data_of(fresh, "plants_code"))
    assert {f"{data}/sitecustomize.py", f"{data}/planted.pth"} <= set(written)
    if tier == "nothing":
        # There its code is its own to write as well, which the protection "files" is for.
        code = fresh.plugins_dir / "plants_code"
        for name in ("__init__.py", "colorsys.py"):
            (code / name).unlink()
    ctl("restart", "plants_code").ok()
    after = ctl.result("plants_code", "found")
    assert after["ran"] == []
    assert after["from"] == before["from"] and after["path"] == before["path"]
    assert not [path for path in after["path"] if path.startswith(data) or path in ("", ".")]
