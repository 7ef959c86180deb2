"""Says over its worker's own link what no worker says, or as much as it can of what workers say."""

import json
import logging
import os
import stat
import threading
import time


class Plugin:
    name = "Floods link"
    actions = [{"id": word, "label": word} for word in ("flood", "oversize", "garble", "label")]

    def run(self, action, params, context):
        # The shim's own object, around what bounds a plugin.
        link = context["emit_event"].__self__._link
        return getattr(self, action)(link, context, params)

    def flood(self, link, context, params):
        until = time.monotonic() + params["seconds"]
        said = [0] * 4

        def shout(place):
            log = logging.getLogger("flood")
            while time.monotonic() < until:
                try:
                    link.emit("tick", '{"n": 1}')
                    context["progress"](0.5, "x" * 1000)
                    log.info("tick")
                    said[place] += 1
                except Exception:
                    time.sleep(0.001)  # Its own queue is full: the supervisor lets it wait.

        threads = [threading.Thread(target=shout, args=(place,)) for place in range(len(said))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {"said": sum(said)}

    def oversize(self, link, context, params):
        link.emit("big", json.dumps("x" * params["bytes"]))
        time.sleep(60)

    def garble(self, link, context, params):
        for name in os.listdir("/proc/self/fd"):
            try:
                if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                    os.write(int(name), os.urandom(10_000))
            except OSError:
                pass  # The directory's own descriptor, closed by now.
        time.sleep(60)

    def label(self, link, context, params):
        for number in range(2000):
            try:
                link.emit(f'bomb{number}{{a="b"}}\n', "{}")
            except Exception:
                time.sleep(0.01)
        return {}
