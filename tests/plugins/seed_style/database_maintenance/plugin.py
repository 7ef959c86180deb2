"""Imports Django as soon as it is run, so it needs a profile that has it."""


class Plugin:
    name = "Database Maintenance"
    version = "1.0.0"
    description = "Database cleanup and optimization utilities"

    fields = [
        {
            "id": "days_to_keep",
            "label": "Days to Keep Old Data",
            "type": "number",
            "default": 30,
            "help_text": "Delete data older than this many days",
            "section": "Cleanup Settings",
        }
    ]

    actions = [
        {
            "id": "cleanup_old_programs",
            "label": "Clean Up Old Programs",
            "description": "Delete EPG programs older than configured days",
            "confirm": {
                "required": True,
                "title": "Clean Up Old Programs?",
                "message": "This will permanently delete old EPG program data.",
            },
        },
        {
            "id": "vacuum_database",
            "label": "Vacuum Database",
            "description": "Optimize database storage (may take a while)",
            "confirm": True,
        },
    ]

    def run(self, action: str, params: dict, context: dict):
        from datetime import timedelta

        from django.utils import timezone

        logger = context["logger"]
        if action == "cleanup_old_programs":
            from apps.epg.models import EPGProgram

            days = context["settings"].get("days_to_keep", 30)
            limit = timezone.now() - timedelta(days=days)
            count, _ = EPGProgram.objects.filter(end_time__lt=limit).delete()
            logger.info(f"Deleted {count} old EPG programs")
            return {"status": "success", "message": f"Deleted {count} old programs"}

        if action == "vacuum_database":
            from django.db import connection

            try:
                with connection.cursor() as cursor:
                    cursor.execute("VACUUM")
            except Exception as error:
                logger.error(f"Vacuum failed: {error}", exc_info=True)
                return {"status": "error", "message": f"Vacuum failed: {error}"}
            logger.info("Database vacuum completed")
            return {"status": "success", "message": "Database optimized successfully"}

        return {"status": "error", "message": f"Unknown action: {action}"}
