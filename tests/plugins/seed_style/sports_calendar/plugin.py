"""Navigation and pages of its own; what it stores goes through PluginData."""

KEY = "sports_calendar"


class Plugin:
    name = "Sports Calendar"
    version = "2.0.0"
    description = "Automatic sports recording from ICS calendars"

    navigation = {"label": "Sports Calendar", "icon": "calendar", "position": "bottom"}

    pages = {
        "main": {
            "title": "Sports Calendar",
            "components": [
                {
                    "type": "tabs",
                    "items": [
                        {
                            "id": "calendars",
                            "label": "Calendars",
                            "icon": "calendar",
                            "components": [
                                {
                                    "type": "card",
                                    "title": "Add Calendar",
                                    "components": [
                                        {
                                            "type": "form",
                                            "id": "add_calendar_form",
                                            "fields": [
                                                {
                                                    "id": "name",
                                                    "label": "Calendar Name",
                                                    "type": "text",
                                                    "required": True,
                                                },
                                                {
                                                    "id": "url",
                                                    "label": "ICS URL",
                                                    "type": "url",
                                                    "required": True,
                                                },
                                            ],
                                            "submit_action": "add_calendar",
                                            "submit_label": "Add Calendar",
                                        }
                                    ],
                                },
                                {
                                    "type": "table",
                                    "id": "calendars_table",
                                    "data_source": "calendars",
                                    "columns": [
                                        {"id": "name", "label": "Name"},
                                        {"id": "url", "label": "URL"},
                                        {
                                            "id": "last_synced",
                                            "label": "Last Synced",
                                            "render": "datetime",
                                        },
                                    ],
                                    "row_actions": [
                                        {
                                            "id": "sync",
                                            "label": "Sync",
                                            "icon": "refresh",
                                            "action": "sync_calendar",
                                        },
                                        {
                                            "id": "delete",
                                            "label": "Delete",
                                            "icon": "trash",
                                            "action": "delete_calendar",
                                            "color": "red",
                                            "confirm": True,
                                        },
                                    ],
                                },
                            ],
                        },
                        {
                            "id": "events",
                            "label": "Events",
                            "icon": "list",
                            "components": [
                                {
                                    "type": "table",
                                    "data_source": "events",
                                    "columns": [
                                        {"id": "title", "label": "Event"},
                                        {"id": "calendar", "label": "Calendar"},
                                        {
                                            "id": "start",
                                            "label": "Start Time",
                                            "render": "datetime",
                                        },
                                    ],
                                }
                            ],
                        },
                    ],
                }
            ],
        }
    }

    def run(self, action: str, params: dict, context: dict) -> dict:
        handlers = {
            "add_calendar": self._add_calendar,
            "sync_calendar": self._sync_calendar,
            "delete_calendar": self._delete_calendar,
        }
        if action not in handlers:
            return {"status": "error", "message": f"Unknown action: {action}"}
        return handlers[action](params, context)

    def _add_calendar(self, params, context):
        name, url = params.get("name", "").strip(), params.get("url", "").strip()
        if not name or not url.startswith(("http://", "https://")):
            return {"status": "error", "message": "A name and a web address are required"}
        from apps.plugins.models import PluginData

        PluginData.objects.add_to_collection(KEY, "calendars", {"name": name, "url": url})
        return {"status": "ok", "message": f"Calendar {name} added"}

    def _sync_calendar(self, params, context):
        context["logger"].info("Calendar %s is synced", params.get("_id"))
        return {"status": "queued", "message": "Sync started"}

    def _delete_calendar(self, params, context):
        from apps.plugins.models import PluginData

        PluginData.objects.remove_from_collection(KEY, "calendars", params.get("_id"))
        return {"status": "ok", "message": "Calendar deleted"}
