"""Vice: closes descriptors that belong to the process, not to it."""

import os


class Plugin:
    def run(self, action, params, context):
        if action in ("close", "reuse"):
            for descriptor in (1, 2):
                try:
                    os.close(descriptor)
                except OSError:
                    pass
        if action == "close":
            try:
                print("to nowhere", flush=True)
            except OSError:
                pass
        elif action == "reuse":
            descriptor = os.open("/dev/null", os.O_WRONLY)
            os.write(descriptor, b"lands in /dev/null\n")
            return {"status": "ok", "descriptor": descriptor}
        elif action == "close_all":
            os.closerange(0, 256)
        return {"status": "ok"}
