"""Only `celery.utils.log` is here."""
