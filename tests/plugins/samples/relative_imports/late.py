"""Imported when an action runs."""

ANSWER = 42
