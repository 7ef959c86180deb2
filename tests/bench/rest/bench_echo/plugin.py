class Plugin:
    """Answers with what it was given: the cost of a call and nothing else."""

    name = "Bench echo"
    version = "1.0.0"
    description = "Answers with its params."
    fields = []
    actions = [{"id": "echo", "label": "Echo"}]

    def run(self, action, params, context):
        return {"status": "ok", "n": params.get("n")}
