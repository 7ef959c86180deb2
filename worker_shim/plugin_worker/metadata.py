"""What a plugin's instance tells of itself, with the manifest for what it leaves empty."""

import json

from .json_values import NotJson, to_json

_TEXTS = ("name", "version", "description", "author", "help_url")
# Attribute names of each JSON member, in order of preference.
_LISTS = {"fields_json": ("fields",), "actions_json": ("actions",)}
_OBJECTS = {
    "ui_schema_json": ("ui_schema", "ui"),
    "navigation_json": ("navigation",),
    "pages_json": ("pages",),
    "permissions_json": ("permissions",),
}


class Metadata:
    """The facts as the link carries them, and the values the context needs.

    What cannot be had is a warning and falls back to the manifest: a plugin
    whose `fields` property raises is still a plugin.
    """

    def __init__(self, instance, manifest, fallback_name):
        self.warnings = []
        self.facts = {}
        self.values = {}
        for name in _TEXTS:
            value = self._attribute(instance, (name,))
            text = "" if value is None or callable(value) else self._text(name, value)
            self.facts[name] = text or manifest.get(name, "")
        self.facts["name"] = self.facts["name"] or fallback_name
        for member, names in _LISTS.items():
            self._list(member, names[0], self._attribute(instance, names), manifest)
        for member, names in _OBJECTS.items():
            self._object(member, names[0], self._attribute(instance, names), manifest)

    def _attribute(self, instance, names):
        for name in names:
            try:
                value = getattr(instance, name, None)
            except BaseException as error:  # A property may do anything.
                self.warnings.append(f"{name}: raised {type(error).__name__}: {error}")
                continue
            if value is not None:
                return value
        return None

    def _text(self, name, value):
        try:
            return value if isinstance(value, str) else str(value)
        except BaseException as error:
            self.warnings.append(f"{name}: raised {type(error).__name__}: {error}")
            return ""

    def _list(self, member, name, value, manifest):
        entries = []
        if isinstance(value, (list, tuple)):
            for index, entry in enumerate(value):
                if self._encoded(entry, f"{name}[{index}]") is not None:
                    entries.append(entry)
        elif value is not None and not callable(value):
            self.warnings.append(f"{name}: expected a list, got {type(value).__name__}")
        self._settle(member, name, entries, manifest)

    def _object(self, member, name, value, manifest):
        kept = None
        if isinstance(value, dict):
            if self._encoded(value, name) is not None:
                kept = value
        elif value is not None and value is not False and not callable(value):
            self.warnings.append(f"{name}: expected a dict, got {type(value).__name__}")
        self._settle(member, name, kept, manifest)

    def _settle(self, member, name, value, manifest):
        text = to_json(value, name) if value else manifest.get(member, "").encode("utf-8")
        self.facts[member] = text
        # Decoded again: a copy that nothing else changes, whichever it came from.
        self.values[name] = json.loads(text) if text else None

    def _encoded(self, value, path):
        try:
            return to_json(value, path)
        except NotJson as error:
            self.warnings.append(str(error))
            return None
