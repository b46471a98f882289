"""Read: a file, or a part of a long one, becomes chunks with work for the encoder."""

import logging
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from embeddings import spaces
from embeddings.models import Space
from kb import bell, chunking, storing
from kb.chunking import Passage
from kb.ingestion import publishing
from kb.models import Collection, Revision, State
from kb.models.revision import ATTEMPTS
from kb.reading import assembly, sniffing
from kb.reading.assembly import Reading
from kb.reading.confined import sandbox
from kb.reading.failures import Reason, Unreadable
from kb.reading.sections import About, Checkpoint, Item, Page, Progress, Warned

log = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Someone else has this work now, or it was cancelled or deleted: whoever held it stops, and writes nothing."""


@dataclass
class _Lease:
    """A revision in our hands, renewed while its file is read."""

    revision: Revision
    token: uuid.UUID
    renewed_at: float
    progress: Progress = field(default_factory=lambda: Progress(0, 0))

    def keep(self) -> None:
        """Renew the lease and show the progress, a few times a lease. Raises LeaseLost."""
        if monotonic() - self.renewed_at < settings.LEASE_SECONDS / 5:
            return
        self.renewed_at = monotonic()
        kept = self._ours().update(
            lease_expires_at=Now() + timedelta(seconds=settings.LEASE_SECONDS),
            progress_done=self.progress.done,
            progress_total=self.progress.total,
        )
        if not kept:
            raise LeaseLost

    def release(self, **columns: Any) -> None:
        """Write the outcome and give the lease back. Raises LeaseLost, and writes nothing, when it is not ours."""
        if not self._ours().update(lease_token=None, lease_expires_at=None, **columns):
            raise LeaseLost

    def _ours(self) -> QuerySet[Revision]:
        return Revision.objects.filter(pk=self.revision.pk, lease_token=self.token)


def read_next() -> bool:
    """Claim the revision whose turn it is, read it, and store its chunks. False when none was due."""
    lease = _claim()
    if lease is None:
        return False
    revision = lease.revision
    try:
        _read(lease)
        log.info("Read %s: revision %s.", revision.filename, revision.pk)
    except Unreadable as failure:
        _fail(lease, failure.reason, failure.detail)
    except LeaseLost:
        log.info("Revision %s was taken out of our hands.", revision.pk)
    except Exception as error:
        log.exception("Reading revision %s failed.", revision.pk)
        _try_again(lease, error)
    return True


def _claim() -> _Lease | None:
    token = uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"token": token, "lease": settings.LEASE_SECONDS, "attempts": ATTEMPTS})
        row = cursor.fetchone()
    if row is None:
        return None
    revision = Revision.objects.select_related("document__collection__active_space").get(pk=row[0])
    return _Lease(revision, token, monotonic())


# The turn of each person's files, then age: a thousand files of one do not hold up the one file of another.
_CLAIM = """
WITH due AS (
  SELECT id, created_at, row_number() OVER (PARTITION BY uploaded_by_id ORDER BY created_at) AS turn FROM kb_revision
  WHERE attempts < %(attempts)s AND ((state = 'received' AND next_attempt_at <= statement_timestamp())
     OR (state = 'reading' AND lease_expires_at < statement_timestamp()))
), next AS (
  SELECT r.id FROM kb_revision r JOIN due ON due.id = r.id
  WHERE (r.state = 'received' AND r.next_attempt_at <= statement_timestamp())
     OR (r.state = 'reading' AND r.lease_expires_at < statement_timestamp())
  ORDER BY due.turn, due.created_at LIMIT 1 FOR UPDATE OF r SKIP LOCKED
)
UPDATE kb_revision SET state = 'reading', attempts = attempts + 1, lease_token = %(token)s,
  lease_expires_at = statement_timestamp() + make_interval(secs => %(lease)s)
