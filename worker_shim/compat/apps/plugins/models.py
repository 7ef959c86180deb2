"""`from apps.plugins.models import PluginConfig, PluginData`, without Django.

Rows are read and written by the supervisor. A plugin reads and writes its own settings and its own
collections; of other plugins it sees that they are there and whether they are enabled.
"""

import datetime

from plugin_worker import _native, host

__all__ = ["PluginConfig", "PluginData"]


class ObjectDoesNotExist(Exception):
    """No row matched."""


class MultipleObjectsReturned(Exception):
    """More than one row matched where one was asked for."""


def _time(text):
    return datetime.datetime.fromisoformat(text) if text else None


def _own(plugin_key):
    """The supervisor has the last word; this names the mistake before a round trip."""
    if plugin_key != host.plugin_key():
        raise host.HostCallFailed(
            "permission_denied",
            f"plugin {host.plugin_key()!r} may not use the data of plugin {plugin_key!r}",
            f"Use its own key, {host.plugin_key()!r}.",
        )


class Rows(list):
    """Rows that were read, with the few methods of a QuerySet that make sense on them."""

    model = None

    def all(self):
        """The same rows."""
        return self

    def first(self):
        """The first row, or None."""
        return self[0] if self else None

    def last(self):
        """The last row, or None."""
        return self[-1] if self else None

    def exists(self):
        """Whether there is any."""
        return bool(self)

    def count(self, *value):
        """How many rows there are."""
        return list.count(self, *value) if value else len(self)

    def filter(self, **wanted):
        """Those whose fields equal what is wanted."""
        return self._made(row for row in self if row._matches(wanted))

    def exclude(self, **unwanted):
        """Those that filter() would leave out."""
        return self._made(row for row in self if not row._matches(unwanted))

    def get(self, **wanted):
        """The one row that matches; raises DoesNotExist or MultipleObjectsReturned."""
        found = self.filter(**wanted) if wanted else self
        if len(found) > 1:
            raise MultipleObjectsReturned(f"{len(found)} rows match {wanted}")
        if not found:
            raise self.model.DoesNotExist(f"no row matches {wanted}")
        return found[0]

    def order_by(self, *names):
        """Sorted by fields; "-name" is descending."""
        rows = list(self)
        for name in reversed(names):
            rows.sort(key=lambda row: getattr(row, name.lstrip("-")), reverse=name[0] == "-")
        return self._made(rows)

    def values_list(self, *names, flat=False):
        """Tuples of fields, or with `flat` the values of the only one."""
        if flat:
            return [getattr(row, names[0]) for row in self]
        return [tuple(getattr(row, name) for name in names) for row in self]

    def values(self, *names):
        """Dicts of fields."""
        return [{name: getattr(row, name) for name in names} for row in self]

    def update(self, **values):
        """Stores the values in each row. The number of rows."""
        for row in self:
            for name, value in values.items():
                setattr(row, name, value)
            row.save(update_fields=list(values))
        return len(self)

    def _made(self, rows):
        made = Rows(rows)
        made.model = self.model
        return made

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        raise host.NotSupported(f"{name}() of a QuerySet")


def _rows(model, rows):
    made = Rows(rows)
    made.model = model
    return made


class _Row:
    def _matches(self, wanted):
        for name, value in wanted.items():
            name = {"pk": "id"}.get(name, name)
            field, _, lookup = name.partition("__")
            if lookup == "key" and field == "plugin":
                field, lookup = "plugin_key", ""
            if lookup not in ("", "exact", "in") or field.startswith("_"):
                raise host.NotSupported(f"filter({name}=...)")
            if not hasattr(self, field):
                raise TypeError(f"{type(self).__name__} has no field {field!r}")
            have = getattr(self, field)
            if (have not in value) if lookup == "in" else (have != value):
                return False
        return True

    @property
    def pk(self):
        """The id."""
        return self.id

    def __eq__(self, other):
        return type(other) is type(self) and other.id == self.id

    def __hash__(self):
        return hash(self.id)


