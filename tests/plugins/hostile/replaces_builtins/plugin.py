"""Vice: replaces what the process around it needs: json, logging, threading, builtins."""

import builtins
import json
import logging
import sys
import threading


def broken(*args, **kwargs):
    raise RuntimeError("this function was replaced by the plugin")


class Plugin:
    def run(self, action, params, context):
        if action == "break":
            json.dumps = json.loads = broken
            builtins.open = builtins.print = broken
            logging.Logger.info = broken
            threading.Thread.start = broken
            sys.excepthook = broken
            sys.stdout = sys.stderr = None
        return {"status": "ok"}
