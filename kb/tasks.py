"""Celery tasks: thin doors to ingestion. A message says "look now" and carries nothing else."""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from celery import shared_task
from celery.signals import worker_ready, worker_shutdown, worker_shutting_down
from celery.worker import state as worker_state
from django.db import close_old_connections

from embeddings import requests, reranking, serving, watchdog
from embeddings.models import Space
from kb import bell, indexing, ingestion, spaces

log = logging.getLogger(__name__)

EMBED_SECONDS = 20
"""So long an embed task goes on before it rings for the next: the worker must see signals and its broker meanwhile."""


@shared_task(name="kb.tasks.read", soft_time_limit=420, time_limit=445)
def read() -> None:
    """Read one revision, or a part of a long one, if one is due. A part takes 240 s at most, and some more where its
    last page is a scan; half the broker's visibility timeout is the end of it."""
    ingestion.read_next()


@shared_task(name="kb.tasks.embed")
def embed() -> None:
    """Embed what is due, unit by unit, until nothing is, the time is up, or the worker is asked to stop.

    Where there was a unit there may be more: the next worker is rung for, on another GPU if there is one, else this one
    when its time is up.
    """
    until = time.monotonic() + EMBED_SECONDS
    if ingestion.embed_next(_stopping):
        bell.ring("embed")
        ingestion.embed_while(lambda: not _stopping() and time.monotonic() <= until, is_interrupted=_stopping)
        ingestion.settle()


@shared_task(name="kb.tasks.sweep", soft_time_limit=60, time_limit=90)
def sweep() -> None:
    """Look at everything that is due."""
    ingestion.sweep()


@worker_ready.connect
def answer_queries(sender: Any, **kwargs: Any) -> None:
    """The embed worker answers queries and requests too, beside its loop, reranks, builds indexes, and finds what waits
    from before."""
    if "embed" not in sender.app.amqp.queues.consume_from:
        return
    watchdog.arm(ingestion.put_down)
    answering = serving.Answering(_wanted), requests.Answering(), reranking.Answering()
    # The first comes from inside a signal handler, which interrupts whoever may be holding the device: nothing is
    # waited for there. The second comes when the task under way has put down its work.
    for thread in (*answering, indexing.Indexing()):
        worker_shutting_down.connect(partial(_call, thread.end), weak=False)
    for thread in answering:
        worker_shutdown.connect(partial(_call, thread.stop), weak=False)
    bell.ring("embed")


def _wanted() -> Sequence[Space]:
    """Asked from a thread of ours: Django closes connections that broke only around requests and tasks."""
    close_old_connections()
    return spaces.wanted()


def _call(step: Callable[[], None], **_: Any) -> None:
    step()


def _stopping() -> bool:
    """Whether this worker was told to stop: None and False mean no, an exit status yes; 0 is one, and equals False."""
    flags = worker_state.should_stop, worker_state.should_terminate
    return any(flag is not None and flag is not False for flag in flags)
