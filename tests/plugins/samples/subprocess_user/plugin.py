"""Programs that end at once, and one that runs beside the plugin until it is stopped."""

import subprocess
import sys


class Plugin:
    def __init__(self):
        self.child = None

    def run(self, action, params, context):
        if action == "echo":
            done = subprocess.run(["echo", "hello"], capture_output=True, text=True, timeout=10)
            return {"status": "ok", "output": done.stdout, "code": done.returncode}
        if action == "python":
            code = "import sys; print(sys.version_info[0])"
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, timeout=30
            )
            return {"status": "ok", "output": done.stdout, "code": done.returncode}
        if action == "fail":
            return {"status": "ok", "code": subprocess.call(["sh", "-c", "exit 7"], timeout=10)}
        if action == "start":
            self.child = subprocess.Popen(["sleep", "600"])
            return {"status": "ok", "pid": self.child.pid}
        return {"status": "ok", "running": self.child is not None and self.child.poll() is None}

    def stop(self, context):
        if self.child is not None:
            self.child.terminate()
            self.child.wait(timeout=5)
