"""Rings the workers: "look now". A message carries nothing and may be lost; what is due stands in Postgres."""

import logging

from celery import current_app
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

EXPIRY_SECONDS = 300
"""A ring older than this is no news: the sweep has rung again since."""


def ring(queue: str, *, task: str = "") -> None:
    """Tell the workers of `read` or `embed` to look for work, or for that of another task that they do. Without a
    broker the next sweep does it."""
    try:
        current_app.send_task(task or f"kb.tasks.{queue}", queue=queue, expires=EXPIRY_SECONDS)
    except (OperationalError, OSError) as error:
        log.warning("Nobody could be rung for %s, the sweep will: %s", queue, error)


def ring_for_each(due: int) -> None:
    """A message for each revision that is due, up to what the readers have done before the next sweep."""
    for _n in range(min(50, due)):
        ring("read")
