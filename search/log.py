"""The search log: written when the answer has been sent, so that nobody waits for it."""

import logging
from functools import partial

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.expressions import ArraySubquery
from django.db import DatabaseError
from django.http import HttpResponseBase

from kb.models import User
from search import scope
from search.hits import Answer
from search.models import SearchLogEntry

log = logging.getLogger(__name__)


def after(response: HttpResponseBase, user: User | AnonymousUser, answer: Answer) -> None:
    """Log a search as soon as this response has been sent."""
    # Django closes with a response whatever is listed here; it is how it closes the files that it sends.
    response._resource_closers.append(partial(record, user, answer))  # type: ignore[attr-defined]


def record(user: User | AnonymousUser, answer: Answer) -> None:
    """Log a search, in one INSERT. A log that cannot be written is no reason for anything to fail."""
    try:
        SearchLogEntry.objects.create(
            user=user if isinstance(user, User) else None,
            collections=ArraySubquery(scope.collections(user, answer.query).order_by().values("pk")),
            mode=answer.mode,
            offset=answer.query.reach - answer.query.limit,
            took_ms=answer.took_ms,
            timings_ms=answer.timings_ms,
            hits=len(answer.hits),
            best_score=max((hit.score for hit in answer.hits), default=None),
            degraded=bool(answer.degraded or answer.not_reranked),
            text=answer.query.text if settings.SEARCH_LOG_TEXT else "",
        )
    except DatabaseError as error:
        log.warning("A search could not be logged: %s", error)


def sweep() -> int:
    """Delete the entries that are older than the settings let them be. Returns their number."""
    return SearchLogEntry.objects.expired().delete()[0]
