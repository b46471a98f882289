"""Lanes: threads that embed side by side, so that the encoder is never idle while there is work.

While one lane's texts are on the device, another claims its unit, writes what it has and publishes it.
A lane is nothing but `embed_next`, again and again: whatever goes wrong in one is dealt with there, as in a worker of
its own, and a killed process costs the units in its lanes and nothing more.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Thread, get_ident
from uuid import UUID

from django.conf import settings
from django.db import Error, connections

from kb import storing

log = logging.getLogger(__name__)

LANES = 2
"""One on the device, one at the database: the device takes far longer."""

in_hand: dict[int, UUID] = {}
"""The tokens of the units that are worked on, by thread."""


def run(step: Callable[[], bool], *, go_on: Callable[[], bool]) -> None:
    """Take steps in all lanes, until one has nothing to do or is told to stop. Raises what a step raised, when all
    lanes have come to their end."""
    with ThreadPoolExecutor(LANES - 1, "lane") as others:
        ended = [others.submit(_beside, step, go_on) for _number in range(LANES - 1)]
        _take(step, go_on)
    for one in ended:
        one.result()


def _beside(step: Callable[[], bool], go_on: Callable[[], bool]) -> None:
    try:
        _take(step, go_on)
    finally:
        connections.close_all()  # they are this thread's own


def _take(step: Callable[[], bool], go_on: Callable[[], bool]) -> None:
    while go_on() and step():
        pass


@contextmanager
def kept(token: UUID) -> Iterator[None]:
    """Renews the lease of a unit for as long as it is worked on: a long text may be on a slow device for minutes. A
    device that hangs does not come to this: its encoder ends the process."""
    done = Event()
    keeper = Thread(target=_keep, args=(token, done), name="lease", daemon=True)
    keeper.start()
    in_hand[get_ident()] = token
    try:
        yield
    finally:
        del in_hand[get_ident()]
        done.set()
        keeper.join()


def _keep(token: UUID, done: Event) -> None:
    try:
        while not done.wait(settings.LEASE_SECONDS / 5):
            try:
                storing.renew(token)
            except Error as error:
                log.warning("A lease could not be renewed: %s", error)
                connections.close_all()
    finally:
        connections.close_all()