class _Manager:
    def __init__(self, what):
        self._what = what

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        raise host.NotSupported(f"{self._what}.objects.{name}()")


class _PluginConfigs(_Manager):
    def get(self, **wanted):
        """The row that matches; by its key, it has its settings when it is the plugin's own."""
        if set(wanted) == {"key"}:
            return PluginConfig(_read_config(str(wanted["key"])))
        return self.all().get(**wanted)

    def filter(self, **wanted):
        """The rows whose fields equal what is wanted."""
        if set(wanted) == {"key"}:
            row = host.call(_native.HOST_METHOD_GET_CONFIG, {"key": str(wanted["key"])})
            return _rows(PluginConfig, [PluginConfig(row)] if row else [])
        return self.all().filter(**wanted)

    def all(self):
        """Every plugin, in the order of their ids."""
        rows = host.call(_native.HOST_METHOD_LIST_CONFIGS, {})
        return _rows(PluginConfig, [PluginConfig(row) for row in rows])

    def first(self):
        """The first of all()."""
        return self.all().first()

    def exists(self):
        """Whether there is any."""
        return self.all().exists()

    def count(self):
        """How many there are."""
        return self.all().count()


class PluginConfig(_Row):
    """A row of plugins_pluginconfig."""

    class DoesNotExist(ObjectDoesNotExist):
        """There is no such plugin."""

    MultipleObjectsReturned = MultipleObjectsReturned
    objects = _PluginConfigs("PluginConfig")

    def __init__(self, row):
        self.id = row.get("id")
        self.key = row["key"]
        self.name = row["name"]
        self.version = row["version"]
        self.description = row["description"]
        self.enabled = row["enabled"]
        self.ever_enabled = row["ever_enabled"]
        self._stored = {name: getattr(self, name) for name in _CONFIG_FIELDS}
        self._settings = row.get("settings")

    @property
    def settings(self):
        """The stored settings, to be changed in place or replaced; save() stores them."""
        if self._settings is None:
            if self.key == host.plugin_key():  # Read with all(), which has no settings.
                self.refresh_from_db()
                return self._settings
            raise host.HostCallFailed(
                "permission_denied",
                f"plugin {host.plugin_key()!r} may not see the settings of plugin {self.key!r}",
                "Let that plugin tell what is needed by other means.",
            )
        return self._settings

    @settings.setter
    def settings(self, value):
        self._settings = value

    def save(self, update_fields=None, **_ignored):
        """Stores the settings. Other fields belong to the host and the admin."""
        fields = set(_CONFIG_FIELDS) | {"settings"} if update_fields is None else set(update_fields)
        for name in fields - {"settings", "updated_at"}:
            if name not in self._stored:
                raise TypeError(f"PluginConfig has no field {name!r}")
            if getattr(self, name) != self._stored[name]:
                raise host.NotSupported(f"changing PluginConfig.{name} from within a plugin")
        if "settings" not in fields or self._settings is None:
            return
        _own(self.key)
        row = host.call(_native.HOST_METHOD_SAVE_CONFIG, {"settings": self._settings})
        self._settings = row["settings"]

    def refresh_from_db(self, **_ignored):
        """Reads the row again."""
        self.__init__(_read_config(self.key))

    def delete(self):
        """Rows of plugins are the host's."""
        raise host.NotSupported("PluginConfig.delete()")

    def __str__(self):
        return f"{self.name} ({self.key})"

    def __repr__(self):
        return f"<PluginConfig: {self}>"


_CONFIG_FIELDS = ("key", "name", "version", "description", "enabled", "ever_enabled")


def _read_config(key):
    row = host.call(_native.HOST_METHOD_GET_CONFIG, {"key": key})
    if row is None:
        raise PluginConfig.DoesNotExist(f"there is no plugin {key!r}")
    return row


