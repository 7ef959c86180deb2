"""Vice: leaves code where the interpreter of its next start might look for some."""

import os
import sys

# Whoever runs it leaves a trace in the process.
CODE = "import sys\nsys.planted = getattr(sys, 'planted', []) + [{name!r}]\n"
# What an interpreter imports by itself, and what it or a plugin is likely to import.
MODULES = ("sitecustomize", "usercustomize", "json", "socket", "colorsys", "apps", "celery")


def places():
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for base in {os.environ["HOME"], os.getcwd(), os.environ["PLUGIN_DATA_DIR"]}:
        yield base
        yield f"{base}/.local/lib/{version}/site-packages"
        yield f"{base}/.local/lib/python3/dist-packages"
        yield f"{base}/lib/{version}/site-packages"
    yield os.environ.get("TMPDIR", "/tmp")


def write(path, text, written):
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
    except OSError:
        return
    written.append(path)


class Plugin:
    def run(self, action, params, context):
        if action == "plant":
            written = []
            for place in places():
                for module in MODULES:
                    path = f"{place}/{module}.py"
                    write(path, CODE.format(name=path), written)
                path = f"{place}/planted.pth"
                write(path, CODE.format(name=path).replace("\n", "; "), written)
                write(f"{place}/pyvenv.cfg", f"home = {place}\n# planted\n", written)
                path = f"{place}/.pythonrc.py"
                write(path, CODE.format(name=path), written)
            here = os.path.dirname(os.path.abspath(__file__))
            for name in ("__pycache__/plugin.cpython-311.pyc", "colorsys.py", "__init__.py"):
                write(f"{here}/{name}", CODE.format(name=name), written)
            return {"written": written}
        import colorsys  # Not imported by anybody before.

        return {
            "ran": getattr(sys, "planted", []),
            "from": [file_of(name) for name in ("json", "socket", "colorsys")],
            "path": sys.path,
        }


def file_of(name):
    return getattr(sys.modules.get(name), "__file__", None)
