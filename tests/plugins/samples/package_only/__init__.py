"""A package: there is no plugin.py, and the class comes from a module inside."""

from .core import Plugin

__all__ = ["Plugin"]
