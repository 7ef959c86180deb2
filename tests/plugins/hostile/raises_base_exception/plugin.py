"""Vice: exceptions that are no Exception."""


class Own(BaseException):
    pass


class Plugin:
    def run(self, action, params, context):
        kinds = {
            "base": Own,
            "interrupt": KeyboardInterrupt,
            "generator_exit": GeneratorExit,
            "memory": MemoryError,
            "recursion": RecursionError,
        }
        if action in kinds:
            raise kinds[action](f"raised as {action}")
        return {"status": "ok"}
