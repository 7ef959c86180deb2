"""Attempts that are made by a plugin, in a sandbox as it comes without flags."""

from .installation import FULL_SANDBOX

KEY = "attempts"


def attempts_in(installation, *terms, runtime=None, **flags):
    """A function that makes attempts in a plugin that was granted so much."""
    installation.install("hostile/attempts", KEY)
    if runtime:
        manifest = {"name": "Attempts", "permissions": {"runtime": runtime}}
        installation.write(KEY, manifest=manifest)
    installation.start_supervisor(**{**FULL_SANDBOX, **flags})
    if terms:
        installation.ctl("permissions", "grant", KEY, *terms).ok()
    installation.ctl.enable(KEY)
    return lambda name, /, **params: installation.ctl.result(KEY, name, params)
