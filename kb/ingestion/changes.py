"""What people ask for once a document is there: read it again, stop, delete."""

from collections.abc import Sequence

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet

from kb import bell, storing
from kb.ingestion import again
from kb.models import Collection, Document, Revision, State
from kb.models.document import UNFINISHED


def retry(document: Document) -> bool:
    """Read the newest revision again from the start. False when it is neither failed nor cancelled."""
    newest = document.revisions.order_by("-number").first()
    return newest is not None and again.start(newest, from_states=(State.FAILED, State.CANCELLED))


def reindex(document: Document) -> bool:
    """Read the newest revision again whatever became of it, with today's reader and chunk sizes, as a new revision
    of the same file: the live one serves until it is ready."""
    with transaction.atomic():
        Document.objects.select_for_update().get(pk=document.pk)
        newest = document.revisions.select_for_update().order_by("-number").first()
        if newest is None or newest.state in UNFINISHED:
            return False
        if newest.state != State.READY:
            return again.start(newest, from_states=(State.FAILED, State.CANCELLED))
        _next_of(newest).save(force_insert=True)
        transaction.on_commit(lambda: bell.ring("read"))
    return True


def reindex_all(collection: Collection) -> int:
    """`reindex` every document of a collection in one transaction. Returns their number, less those being read."""
    with transaction.atomic():
        documents = Document.objects.select_for_update().filter(collection=collection).order_by("pk")
        ids = list(documents.values_list("pk", flat=True))
        newest = Revision.objects.filter(document__in=ids).order_by("document_id", "-number").distinct("document_id")
        ended = [one for one in newest if one.state not in UNFINISHED]
        Revision.objects.bulk_create([_next_of(one) for one in ended if one.state == State.READY])
        for one in ended:
            again.start(one, from_states=(State.FAILED, State.CANCELLED))
        transaction.on_commit(lambda: bell.ring_for_each(len(ended)))
    return len(ended)


def _next_of(revision: Revision) -> Revision:
    """A revision of the same file, not saved yet."""
    return Revision(
        document_id=revision.document_id,
        number=revision.number + 1,
        file=revision.file.name,
        filename=revision.filename,
        media_type=revision.media_type,
        size=revision.size,
        sha256=revision.sha256,
        uploaded_by_id=revision.uploaded_by_id,
    )


def cancel(document: Document) -> bool:
    """Stop work on the newest revision. A live one goes on serving. False when there is nothing to stop."""
    with transaction.atomic():
        newest = document.revisions.select_for_update().order_by("-number").first()
        if newest is None or newest.state not in UNFINISHED:
            return False
        Revision.objects.filter(pk=newest.pk).update(state=State.CANCELLED, lease_token=None, lease_expires_at=None)
        storing.forget(newest.pk)
    return True


def remove(documents: QuerySet[Document]) -> int:
    """Delete documents with all that was made of them, in one transaction; their files follow its commit.

    From the commit on no query finds them. Returns their number.
    """
    with transaction.atomic():
        ids = list(documents.order_by().values_list("pk", flat=True))
        doomed = Document.objects.filter(pk__in=ids)
        Collection.objects.filter(documents__in=doomed).update(means_due=True)
        list(doomed.select_for_update().order_by("pk"))
        revisions = Revision.objects.filter(document__in=ids)
        list(revisions.select_for_update().order_by("pk"))
        files = list(revisions.order_by().values_list("file", flat=True).distinct())
        doomed._raw_delete(using=doomed.db)  # the database cascades, Django need not look
        transaction.on_commit(lambda: _delete_files(files))
    return len(ids)


def remove_collection(collection: Collection) -> None:
    """Delete a collection with everything in it."""
    with transaction.atomic():
        Collection.objects.select_for_update().filter(pk=collection.pk).first()
        files = list(Revision.objects.filter(document__collection=collection).values_list("file", flat=True).distinct())
        collection.delete()
        transaction.on_commit(lambda: _delete_files(files))


def _delete_files(names: Sequence[str]) -> None:
    still_used = set(Revision.objects.filter(file__in=names).values_list("file", flat=True))
    for name in names:
        if name and name not in still_used:  # what is measured has none
            default_storage.delete(name)
