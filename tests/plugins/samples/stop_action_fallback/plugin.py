"""Ends through run("stop", {}, context)."""

import json


class Plugin:
    def run(self, action, params, context):
        record = {"action": action, "params": params, "reason": context.get("reason")}
        if action == "stop" and context["settings"]["file"]:
            with open(context["settings"]["file"], "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        return record
