"""Vice: results that contain themselves."""


class Plugin:
    def run(self, action, params, context):
        if action == "list":
            value = [1]
            value.append(value)
            return {"status": "ok", "data": value}
        if action == "object":
            value = {"status": "ok"}
            value["self"] = value
            return value
        if action == "shared":
            value = [1]
            return {"status": "ok", "data": [value, value]}
        return {"status": "ok"}
