"""Re-embedding: a collection is embedded into another space behind the one it is searched in, and then switched.

What is due is what lacks its embedding: nothing else says it. The encoders' queue holds a slice of it at a time, behind
everything that was uploaded: so pausing and cancelling leave nothing to clean up but that slice, and a million passages
never stand in one transaction. New revisions are embedded into both spaces from their upload on.

The switch is one update of the collection's row, under the lock that publishing takes, when no live passage lacks its
embedding in the other space. While a switch waits for the last of them, nothing is published without its embeddings in
both. The space before is kept up to date until it is dropped, and the way back is the same switch.
"""

import logging
import time
import uuid
from collections.abc import Callable, Iterator
from collections.abc import Collection as Container
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from embeddings.models import Space
from kb import backlog, bell, spaces, storing
from kb.models import Chunk, Collection, LanguageMean, Reembedding, Revision, Stage, State, User
from kb.models.reembedding import Progress, progress

log = logging.getLogger(__name__)

SLICE = 4_000
"""Chunks put on the queue at a time: seconds of work for a GPU, and a quick transaction."""

DROP_SLICE = 5_000
"""Embeddings deleted in one transaction."""

DROP_SECONDS = 20
"""So long a sweep goes on deleting; the next one goes on with it."""

PATIENCE = timedelta(minutes=15)
"""So long uploads wait for a switch that does not come about, because nobody serves the other space any more."""

_NOT_SERVED = gettext_noop("The last passages were not embedded within 15 minutes. Is the encoder served?")
_STOPPED = gettext_noop("The encoder was stopped each time at one of the passages.")


class Refused(ValueError):
    """This cannot be done now; the message says why."""


# --- What people ask for ---


def start(collection: Collection, target: Space, *, user: User | None) -> Reembedding:
    """Begin to embed a collection into another space. Raises Refused."""
    with _held(collection.pk) as held:
        if held.reembeddings.open().exists():
            raise Refused(_("This collection is being re-embedded already, or keeps the space before: end that first."))
        if held.active_space_id == target.pk:
            raise Refused(_("This collection is in that space already."))
        if Chunk.objects.filter(revision__live_for__collection=held, tokens__gt=target.max_tokens).exists():
            raise Refused(
                _("Some passages are longer than that encoder reads. Make them smaller first, in all documents.")
            )
        started = Reembedding.objects.create(
            collection=held,
            source_id=held.active_space_id,
            target=target,
            started_by=user,
            total=backlog.live_chunks(held.pk),
        )
        Collection.objects.filter(pk=held.pk).update(building_space=target)
        transaction.on_commit(lambda: bell.ring("embed"))
    log.info("Collection %s is embedded into %s.", collection.pk, target.name)
    return started


def pause(reembedding: Reembedding) -> None:
    """Encode no more of it. What is embedded stays. Raises Refused."""
    with _changing(reembedding, Stage.BUILDING) as one:
        _rest(one, detail="")


def resume(reembedding: Reembedding) -> None:
    """Go on where it was paused. Raises Refused."""
    with _changing(reembedding, Stage.PAUSED) as one:
        _write(one, state=Stage.BUILDING, detail="")
        transaction.on_commit(lambda: bell.ring("embed"))


def cancel(reembedding: Reembedding) -> None:
    """Give the space being built up; the embeddings in it are deleted. Raises Refused."""
    with _changing(reembedding, Stage.BUILDING, Stage.PAUSED, Stage.BUILT, Stage.SWITCHING) as one:
        Collection.objects.filter(pk=one.collection_id).update(building_space=None)
        _write(one, state=Stage.CANCELLED, ended_at=Now())
        backlog.unqueue(one.collection_id, one.target_id)
        transaction.on_commit(lambda: bell.ring("sweep"))


def switch(reembedding: Reembedding) -> None:
    """Search in the new space: at once, or as soon as what was uploaded just now is embedded in it. Raises Refused."""
    with _changing(reembedding, Stage.BUILT, Stage.SWITCHING) as one:
        _set_out(one, Stage.SWITCHING)


def roll_back(reembedding: Reembedding) -> None:
    """Search in the space before, as `switch` does; the new one is then kept up to date like one that is built.
    Raises Refused."""
    with _changing(reembedding, Stage.SWITCHED, Stage.RETURNING) as one:
        _set_out(one, Stage.RETURNING)


def drop(reembedding: Reembedding) -> None:
    """Give the space before up; the embeddings in it are deleted, and there is no way back. Raises Refused."""
    with _changing(reembedding, Stage.SWITCHED) as one:
        Collection.objects.filter(pk=one.collection_id).update(previous_space=None)
        _write(one, state=Stage.FINISHED, ended_at=Now())
        backlog.unqueue(one.collection_id, one.source_id)
        transaction.on_commit(lambda: bell.ring("sweep"))


ACTIONS: dict[str, Callable[[Reembedding], None]] = {
    "pause": pause,
    "resume": resume,
    "cancel": cancel,
    "switch": switch,
    "roll-back": roll_back,
    "drop": drop,
}
"""By the names they have in addresses."""

