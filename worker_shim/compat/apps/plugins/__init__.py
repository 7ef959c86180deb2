"""Stands for the host's plugins app: only `apps.plugins.models` is here."""
