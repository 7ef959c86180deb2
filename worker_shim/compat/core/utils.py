"""`from core.utils import send_websocket_update`, without the host.

What the host's module has besides raises NotSupported when it is used, not when it is imported.
"""

from plugin_worker import _native, host


def send_websocket_update(group_name, event_type, data, collect_garbage=False):
    """Broadcasts {"type": event_type, "data": data} to everyone who listens to the group.

    Raises HostCallFailed when it could not be handed on.
    """
    host.call(
        _native.HOST_METHOD_SEND_UPDATE,
        {"group": str(group_name), "type": str(event_type), "data": data},
    )


class RedisClient:
    """There is no Redis here; plugins import the name all the same."""

    @classmethod
    def get_client(cls, *_args, **_kwargs):
        """Raises NotSupported."""
        raise host.NotSupported("Redis (core.utils.RedisClient)")

    get_pubsub_client = get_client


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise ImportError(str(host.NotSupported(f"core.utils.{name}")), name="core.utils")
