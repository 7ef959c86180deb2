"""A `ui` schema, and resolve_ui_resource for its resources."""


class Plugin:
    ui = {
        "version": 1,
        "dataSources": {
            "workers": {"type": "action", "action": "list_workers", "refresh": {"interval": 30}},
            "metrics": {"type": "resource", "resource": "metrics", "allowDisabled": True},
        },
        "layout": {
            "type": "stack",
            "children": [{"type": "stat", "label": "Active", "value": "{{ metrics.active }}"}],
        },
        "pages": [
            {
                "id": "dashboard",
                "label": "Dashboard",
                "placement": "sidebar",
                "icon": "Activity",
                "layout": {"type": "stack", "children": []},
            }
        ],
    }

    def run(self, action, params, context):
        return [{"name": "a", "status": "up"}, {"name": "b", "status": "down"}]

    def resolve_ui_resource(self, resource_id, params, context):
        if resource_id == "metrics":
            return {"active": 2, "unit": context["settings"]["unit"], "params": params}
        if resource_id == "schema":
            return context["ui_schema"]
        if resource_id == "list":
            return [1, 2, 3]
        context["emit_event"]("resource_asked", {"resource": resource_id})
        raise LookupError(f"no resource {resource_id!r}")
