"""Tells what a plugin's class says about itself, without running it.

    python3 -I -S inspect_source.py FILE...

Each FILE (plugin.py, then __init__.py) is parsed, never imported or executed.
The first that has a class Plugin is described on standard output as one JSON
object: its attributes that are literals, and

    _file      the file that has the class, or null
    _computed  attributes that only a run can tell (a property, a call, ...)
    _problems  sentences about files that cannot be read or parsed

The supervisor runs this in a process with little memory and time: the file is
not trusted, and neither is a parser that is fed with it.
"""

import ast
import json
import math
import os
import stat
import sys

ATTRIBUTES = (
    "name",
    "version",
    "description",
    "author",
    "help_url",
    "fields",
    "actions",
    "ui",
    "ui_schema",
    "navigation",
    "pages",
)
MAX_SOURCE_BYTES = 4 << 20
MAX_OUTPUT_BYTES = 1 << 20
MAX_DEPTH = 48  # The reader of the output stops at 64.
LITERALS = (ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.UnaryOp)
MAX_BASES = 16  # Steps followed from a class to the ones it extends.


class NotLiteral(ValueError):
    """The value can only be known by running the code."""


def read_source(path):
    """The bytes of a regular file. Raises OSError, or ValueError when it is too large."""
    # Not blocking: opening a FIFO would wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("is not a regular file")
        source = file.read(MAX_SOURCE_BYTES + 1)
    if len(source) > MAX_SOURCE_BYTES:
        raise ValueError(f"is larger than {MAX_SOURCE_BYTES} bytes")
    return source


def statements(body):
    """The statements that importing may execute, also those under if, try and with."""
    for node in body:
        yield node
        for part in ("body", "orelse", "finalbody"):
            if isinstance(node, (ast.If, ast.Try, ast.With)):
                yield from statements(getattr(node, part, []))
        for handler in getattr(node, "handlers", []):
            yield from statements(handler.body)


def assignments(body):
    """(name, value node) of every plain assignment; the value is None without one."""
    for node in body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            if node.value is not None:
                yield node.target.id, node.value
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node


class Module:
    """The classes and constants at the top level of a parsed file."""

    def __init__(self, tree):
        self.classes = {}
        self.constants = {}
        aliases = {}
        body = list(statements(tree.body))
        for node in body:
            if isinstance(node, ast.ClassDef):
                self.classes[node.name] = node
        for name, value in assignments(body):
            if isinstance(value, ast.Name):
                aliases[name] = value.id
            elif isinstance(value, LITERALS) and name not in self.constants:
                self.constants[name] = value
            else:
                # Given twice, or not a constant: only a run can tell.
                self.constants[name] = None
        for name, target in aliases.items():
            if name not in self.classes and target in self.classes:
                self.classes[name] = self.classes[target]

    def bases(self, node):
        """The class and those it extends, in this file, nearest first."""
        found = [node]
        for current in found:
            for base in current.bases:
                known = self.classes.get(base.id) if isinstance(base, ast.Name) else None
                if known is not None and known not in found and len(found) < MAX_BASES:
                    found.append(known)
        return found

    def literal(self, node):
        """The value of a literal, in which names of constants may stand."""
        if isinstance(node, ast.Name):
            node = self.constants.get(node.id) or node
        if isinstance(node, (ast.List, ast.Tuple, ast.Dict)):
            node = Constants(self.constants).visit(node)
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
            raise NotLiteral(str(error)) from None


class Constants(ast.NodeTransformer):
    """Puts the constants of a module in place of their names."""

    def __init__(self, constants):
        self.constants = constants

    def visit_Name(self, node):
        return self.constants.get(node.id) or node


def as_json(value, depth=0):
    """The value as JSON has it. Raises NotLiteral for what JSON does not have."""
    if depth > MAX_DEPTH:
        raise NotLiteral("nested too deep")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        # A lone surrogate is no text in any other language.
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int):
        if -(1 << 63) <= value < (1 << 64):
            return value
        raise NotLiteral("a number beyond 64 bits")
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        raise NotLiteral("not a finite number")
    if isinstance(value, (list, tuple)):
        return [as_json(item, depth + 1) for item in value]
    if isinstance(value, (set, frozenset)):
        return [as_json(item, depth + 1) for item in sorted(value, key=repr)]
    if isinstance(value, dict):
        return {key_as_json(key): as_json(item, depth + 1) for key, item in value.items()}
    raise NotLiteral(f"{type(value).__name__} is not JSON")


def key_as_json(key):
    if isinstance(key, str):
        return as_json(key)
    if key is None or isinstance(key, (bool, int, float)):
        return json.dumps(as_json(key))
    raise NotLiteral("a key that is not text")


def computed_names(node):
    """Attributes that methods of the class make: properties, and self.x = ... in __init__."""
    for member in node.body:
        if not isinstance(member, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if member.name in ATTRIBUTES:
            yield member.name
        if member.name != "__init__":
            continue
        for inner in ast.walk(member):
            if (
                isinstance(inner, ast.Attribute)
                and isinstance(inner.ctx, ast.Store)
                and isinstance(inner.value, ast.Name)
                and inner.value.id == "self"
                and inner.attr in ATTRIBUTES
            ):
                yield inner.attr


def describe(module, node):
    """The literal attributes of a class, and the names of those that are computed."""
    found = {}
    computed = set()
    # From the farthest base to the class itself, so that the nearest wins.
    for current in reversed(module.bases(node)):
        for name, value in assignments(statements(current.body)):
            if name not in ATTRIBUTES:
                continue
            try:
                found[name] = as_json(module.literal(value))
                computed.discard(name)
            except (NotLiteral, RecursionError):
                found.pop(name, None)
                computed.add(name)
        for name in computed_names(current):
            found.pop(name, None)
            computed.add(name)
    return found, sorted(computed)


def inspect(paths):
    answer = {"_file": None, "_computed": [], "_problems": []}
    for path in paths:
        name = os.path.basename(path)
        try:
            module = Module(ast.parse(read_source(path)))
            node = module.classes.get("Plugin")
            if node is None:
                answer["_problems"].append(f"{name} has no class Plugin")
                continue
            attributes, computed = describe(module, node)
        except SyntaxError as error:
            answer["_problems"].append(f"{name}, line {error.lineno}: {error.msg}")
        except OSError as error:
            answer["_problems"].append(f"{name} cannot be read: {error.strerror}")
        except RecursionError:
            answer["_problems"].append(f"{name} is nested too deep to be parsed")
        except MemoryError:
            answer["_problems"].append(f"{name} needs too much memory to be parsed")
        except Exception as error:  # Whatever the parser has against this file.
            answer["_problems"].append(f"{name} {error}")
        else:
            answer.update(attributes)
            answer.update(_file=name, _computed=computed, _problems=[])
            return answer
    return answer


def main(paths):
    answer = inspect(paths)
    answer["_problems"] = [as_json(problem[:500]) for problem in answer["_problems"]]
    text = json.dumps(answer, allow_nan=False)
    if len(text) > MAX_OUTPUT_BYTES:
        problem = f"the attributes of class Plugin take more than {MAX_OUTPUT_BYTES} bytes"
        text = json.dumps({"_file": answer["_file"], "_computed": [], "_problems": [problem]})
    sys.stdout.write(text)


if __name__ == "__main__":
    main(sys.argv[1:])
