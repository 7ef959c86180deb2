"""`from celery.result import AsyncResult`."""

from celery import AsyncResult

__all__ = ["AsyncResult"]
