"""What attempts are made on: told by the supervisor, or by a test."""

import os

from .attempt import Untried


class Targets:
    """The members of a dict as attributes; what is not there cannot be tried.

    supervisor_pid, supervisor_socket, init_pid, own_code, own_data, host_name
    sibling_pid, sibling_code, sibling_data, sibling_launch   another plugin that runs
    port, port6, free_port    TCP: two on the loopback addresses that are listened on; one that is not
    abstract                  name of an abstract socket that is listened on
    segment, queue, shared    a System V key, a POSIX queue, a file in /dev/shm; all for everybody
    outbound, listen, exec    as granted
    executes                  it had to be let execute its own interpreter
    """

    def __init__(self, values):
        self._values = {name: value for name, value in values.items() if value not in (None, "")}

    def __getattr__(self, name):
        try:
            return self._values[name]
        except KeyError:
            raise Untried(f"no {name.replace('_', ' ')} is known here") from None

    @property
    def grants(self):
        """Of "network", "outbound" (to any port) and "exec"."""
        found = set()
        if self._values.get("outbound") or self._values.get("listen"):
            found.add("network")
        if any(_any_port(destination) for destination in self._values.get("outbound", ())):
            found.add("outbound")
        if self._values.get("exec") or self._values.get("executes"):
            found.add("exec")
        return found

    def own_file(self):
        """The plugin's code, which it may read."""
        for name in ("plugin.py", "__init__.py"):
            path = os.path.join(self.own_code, name)
            if os.path.exists(path):
                return path
        raise Untried("the plugin's code is not there")

    def sibling_file(self):
        return os.path.join(self.sibling_code, "plugin.py")

    def program(self):
        """One that was not granted."""
        granted = {os.path.basename(name) for name in self._values.get("exec", ())}
        for path in ("/bin/true", "/bin/false", "/usr/bin/env"):
            if os.path.basename(path) not in granted and os.path.exists(path):
                return path
        raise Untried("no program is left that was not granted")


def _any_port(destination):
    if destination.isdigit():
        return False
    if destination.count(":") > 1 and not destination.startswith("["):
        return True  # A plain IPv6 address.
    return not destination.rpartition(":")[2].isdigit() or ":" not in destination
