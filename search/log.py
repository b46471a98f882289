"""The search log: written when the answer has been sent, so that nobody waits for it."""

import logging
from functools import partial

import redis
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.expressions import ArraySubquery
from django.core.cache import cache
from django.db import DatabaseError
from django.http import HttpResponseBase
from django.utils.crypto import salted_hmac

from kb.models import User
from search import scope
from search.hits import Answer
from search.models import QueryMean, SearchLogEntry, Unremembered

log = logging.getLogger(__name__)

ONCE_IN_SECONDS = 3_600
"""A question that is asked again sooner is not counted again."""


def after(response: HttpResponseBase, user: User | AnonymousUser, answer: Answer) -> None:
    """Log a search as soon as this response has been sent, and count it for the means of queries."""
    # Django closes with a response whatever is listed here; it is how it closes the files that it sends.
    closers = response._resource_closers  # type: ignore[attr-defined]
    closers += [partial(record, user, answer), partial(count, user, answer)]


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


def count(user: User | AnonymousUser, answer: Answer) -> None:
    """Count a query for the means of what this person asks, once an hour, unless they do not want to be remembered. A
    program with their token may ask for many others."""
    if not isinstance(user, User) or user.access_token or not answer.seen:
        return
    if Unremembered.objects.filter(user=user).exists() or not _is_new(user, answer.query.text):
        return
    try:
        for seen in answer.seen:
            QueryMean.objects.add_seen(user, seen)
    except DatabaseError as error:
        log.warning("A query could not be counted: %s", error)


def _is_new(user: User, question: str) -> bool:
    """Whether this person has not asked the same lately: a page that is loaded again asks nothing new. Of the words no
    more is kept than tells them from others."""
    told = salted_hmac("search.log", question).hexdigest()
    try:
        return bool(cache.add(f"asked-{user.pk}-{told}", 1, timeout=ONCE_IN_SECONDS))
    except redis.RedisError:
        return True


def sweep() -> int:
    """Take means of queries into use that have grown. Delete the entries that are older than the settings let them be;
    returns their number."""
    QueryMean.objects.sweep()
    return SearchLogEntry.objects.expired().delete()[0]
