"""stop(context) appends one line of JSON to the file that its settings name."""

import json
import os
import time


class Plugin:
    def run(self, action, params, context):
        return {"pid": os.getpid()}

    def stop(self, context):
        settings = context["settings"]
        time.sleep(min(float(settings["seconds"]), 60))
        context["logger"].info("stop was called: %s", context["reason"])
        if settings["file"]:
            record = {"reason": context["reason"], "pid": os.getpid(), "settings": settings}
            with open(settings["file"], "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
