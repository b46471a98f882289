"""The wiring: settings, URLs, Celery, WSGI. Nothing imports it but Django, Celery and the web server."""

from kb.config.celery import app as celery_app

__all__ = ["celery_app"]
