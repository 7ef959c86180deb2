"""The `context` of a call: what a plugin is given besides its parameters."""

import json

from .json_values import to_json
from .log_capture import plugin_logger


class ContextSource:
    """Makes a context per call from what is known now.

    Each call gets dicts of its own, so that a plugin that changes them changes
    nothing for the next call. Replaced values are swapped as a whole: calls on
    several threads read while the settings change.
    """

    def __init__(self, key, link):
        self._key = key
        self._link = link
        self._stored = {}
        self._defaults = {}
        self._actions = {}
        self._settings = ({}, None)
        self._common = {}
        self._logger = plugin_logger(key)

    @property
    def actions(self):
        """The actions by their id."""
        return self._actions

    @property
    def logger(self):
        """The plugin's logger."""
        return self._logger

    def set_metadata(self, metadata):
        """Takes over what the plugin tells of itself."""
        fields = metadata.values["fields"] or []
        self._defaults = {
            field["id"]: field["default"]
            for field in fields
            if isinstance(field, dict) and isinstance(field.get("id"), str) and "default" in field
        }
        self._actions = {
            action["id"]: action
            for action in metadata.values["actions"] or []
            if isinstance(action, dict) and isinstance(action.get("id"), str)
        }
        plugin = {"key": self._key, **_texts(metadata), **metadata.values}
        self._common = {
            "logger": self._logger,
            "plugin": plugin,
            "ui_schema": metadata.values["ui_schema"],
            "emit_event": self.emit_event,
            "progress": self.progress,
            "cancelled": self.cancelled,
            "job_id": None,
        }
        self._merge()

    def set_settings(self, settings_json):
        """Takes over the stored settings."""
        stored = json.loads(settings_json) if settings_json else {}
        self._stored = stored if isinstance(stored, dict) else {}
        self._merge()

    def _merge(self):
        merged = {**self._defaults, **self._stored}
        simple = all(not isinstance(value, (dict, list)) for value in merged.values())
        # Nested values are decoded anew for each call, so that no two share one.
        self._settings = (merged, None if simple else json.dumps(merged))

    def make(self, call_id=None, job_id=""):
        """A context for one call, or for stop()."""
        merged, nested = self._settings
        context = self._common.copy()
        context["settings"] = merged.copy() if nested is None else json.loads(nested)
        context["actions"] = self._actions.copy()
        context["files"] = {}
        if call_id is not None:
            is_cancelled = self._link.is_cancelled
            context["cancelled"] = lambda: is_cancelled(call_id)
            tell = self._link.progress
            context["progress"] = lambda fraction, message="": tell(
                call_id, fraction, message if isinstance(message, str) else str(message)
            )
            context["job_id"] = job_id or None
        return context

    def emit_event(self, name, payload=None):
        """Broadcasts a plugin event. Raises when it cannot be JSON or is too large."""
        if not isinstance(name, str):
            raise TypeError("the name of an event must be a string")
        text = to_json({} if payload is None else payload, "payload")
        limit = self._link.max_result_bytes()
        if len(text) > limit:
            raise ValueError(f"the payload has {len(text)} bytes; the limit is {limit}")
        self._link.emit(name, text)

    def progress(self, fraction, message=""):
        """Of a call: tells how far it is, from 0 to 1. Cheap: only some of it is sent."""

    def cancelled(self):
        """Whether the caller has given the action up."""
        return False


def _texts(metadata):
    return {name: text for name, text in metadata.facts.items() if isinstance(text, str)}
