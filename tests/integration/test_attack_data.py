"""Names that lead elsewhere: what a plugin, or what an archive with a plugin in it, may try with links
and with files that are swapped."""

import pytest

from harness.installation import FULL_SANDBOX

FLAGS, OTHER_USERS = FULL_SANDBOX, "1879113728-1879179263"

LINKS = """
import os
class Plugin:
    def run(self, action, params, context):
        if action == "link":
            os.symlink(params["to"], "link")
            os.symlink(os.path.dirname(params["to"]), "directory")
        if action == "file":
            path = os.path.abspath("link")
            download = {"filename": "x", "url": "file://" + path}
            return {"status": "ok", "file": path, "download": download}
        if action == "read":
            return {"got": open(params["path"]).read()}
        return {"status": "ok"}
"""
# No Python: an error message may quote the line.
SECRET = "the password is hunter2\n"


@pytest.fixture
def secret(fresh):
    path = fresh.directory / "secret"
    path.write_text(SECRET)
    path.chmod(0o600)
    return path


def test_a_link_in_its_data_leads_nobody_to_a_file_of_the_host(fresh, secret):
    fresh.write("links", LINKS)
    fresh.start_supervisor(**FLAGS)
    fresh.ctl.enable("links")
    data = fresh.runtime_dir / "data/links"
    fresh.ctl.result("links", "link", {"to": str(secret)})
    assert (data / "link").is_symlink()
    rest = fresh.start_gateway().rest
    body = rest.run("links", "file").body.decode()
    assert "hunter2" not in body and str(data / "link") in body
    assert "hunter2" not in fresh.ctl("show", "links").text
    # Its data is given to another user: the links are, not what they lead to.
    fresh.supervisor.terminate()
    before = (secret.stat(), fresh.directory.stat())
    fresh.sql("DELETE FROM supervisor_plugin_users")
    fresh.start_supervisor(**{**FLAGS, "plugin_users": OTHER_USERS})
    fresh.ctl.await_state("links", "running")
    assert (data / "link").lstat().st_uid >= 1879113728
    after = (secret.stat(), fresh.directory.stat())
    assert [(s.st_uid, s.st_mode) for s in after] == [(s.st_uid, s.st_mode) for s in before]


def test_code_that_is_a_link_to_a_file_of_the_host_shows_nothing_of_it(fresh, secret):
    directory = fresh.plugins_dir / "linked"
    directory.mkdir()
    for name in ("plugin.py", "plugin.json", "logo.png", "__init__.py"):
        (directory / name).symlink_to(secret)
    fresh.start_supervisor(**FLAGS)
    assert "hunter2" not in fresh.ctl("list").text + fresh.ctl("show", "linked").text
    answer = fresh.ctl("enable", "linked")
    assert answer.code != 0
    told = answer.text + answer.err + fresh.ctl("show", "linked").text + fresh.supervisor.log()
    assert "hunter2" not in told + "".join(fresh.ctl.log_texts("linked"))


def test_files_swapped_after_consent_get_what_was_granted(fresh, secret):
    asked = {"permissions": {"environment": ["TZ"]}}
    fresh.write("swapped", LINKS, manifest={"name": "Swapped", **asked})
    fresh.start_supervisor(**FLAGS)
    fresh.ctl("enable", "swapped", "--grant").ok()
    more = {
        "filesystem": {"read": [str(fresh.directory)]}, "network": {"outbound": ["*"]},
        "exec": ["true"],
    }  # fmt: skip
    for verb in ("restart", "reload"):
        fresh.write("swapped", LINKS + f"\n# {verb}\n", manifest={"name": verb, "permissions": more})
        fresh.ctl(verb, "swapped").ok()
        shown = fresh.ctl.show("swapped")
        assert shown["permissions"]["granted"] == {"environment": ["TZ"]}
        assert shown["worker"]["sandbox"]["protections"]["network"]["in_force"]
        read = fresh.ctl.run("swapped", "read", {"path": str(secret)})
        assert "hunter2" not in read.text and read.code != 0


def test_code_that_was_swapped_for_a_link_is_not_loaded(fresh, secret):
    fresh.write("swapped", LINKS)
    fresh.start_supervisor(**FLAGS)
    fresh.ctl.enable("swapped")
    secret.write_text("class Plugin:\n    def run(self, *_):\n        return {'got': 'hunter2'}\n")
    code = fresh.plugins_dir / "swapped/plugin.py"
    code.unlink()
    code.symlink_to(secret)
    assert fresh.ctl("restart", "swapped").code != 0
    fresh.ctl.await_state("swapped", "load_failed")
    assert "hunter2" not in fresh.ctl.run("swapped", "x").text


@pytest.fixture
def shared(fresh, secret):
    """A directory that one plugin may write, and below it one that another was granted."""
    exports = fresh.directory / "exports"
    (exports / "logos").mkdir(parents=True)
    exports.chmod(0o777)
    hidden = fresh.directory / "hidden"
    hidden.mkdir(mode=0o700)
    secret.rename(hidden / "secret")
    fresh.write("swaps", SWAPS)
    fresh.write("reads", SWAPS)
    fresh.start_supervisor(**FLAGS)
    fresh.ctl("permissions", "grant", "swaps", f"filesystem.write={exports}").ok()
    return exports


SWAPS = """
import os
class Plugin:
    def run(self, action, params, context):
        if action == "swap":
            os.rename(params["path"], params["path"] + ".old")
            os.symlink(params["to"], params["path"])
            return {"status": "ok"}
        if action == "list":
            return {"got": sorted(os.listdir(params["path"]))}
        return {"got": open(params["path"]).read()}
"""


def test_a_link_in_place_of_what_was_granted_does_not_become_the_plugins_own(fresh, shared):
    """What another owns was shown to a plugin as its own, whatever was there by then."""
    logos = shared / "logos"
    (logos / "logo").write_text("x")
    logos.chmod(0o700)
    fresh.ctl("permissions", "grant", "reads", f"filesystem.read={logos}").ok()
    fresh.ctl.enable("swaps", "reads")
    assert fresh.ctl.result("reads", "list", {"path": str(logos)}) == {"got": ["logo"]}
    fresh.ctl.result("swaps", "swap", {"path": str(logos), "to": "../hidden"})
    fresh.ctl("restart", "reads").ok()
    assert "hunter2" not in fresh.ctl.run("reads", "read", {"path": str(logos / "secret")}).text
    assert fresh.ctl.run("reads", "list", {"path": str(logos)}).code != 0


def test_a_root_that_cannot_be_completed_shows_nothing_of_the_hosts(fresh, shared):
    logos = shared / "logos"
    both = f"filesystem.write={shared}", f"filesystem.write={logos}"
    fresh.ctl("permissions", "grant", "reads", *both).ok()
    fresh.ctl.enable("swaps", "reads")
    fresh.ctl.result("swaps", "swap", {"path": str(logos), "to": "../hidden"})
    # Landlock would refuse it as well.
    fresh.ctl("limits", "reads", "--sandbox", "files=off", "--now").ok()
    fresh.ctl.await_state("reads", "running")
    answer = fresh.ctl.run("reads", "list", {"path": "/.host"})
    assert answer.code != 0 and '"got"' not in answer.text
