"""Vice: run() raises."""


class OwnError(Exception):
    pass


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text for this one")


class Plugin:
    def run(self, action, params, context):
        if action == "crash":
            return 1 / 0
        if action == "custom":
            raise OwnError("this is the message", {"and": "more"})
        if action == "unprintable":
            raise Unprintable()
        return {"status": "ok"}
