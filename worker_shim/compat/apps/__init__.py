"""Stands for the host's apps where there is no host: only `apps.plugins` is here."""