FINAL = ("cancel", "drop")
"""Those that delete embeddings: who asks for one by hand is asked once more."""

_OFFERED: dict[str, tuple[str, ...]] = {
    Stage.BUILDING: ("pause", "cancel"),
    Stage.PAUSED: ("resume", "cancel"),
    Stage.BUILT: ("switch", "cancel"),
    Stage.SWITCHING: ("cancel",),
    Stage.SWITCHED: ("roll-back", "drop"),
}


def offered(reembedding: Reembedding) -> tuple[str, ...]:
    """The actions that lead on from where it is."""
    return _OFFERED.get(reembedding.state, ())


def shown(reembedding: Reembedding) -> dict[str, Any]:
    """What a page needs to say how far it is."""
    return {
        "reembedding": reembedding,
        "progress": progress_of(reembedding),
        "index": index_of(reembedding),
        "final": FINAL,
    }


def index_of(reembedding: Reembedding) -> spaces.Index | None:
    """The index of the new space while it is built, as the last of what is built."""
    if reembedding.state != Stage.BUILDING or reembedding.embedded_at is None:
        return None
    return next((index for index in spaces.indexes(reembedding.target) if index.built is not None), None)


def progress_of(reembedding: Reembedding) -> Progress:
    """How far it is."""
    waiting = backlog.waiting(reembedding.collection_id, reembedding.second_space_id) if reembedding.unfinished else 0
    return progress(reembedding, waiting=waiting)


# --- What workers do ---


def feed(served: Container[uuid.UUID]) -> bool:
    """Queue the next slice of what lacks its embedding in one of these spaces. False when nothing does that is not on
    the queue already. Called when the queue is empty: so uploads go first."""
    return any(_feed(one) for one in Reembedding.objects.feeding() if one.second_space_id in served)


def spaces_needed(collection: Collection) -> list[uuid.UUID]:
    """The spaces in which a revision must be complete to be published: the active one, and while a switch is under way
    the other. The caller holds the collection."""
    moving = collection.reembeddings.filter(state__in=[Stage.SWITCHING, Stage.RETURNING])
    return [collection.active_space_id, *(one.second_space_id for one in moving)]


def stop_at(collection_id: uuid.UUID, space_id: uuid.UUID, detail: str) -> None:
    """A passage that cannot be encoded for a second space stops the re-embedding, and is no fault of the passage's
    document: that is found as before."""
    with _held(collection_id) as held:
        one = held.reembeddings.open().select_for_update().first()
        if one is None or one.second_space_id != space_id:
            return
        if one.state == Stage.PAUSED:
            backlog.unqueue(collection_id, space_id)
            return
        log.warning("Re-embedding of collection %s stops: %s", collection_id, detail)
        _rest(one, detail=detail)


def sweep() -> None:
    """Bring forward what waits for nobody: builds that are complete, switches, what is to be deleted."""
    for collection_id, space_id in backlog.spent():
        stop_at(collection_id, space_id, _STOPPED)
    for one in Reembedding.objects.filter(state=Stage.BUILDING, embedded_at__isnull=False):
        _finish_building(one)
    for one in Reembedding.objects.filter(state__in=[Stage.SWITCHING, Stage.RETURNING]):
        _go_on_switching(one)
    if Reembedding.objects.feeding().exists():
        bell.ring("embed")
    _drop_slices()


# --- Feeding ---


def _feed(reembedding: Reembedding) -> bool:
    with transaction.atomic():
        # Under the collection's lock, as publishing is: what is queued here is not superseded meanwhile. Whoever finds
        # it taken has others to feed from.
        held = Collection.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
        collection = held.filter(pk=reembedding.collection_id).first()
        one = Reembedding.objects.feeding().select_for_update().filter(pk=reembedding.pk).first()
        if collection is None or one is None:
            return False
        fed = backlog.queue_slice(
            collection.pk,
            one.second_space_id,
            after=(one.fed_revision, one.fed_ordinal),
            limit=SLICE,
            first=one.state != Stage.BUILDING,
        )
        if fed.chunks:
            _write_plainly(one, fed_revision=fed.revision, fed_ordinal=fed.ordinal, passed=F("passed") + fed.chunks)
            return True
        return _end_of_pass(one)


def _end_of_pass(one: Reembedding) -> bool:
    """Every live passage was looked at once. What has come meanwhile, or was put back, is found by another pass."""
    lacking = backlog.lacking(one.collection_id, one.second_space_id)
    if lacking.unqueued:
        _write(one, **_from_the_start(one))
        return True
    if lacking.any:
        return False
    if one.state == Stage.BUILDING:
        _write_plainly(one, embedded_at=Now(), total=backlog.live_chunks(one.collection_id))
        transaction.on_commit(lambda: bell.ring("sweep"))
    else:
        _swap(one)
    return False


def _from_the_start(one: Reembedding) -> dict[str, object]:
    """Columns with which the passages are looked at once more. What was done shows until it is reached again."""
    return {"fed_revision": None, "fed_ordinal": -1, "passed": 0, "done_before": progress_of(one).done}


# --- From one stage to the next ---


