"""Stands for the host's core app: only `core.utils` is here."""
