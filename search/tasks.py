"""Celery tasks: thin doors to the evaluation runs and the search log."""

from celery import shared_task

from search import log, runs


@shared_task(name="search.tasks.evaluate", soft_time_limit=120, time_limit=150)
def evaluate() -> None:
    """Measure a slice of a run, if one is due."""
    runs.measure_next()


@shared_task(name="search.tasks.sweep", soft_time_limit=60, time_limit=90)
def sweep() -> None:
    """Look at every run that is due; let old entries of the log go."""
    runs.sweep()
    log.sweep()