@contextmanager
def _held(collection_id: uuid.UUID) -> Iterator[Collection]:
    """The collection, locked as publishing locks it: its spaces and what is live in it do not change meanwhile."""
    with transaction.atomic():
        yield Collection.objects.select_for_update(no_key=True, of=("self",)).get(pk=collection_id)


@contextmanager
def _changing(reembedding: Reembedding, *stages: Stage) -> Iterator[Reembedding]:
    """The row as it is now, locked. Raises Refused when it is in none of these stages any more."""
    with _held(reembedding.collection_id):
        one = Reembedding.objects.select_for_update().get(pk=reembedding.pk)
        if one.state not in stages:
            raise Refused(_("This is not possible now: the state is “%(state)s”.") % {"state": one.get_state_display()})
        yield one
    reembedding.refresh_from_db()


def _write(one: Reembedding, **columns: object) -> None:
    """Another stage."""
    _write_plainly(one, changed_at=Now(), **columns)


def _write_plainly(one: Reembedding, **columns: object) -> None:
    Reembedding.objects.filter(pk=one.pk).update(**columns)


def _rest(one: Reembedding, *, detail: str) -> None:
    """No work of the second space stands on the queue any more; what was taken off it is looked at again."""
    columns = _from_the_start(one)
    backlog.unqueue(one.collection_id, one.second_space_id)
    if one.state in (Stage.SWITCHED, Stage.RETURNING):
        _write(one, state=Stage.SWITCHED, detail=detail, **columns)
    else:
        _write(one, state=Stage.PAUSED, detail=detail, embedded_at=None, **columns)


def _finish_building(one: Reembedding) -> None:
    """It is built when its index is there and the means per language are known."""
    if not spaces.is_ready(one.target):
        return
    LanguageMean.objects.refresh(one.collection)
    still = Reembedding.objects.filter(pk=one.pk, state=Stage.BUILDING, embedded_at__isnull=False)
    still.update(state=Stage.BUILT, changed_at=Now())


def _set_out(one: Reembedding, stage: Stage) -> None:
    """Switch now, or wait for the last passages and publish nothing that lacks them."""
    if backlog.lacking(one.collection_id, one.second_space_id).any:
        if one.state != stage:
            _write(one, state=stage, detail="", **_from_the_start(one))
        transaction.on_commit(lambda: bell.ring("embed"))
        return
    _swap(one)


def _swap(one: Reembedding) -> None:
    """The one row update. Queries that began before it go on in the space they began in: it is there still."""
    collection = Collection.objects.filter(pk=one.collection_id)
    if one.second_space_id == one.target_id:
        collection.update(active_space=one.target_id, previous_space=one.source_id, building_space=None)
        _write(one, state=Stage.SWITCHED, detail="", switched_at=Now())
    else:
        collection.update(active_space=one.source_id, previous_space=None, building_space=one.target_id)
        _write(one, state=Stage.BUILT, detail="", switched_at=None)
    log.info("Collection %s is searched in space %s.", one.collection_id, one.second_space_id)
    # What was read before the second space was there waits in the first alone.
    for revision in Revision.objects.filter(document__collection=one.collection_id, state=State.EMBEDDING):
        storing.queue(revision)
    transaction.on_commit(lambda: bell.ring("embed"))


def _go_on_switching(one: Reembedding) -> None:
    with _held(one.collection_id):
        current = Reembedding.objects.select_for_update().get(pk=one.pk)
        if current.state not in (Stage.SWITCHING, Stage.RETURNING):
            return
        late = Reembedding.objects.filter(pk=one.pk, changed_at__lt=Now() - PATIENCE).exists()
        if late and backlog.lacking(current.collection_id, current.second_space_id).any:
            back = Stage.BUILT if current.state == Stage.SWITCHING else Stage.SWITCHED
            _write(current, state=back, detail=_NOT_SERVED)
            return
        _set_out(current, Stage(current.state))


# --- What nobody needs any more ---


def _drop_slices() -> None:
    """Delete embeddings of spaces that their collection has given up, a slice a transaction, and the work that a worker
    had in its hands when that happened and gave back."""
    until = time.monotonic() + DROP_SECONDS
    for one in Reembedding.objects.filter(ended_at__gt=Now() - timedelta(hours=1)).select_related("collection"):
        if one.given_up_space_id not in one.collection.space_ids:
            backlog.unqueue(one.collection_id, one.given_up_space_id)
    for collection_id, space_id in backlog.given_up():
        while deleted := _drop_slice(collection_id, space_id):
            log.info("Deleted %s embeddings of collection %s in space %s.", deleted, collection_id, space_id)
            if time.monotonic() > until:
                return
        Collection.objects.filter(pk=collection_id).update(means_due=True)


def _drop_slice(collection_id: uuid.UUID, space_id: uuid.UUID) -> int:
    """Under the collection's lock: it may just have set out for that space again."""
    with transaction.atomic():
        held = Collection.objects.select_for_update(no_key=True, of=("self",)).filter(pk=collection_id).first()
        if held is None or space_id in held.space_ids:
            return 0
        return backlog.drop_slice(collection_id, space_id, DROP_SLICE)
