"""`from celery.utils.log import get_task_logger`."""

from logging import getLogger as get_task_logger

__all__ = ["get_task_logger"]