class _PluginDatas(_Manager):
    def get_collection(self, plugin_key, collection):
        """The records of a collection, oldest first."""
        _own(plugin_key)
        rows = host.call(_native.HOST_METHOD_DATA_LIST, _place(plugin_key, collection))
        return _rows(PluginData, [PluginData(plugin_key, collection, row) for row in rows])

    def get_collection_data(self, plugin_key, collection):
        """The data of a collection, oldest first, each with its record's id as "_id"."""
        return [
            {**record.data, "_id": record.id}
            for record in self.get_collection(plugin_key, collection)
        ]

    def set_collection(self, plugin_key, collection, data_list):
        """Replaces the whole collection in one transaction. The new records."""
        _own(plugin_key)
        rows = host.call(
            _native.HOST_METHOD_DATA_SET,
            {**_place(plugin_key, collection), "items": [_data(item) for item in data_list]},
        )
        return [PluginData(plugin_key, collection, row) for row in rows]

    def add_to_collection(self, plugin_key, collection, data):
        """Adds one record, and returns it."""
        _own(plugin_key)
        row = host.call(
            _native.HOST_METHOD_DATA_ADD, {**_place(plugin_key, collection), "data": _data(data)}
        )
        return PluginData(plugin_key, collection, row)

    def update_in_collection(self, plugin_key, collection, record_id, data):
        """Replaces a record's data. The record, or None when there is none of that id."""
        _own(plugin_key)
        number = _number(record_id)
        if number is None:
            return None
        row = host.call(
            _native.HOST_METHOD_DATA_UPDATE,
            {**_place(plugin_key, collection), "id": number, "data": _data(data)},
        )
        return PluginData(plugin_key, collection, row) if row else None

    def remove_from_collection(self, plugin_key, collection, record_id):
        """Whether there was a record of that id, which is gone now."""
        _own(plugin_key)
        number = _number(record_id)
        return number is not None and host.call(
            _native.HOST_METHOD_DATA_REMOVE, {**_place(plugin_key, collection), "id": number}
        )

    def clear_collection(self, plugin_key, collection):
        """Removes all records. How many there were."""
        _own(plugin_key)
        return host.call(_native.HOST_METHOD_DATA_CLEAR, _place(plugin_key, collection))


def _place(plugin_key, collection):
    return {"plugin": plugin_key, "collection": str(collection)}


def _data(data):
    """What is stored of an item: not the id that reading it added."""
    if not isinstance(data, dict):
        raise TypeError(f"data of a collection is a dict, not {type(data).__name__}")
    return {key: value for key, value in data.items() if key != "_id"}


def _number(record_id):
    """Tables give ids back as they got them; forms give them as text."""
    try:
        number = int(record_id)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < 1 << 63 else None


class PluginData(_Row):
    """A record of a collection."""

    class DoesNotExist(ObjectDoesNotExist):
        """There is no such record."""

    MultipleObjectsReturned = MultipleObjectsReturned
    objects = _PluginDatas("PluginData")

    def __init__(self, plugin_key, collection, row):
        self.plugin_key = plugin_key
        self.collection = collection
        self.id = row["id"]
        self.data = row["data"]
        self.created_at = _time(row.get("created_at"))
        self.updated_at = _time(row.get("updated_at"))

    def save(self, **_ignored):
        """Stores the data."""
        if not type(self).objects.update_in_collection(
            self.plugin_key, self.collection, self.id, self.data
        ):
            raise self.DoesNotExist(f"record {self.id} of {self.collection!r} is gone")

    def delete(self):
        """Removes the record."""
        type(self).objects.remove_from_collection(self.plugin_key, self.collection, self.id)

    def __str__(self):
        return f"{self.plugin_key}:{self.collection}#{self.id}"

    def __repr__(self):
        return f"<PluginData: {self}>"


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise ImportError(str(host.NotSupported(f"apps.plugins.models.{name}")),
                      name="apps.plugins.models")
