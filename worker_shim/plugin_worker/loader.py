"""Finds and imports a plugin's code under names that are the same at every start.

Plugins store those names in database rows, so they are part of the contract:
package `_dispatcharr_plugin_<key>`, module `<package>.plugin`, and the folder's
name as an alias of both where it shadows nothing.
"""

import importlib.util
import os
import re
import sys
import types


class NoPluginClass(Exception):
    """The code was imported, but has no class named Plugin."""


def import_plugin_class(key, directory, folder_name, plugins_dir):
    """The class Plugin. Raises what the import raised, or NoPluginClass."""
    if plugins_dir and plugins_dir not in sys.path:
        sys.path.append(plugins_dir)

    package = package_name(key)
    alias = folder_name if _may_alias(folder_name, directory) else None
    module_file = os.path.join(directory, "plugin.py")
    package_file = os.path.join(directory, "__init__.py")

    first_error = None
    tried = []
    if os.path.exists(module_file):
        tried.append("plugin.py")
        _register(package, alias, "", _bare_package(package, directory))
        try:
            module = _load(f"{package}.plugin", module_file, alias and f"{alias}.plugin")
            if hasattr(module, "Plugin"):
                return module.Plugin
        except Exception as error:
            first_error = error
    if os.path.exists(package_file):
        tried.append("__init__.py")
        try:
            module = _load(package, package_file, alias, search=[directory])
            if hasattr(module, "Plugin"):
                return module.Plugin
        except Exception as error:
            first_error = first_error or error
    if first_error is not None:
        raise first_error
    if not tried:
        raise NoPluginClass(f"{directory} holds neither plugin.py nor __init__.py")
    raise NoPluginClass(f"{' and '.join(tried)} of {directory} define no class named Plugin")


def package_name(key):
    """The package that a plugin's code is imported as."""
    safe = re.sub(r"[^0-9A-Za-z_]", "_", key)
    if not safe or safe[0].isdigit():
        safe = f"p_{safe}"
    return f"_dispatcharr_plugin_{safe}"


def _bare_package(name, directory):
    """A package without code, for a plugin.py that imports its neighbours.

    The folder's __init__.py is not run for it: where there is a plugin.py, only
    that is the plugin.
    """
    package = types.ModuleType(name)
    package.__path__ = [directory]
    package.__package__ = name
    return package


def _register(name, alias, suffix, module):
    sys.modules[name + suffix] = module
    if alias:
        sys.modules[alias + suffix] = module


def _load(name, path, alias, search=None):
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=search)
    module = importlib.util.module_from_spec(spec)
    # Before it runs: modules beside it may import it while it does.
    _register(name, alias, "", module)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        if alias:
            sys.modules.pop(alias, None)
        raise
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], child, module)
    return module


def _may_alias(name, directory):
    """Whether the folder's name is free: an identifier that shadows nothing."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return False
    if name in sys.builtin_module_names or name in sys.stdlib_module_names:
        return False
    if name in sys.modules:
        return _lies_in(getattr(sys.modules[name], "__file__", None), directory)
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return True
    if spec is None:
        return True
    if spec.origin is None:  # A folder without __init__.py.
        return all(_lies_in(place, directory) for place in spec.submodule_search_locations or [])
    return _lies_in(spec.origin, directory)


def _lies_in(path, directory):
    if not path:
        return False
    path, directory = os.path.abspath(path), os.path.abspath(directory)
    return path == directory or path.startswith(directory + os.sep)
