"""emit_event from run, from a thread that outlives the call, and with a bad payload."""

import threading


class Plugin:
    def run(self, action, params, context):
        emit = context["emit_event"]
        if action == "emit":
            for number in range(min(int(params.get("count", 1)), 10_000)):
                emit(params.get("event", "tick"), {"number": number})
        elif action == "emit_later":
            threading.Thread(target=emit, args=("later", {"on": "a thread"}), daemon=True).start()
        elif action == "emit_unusable":
            try:
                emit("bad", {"value": object()})
            except Exception as error:
                return {"status": "error", "message": f"{type(error).__name__}: {error}"}
        return {"status": "ok"}