WHERE id IN (SELECT id FROM next) RETURNING id
"""


def _read(lease: _Lease) -> None:
    """Read the file, or the next part of one that is long: then the rest waits its turn among the other files."""
    revision = lease.revision
    items = list(_noting(lease, _items(lease, begin=storing.checkpoint(revision))))
    if items and isinstance(items[-1], Checkpoint):
        with transaction.atomic():
            lease.release(
                state=State.RECEIVED,
                attempts=0,
                next_attempt_at=Now(),
                progress_done=items[-1].page - 1,
                progress_total=lease.progress.total,
            )
            storing.keep_part(revision, items[:-1], items[-1])
            transaction.on_commit(lambda: bell.ring("read"))
        return
    _finish(lease, [*storing.items(revision), *items])


def _finish(lease: _Lease, items: Sequence[Item]) -> None:
    """Split and store a document of which all items are there."""
    revision = lease.revision
    reading = assembly.read_document(items)
    if len(reading.text.encode()) > sandbox.TEXT_BYTES:
        raise sandbox.too_much_text(sandbox.TEXT_BYTES)
    passages = split(reading, revision.document.collection)
    if not passages:
        raise Unreadable(Reason.NO_TEXT, _("There is no text in this file."))
    if len(passages) > storing.CHUNK_LIMIT:
        raise Unreadable(Reason.TOO_MUCH_TEXT, _("This file has more passages than the limit; split it into parts."))
    about = next((item for item in items if isinstance(item, About)), None)
    warnings = [{"code": item.code, "detail": item.detail} for item in items if isinstance(item, Warned)]
    with transaction.atomic():
        lease.release(
            state=State.EMBEDDING,
            language=chunking.main_language(passages),
            reader=f"{about.reader} {about.version}" if about else "",
            pages=sum(isinstance(item, Page) for item in items) or None,
            warnings=warnings,
            progress_done=0,
            progress_total=len(passages),
        )
        storing.store(revision, reading, passages)
        reused = min(len(passages), storing.reuse_embeddings(revision))
        Revision.objects.filter(pk=revision.pk).update(progress_done=reused)
        storing.queue(revision)
        transaction.on_commit(lambda: bell.ring("embed"))
    publishing.publish(revision.pk)


def split(reading: Reading, collection: Collection) -> list[Passage]:
    """The passages of a document with the settings of its collection."""
    # What the encoder does not read it cannot find again: no passage is larger than its window, nor than that of the
    # encoder which the collection may be searched with tomorrow.
    windows = Space.objects.filter(pk__in=collection.space_ids).values_list("max_tokens", flat=True)
    maximum = min(collection.chunk_maximum, *windows)
    target = min(collection.chunk_target, maximum)
    cut = chunking.split(
        reading,
        spaces.tokenizer_of(collection.active_space),
        target=target,
        maximum=maximum,
        overlap=collection.chunk_overlap,
    )
    return chunking.settle_languages(cut)


def _items(lease: _Lease, *, begin: Checkpoint | None) -> Iterator[Item]:
    path = Path(default_storage.path(lease.revision.stored_name))
    if not path.is_file():
        raise Unreadable(Reason.FILE_MISSING, _("The stored file is gone. Upload it again."))
    sniffing.check(path, lease.revision.media_type)
    options = lease.revision.document.collection.reading_options
    return sandbox.read(path, lease.revision.media_type, options=options, begin=begin, on_alive=lease.keep)


def _noting(lease: _Lease, items: Iterator[Item]) -> Iterator[Item]:
    """The items, the progress taken off as it passes."""
    for item in items:
        if isinstance(item, Progress):
            lease.progress = item
        else:
            yield item


def _fail(lease: _Lease, reason: Reason, detail: str) -> None:
    log.info("Revision %s (%s) failed: %s: %s", lease.revision.pk, lease.revision.filename, reason, detail)
    try:
        with transaction.atomic():
            lease.release(state=State.FAILED, reason=reason, detail=detail)
            storing.forget(lease.revision.pk)
    except LeaseLost:
        log.info("Revision %s was taken out of our hands.", lease.revision.pk)


def _try_again(lease: _Lease, error: Exception) -> None:
    """The world is bad, not the file: wait and read again, or say so after the last attempt."""
    if lease.revision.attempts >= ATTEMPTS:
        _fail(lease, Reason.INTERNAL, _("Reading failed %(n)s times: %(error)s") % {"n": ATTEMPTS, "error": error})
        return
    try:
        lease.release(state=State.RECEIVED, next_attempt_at=Now() + _pause(lease.revision.attempts))
    except LeaseLost:
        log.info("Revision %s was taken out of our hands.", lease.revision.pk)


def _pause(attempts: int) -> timedelta:
    return timedelta(seconds=5 * 4 ** max(0, attempts - 1))
