"""Vice: sys.exit inside run(). It must end the call, not the process."""

import os
import sys
import threading


class Plugin:
    def run(self, action, params, context):
        if action == "exit":
            sys.exit(params.get("code", 0))
        elif action == "exit_text":
            sys.exit("leaving with a message")
        elif action == "exit_in_thread":
            thread = threading.Thread(target=sys.exit, args=(1,))
            thread.start()
            thread.join(timeout=10)
        return {"status": "ok", "pid": os.getpid()}
