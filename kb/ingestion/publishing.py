"""Publish: a revision goes live when each of its chunks has its embedding, or fails as a whole."""

import logging
import uuid

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from kb import reembedding, storing
from kb.models import Collection, Document, Revision, State
from kb.reading.failures import Reason

log = logging.getLogger(__name__)


def publish(revision_id: uuid.UUID) -> bool:
    """Make a revision live when each of its chunks has a sound embedding of the active space, and while a switch is
    under way of the other one too; else do nothing.

    One transaction: the new revision is found from its commit on, and the one before is not. A revision older than
    the live one becomes ready without taking its place.
    """
    with transaction.atomic():
        # Locks are taken from the outside in, here and everywhere: collection, document, revision, what is below.
        held = Collection.objects.select_for_update(no_key=True, of=("self",))
        collection = held.filter(documents__revisions=revision_id).first()
        document = Document.objects.select_for_update().filter(revisions=revision_id).first()
        if collection is None or document is None:
            return False
        # Both at once, in the order in which embeddings are written: by id.
        held_revisions = {r.pk: r for r in _with_live(document, revision_id).select_for_update().order_by("pk")}
        revision = held_revisions.get(revision_id)
        if revision is None or revision.state != State.EMBEDDING or not _is_complete(revision, collection):
            return False
        Revision.objects.filter(pk=revision_id).update(
            state=State.READY, published_at=Now(), progress_done=F("progress_total")
        )
        live = next((r for r in held_revisions.values() if r.pk == document.live_revision_id), None)
        if live is not None and live.number > revision.number:
            storing.forget_embeddings(revision_id)
            return True
        document.live_revision = revision
        document.save(update_fields=["live_revision", "updated_at"])
        if live is not None:
            storing.forget_embeddings(live.pk)
        Collection.objects.filter(pk=collection.pk).update(means_due=True)
    log.info("Published %s: revision %s of document %s.", revision.filename, revision.number, document.pk)
    return True


def _with_live(document: Document, revision_id: uuid.UUID) -> QuerySet[Revision]:
    return Revision.objects.filter(pk__in=[revision_id, document.live_revision_id or revision_id])


def _is_complete(revision: Revision, collection: Collection) -> bool:
    return all(storing.is_complete(revision, space_id) for space_id in reembedding.spaces_needed(collection))


def fail(revision_id: uuid.UUID, reason: Reason, detail: str) -> None:
    """A revision whose chunks cannot all be encoded has failed as a whole; nothing of it is found."""
    with transaction.atomic():
        failed = Revision.objects.filter(pk=revision_id, state=State.EMBEDDING)
        if failed.update(state=State.FAILED, reason=reason, detail=detail):
            storing.forget(revision_id)
            log.info("Revision %s failed: %s: %s", revision_id, reason, detail)
