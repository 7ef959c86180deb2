"""Vice: a classic daemon: fork, setsid, fork, closed descriptors. It ends after 2 minutes."""

import os
import time

SECONDS = 120


class Plugin:
    def run(self, action, params, context):
        if action != "daemon":
            return {"status": "ok", "pid": os.getpid()}
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.setsid()
            if os.fork() == 0:
                os.write(writer, str(os.getpid()).encode())
                os.chdir("/")
                os.closerange(0, 256)
                time.sleep(SECONDS)
            os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        with os.fdopen(reader) as pid:
            return {"status": "ok", "daemon": int(pid.read())}
