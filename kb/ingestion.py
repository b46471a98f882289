"""How a file becomes searchable: receive, read, embed, publish. The only writer of a revision's state.

What is due stands in rows and is claimed by one committed UPDATE, which counts the attempt and sets a lease *before*
anything is touched; every later write is fenced by that lease. So each step may run twice, late or at the same time,
and a killed worker costs its unit of work and nothing more.
"""

import hashlib
import logging
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path, PurePath
from time import monotonic
from typing import Any

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import F, Max, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from embeddings import serving, spaces
from embeddings.encoder import Embeddings, EncoderError, EncoderOutOfMemory
from kb import bell, chunking, storing
from kb.chunking import Passage
from kb.models import Collection, Document, EmbeddingWork, LanguageMean, Revision, State, User
from kb.models.document import UNFINISHED
from kb.models.revision import ATTEMPTS
from kb.reading import assembly, sandbox, sniffing, text
from kb.reading.assembly import Reading
from kb.reading.failures import Reason, Unreadable
from kb.reading.sections import About, Checkpoint, Item, Page, Progress, Warned

log = logging.getLogger(__name__)

UNIT_TOKENS = 4_096
"""Tokens an embed worker claims at a time: seconds of work on a CPU, a fraction of one on a GPU."""


class LeaseLost(Exception):
    """Someone else has this work now, or it was cancelled or deleted: whoever held it stops, and writes nothing."""


# --- Receive ---


@dataclass(frozen=True)
class Receipt:
    """What became of an upload: its document, and whether it is new here."""

    document: Document
    created: bool


def receive(
    collection: Collection,
    file: File,  # type: ignore[type-arg]
    filename: str,
    *,
    user: User | None,
    title: str = "",
    tags: Sequence[str] = (),
    metadata: dict[str, Any] | None = None,
) -> Receipt:
    """Keep a file and make it a document of the collection, due for reading.

    The same bytes again give the document they belong to; one that failed is tried again. When this returns inside a
    request that commits, the file and its row are durable. Raises Unreadable when the type is not supported.
    """
    upload = _inspect(file, filename)
    with transaction.atomic():
        _one_at_a_time(collection, upload.sha256)
        known = _holder_of(collection, upload.sha256)
        if known is not None:
            _retry_if_failed(known, upload)
            return Receipt(known.document, created=False)
        document = Document.objects.create(
            collection=collection,
            title=text.clean(title).strip()[:500] or _title_of(upload.filename),
            tags=list(dict.fromkeys(text.clean(tag).strip()[:100] for tag in tags if tag.strip())),
            metadata=metadata or {},
            created_by=user,
        )
        _add_revision(document, upload, user=user)
    return Receipt(document, created=True)


def receive_revision(document: Document, file: File, filename: str, *, user: User | None) -> Receipt:  # type: ignore[type-arg]
    """Keep a newer file of a document. The live revision serves until this one is wholly ready."""
    upload = _inspect(file, filename)
    with transaction.atomic():
        Document.objects.select_for_update().get(pk=document.pk)
        newest = document.revisions.order_by("-number").first()
        if newest is not None and newest.sha256 == upload.sha256:
            _retry_if_failed(newest, upload)
            return Receipt(document, created=False)
        _add_revision(document, upload, user=user)
    return Receipt(document, created=True)


@dataclass(frozen=True)
class _Upload:
    file: File  # type: ignore[type-arg]
    filename: str
    media_type: str
    sha256: str


def _inspect(file: File, filename: str) -> _Upload:  # type: ignore[type-arg]
    name = text.clean_filename(filename)
    media_type = sniffing.supported(name)
    if sniffing.is_old_word(name):
        raise Unreadable(
            Reason.UNSUPPORTED_TYPE,
            _("%(name)s is an old Word document. Save it as .docx in Word or LibreOffice and upload that.")
            % {"name": name},
        )
    if media_type is None:
        raise Unreadable(
            Reason.UNSUPPORTED_TYPE,
            _(
                "%(name)s is not a kind of file that can be read here. PDF, Word (.docx), PowerPoint (.pptx), "
                "Excel (.xlsx), OpenDocument, EPUB, Markdown, text, HTML, CSV and source code can."
            )
            % {"name": name},
        )
    file.seek(0)
    digest = hashlib.sha256()
    for block in file.chunks(1024 * 1024):
        digest.update(block)
    file.seek(0)
    return _Upload(file, name, media_type, digest.hexdigest())


def _one_at_a_time(collection: Collection, sha256: str) -> None:
    """Two uploads of the same bytes at the same moment must not make two documents."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{collection.pk}{sha256}"])


def _holder_of(collection: Collection, sha256: str) -> Revision | None:
    """The revision with these bytes in the collection that still counts: the newest or live one of its document."""
    same = Revision.objects.filter(document__collection=collection, sha256=sha256).select_related("document")
    counting = (
        one for one in same.order_by("-created_at") if one.pk in (one.document.shown.pk, one.document.newest.pk)
    )
    return next(counting, None)


def _add_revision(document: Document, upload: _Upload, *, user: User | None) -> None:
    last = document.revisions.aggregate(last=Max("number"))["last"] or 0
    stored = default_storage.save(f"{uuid.uuid4().hex[:2]}/{uuid.uuid4().hex}", upload.file)
    transaction.on_commit(lambda: bell.ring("read"))
    Revision.objects.create(
        document=document,
        number=last + 1,
        file=stored,
        filename=upload.filename,
        media_type=upload.media_type,
        size=upload.file.size,
        sha256=upload.sha256,
        uploaded_by=user,
    )


def _title_of(filename: str) -> str:
    return PurePath(filename).stem.replace("_", " ").strip()[:500] or filename


# --- Read ---


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
    lease = _claim_reading()
    if lease is None:
        return False
    revision = lease.revision
    try:
        _read(lease)
        log.info("Read %s: revision %s.", revision.filename, revision.pk)
    except Unreadable as failure:
        _fail_reading(lease, failure.reason, failure.detail)
    except LeaseLost:
        log.info("Revision %s was taken out of our hands.", revision.pk)
    except Exception as error:
        log.exception("Reading revision %s failed.", revision.pk)
        _try_again(lease, error)
    return True


def _claim_reading() -> _Lease | None:
    token = uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM_READING, {"token": token, "lease": settings.LEASE_SECONDS, "attempts": ATTEMPTS})
        row = cursor.fetchone()
    if row is None:
        return None
    revision = Revision.objects.select_related("document__collection__active_space").get(pk=row[0])
    return _Lease(revision, token, monotonic())


# The turn of each person's files, then age: a thousand files of one do not hold up the one file of another.
_CLAIM_READING = """
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
        storing.reuse_embeddings(revision)
        storing.queue(revision)
        transaction.on_commit(lambda: bell.ring("embed"))
    publish(revision.pk)


def split(reading: Reading, collection: Collection) -> list[Passage]:
    """The passages of a document with the settings of its collection."""
    # What the encoder does not read it cannot find again: no passage is larger than its window.
    maximum = min(collection.chunk_maximum, collection.active_space.max_tokens)
    target = min(collection.chunk_target, maximum)
    cut = chunking.split(reading, spaces.tokenizer(), target=target, maximum=maximum, overlap=collection.chunk_overlap)
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


def _fail_reading(lease: _Lease, reason: Reason, detail: str) -> None:
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
        _fail_reading(
            lease, Reason.INTERNAL, _("Reading failed %(n)s times: %(error)s") % {"n": ATTEMPTS, "error": error}
        )
        return
    try:
        lease.release(state=State.RECEIVED, next_attempt_at=Now() + _pause(lease.revision.attempts))
    except LeaseLost:
        log.info("Revision %s was taken out of our hands.", lease.revision.pk)


def _pause(attempts: int) -> timedelta:
    return timedelta(seconds=5 * 4 ** max(0, attempts - 1))


# --- Embed ---


def embed_next() -> bool:
    """Claim one unit of waiting chunks across all documents, encode them and publish what is complete. False when
    nothing was due in the space this process serves."""
    server = serving.server()
    token = uuid.uuid4()
    work = storing.claim_work(server.space_id, token, UNIT_TOKENS)
    if not work:
        return False
    texts = [one.text for one in work]
    try:
        embeddings = server.encode_passages(texts)
    except EncoderError as error:
        log.warning("A unit of %s chunks could not be encoded (%s); each is tried alone.", len(work), error)
        for one in work:
            _embed_alone(server, one, token)
        return True
    except Exception:
        # The device or a library failed, not a chunk: give everything back, so that another worker may try at once.
        storing.put_back(token, pause=timedelta(seconds=5))
        raise
    _write(server.space_id, token, work, embeddings)
    return True


def _embed_alone(server: serving.Server, one: storing.Work, token: uuid.UUID) -> None:
    try:
        embedding = server.encode_passages([one.text])
    except EncoderError as error:
        reason = Reason.ENCODER_OUT_OF_MEMORY if isinstance(error, EncoderOutOfMemory) else Reason.ENCODER_FAILED
        fail_embedding(one.revision_id, reason, str(error))
        return
    _write(server.space_id, token, [one], embedding)


def _write(space_id: uuid.UUID, token: uuid.UUID, work: Sequence[storing.Work], embeddings: Embeddings) -> None:
    with transaction.atomic():
        storing.write_embeddings(space_id, token, work, embeddings)
    for revision_id in dict.fromkeys(one.revision_id for one in work):
        publish(revision_id)


def fail_embedding(revision_id: uuid.UUID, reason: Reason, detail: str) -> None:
    """A revision whose chunks cannot all be encoded has failed as a whole; nothing of it is found."""
    with transaction.atomic():
        failed = Revision.objects.filter(pk=revision_id, state=State.EMBEDDING)
        if failed.update(state=State.FAILED, reason=reason, detail=detail):
            storing.forget(revision_id)
            log.info("Revision %s failed: %s: %s", revision_id, reason, detail)


# --- Publish ---


def publish(revision_id: uuid.UUID) -> bool:
    """Make a revision live when each of its chunks has a sound embedding of the active space; else do nothing.

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
        revision = Revision.objects.select_for_update().filter(pk=revision_id, state=State.EMBEDDING).first()
        if revision is None or not storing.is_complete(revision, collection.active_space_id):
            return False
        Revision.objects.filter(pk=revision_id).update(
            state=State.READY, published_at=Now(), progress_done=F("progress_total")
        )
        live = document.live_revision
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


# --- What people ask for ---


def retry(document: Document) -> bool:
    """Read the newest revision again from the start. False when it is neither failed nor cancelled."""
    newest = document.revisions.order_by("-number").first()
    return newest is not None and _start_again(newest, from_states=(State.FAILED, State.CANCELLED))


def reindex(document: Document) -> bool:
    """Read the newest revision again whatever became of it, with today's reader and chunk sizes, as a new revision
    of the same file: the live one serves until it is ready."""
    with transaction.atomic():
        Document.objects.select_for_update().get(pk=document.pk)
        newest = document.revisions.select_for_update().order_by("-number").first()
        if newest is None or newest.state in UNFINISHED:
            return False
        if newest.state != State.READY:
            return _start_again(newest, from_states=(State.FAILED, State.CANCELLED))
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
            _start_again(one, from_states=(State.FAILED, State.CANCELLED))
        transaction.on_commit(lambda: _ring_for(len(ended)))
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


def _retry_if_failed(revision: Revision, upload: _Upload) -> None:
    """The name may be what was wrong: the one it came with this time counts."""
    if revision.state in (State.FAILED, State.CANCELLED):
        Revision.objects.filter(pk=revision.pk).update(filename=upload.filename, media_type=upload.media_type)
        _start_again(revision, from_states=(State.FAILED, State.CANCELLED))


def _start_again(revision: Revision, *, from_states: Sequence[State]) -> bool:
    with transaction.atomic():
        started = Revision.objects.filter(pk=revision.pk, state__in=from_states).update(
            state=State.RECEIVED, reason="", detail="", warnings=[], attempts=0, next_attempt_at=Now()
        )
        if started:
            storing.forget(revision.pk)
            transaction.on_commit(lambda: bell.ring("read"))
    return bool(started)


def _delete_files(names: Sequence[str]) -> None:
    still_used = set(Revision.objects.filter(file__in=names).values_list("file", flat=True))
    for name in names:
        if name not in still_used:
            default_storage.delete(name)


# --- Sweep ---


def sweep() -> None:
    """Look at everything that is due whether or not a message for it arrived; bring to an end what ran out of
    attempts; ring the workers. Safe at any time, in any number."""
    _fail_exhausted()
    _ring_for(Revision.objects.due_for_reading().count())
    if EmbeddingWork.objects.filter(next_attempt_at__lte=Now()).exists():
        bell.ring("embed")
    for revision_id in storing.complete_but_unpublished():
        publish(revision_id)
    for collection in Collection.objects.filter(means_due=True):
        refresh_means(collection)


def _ring_for(due: int) -> None:
    """A message for each revision that is due, up to what the readers have done before the next sweep."""
    for _n in range(min(50, due)):
        bell.ring("read")


def refresh_means(collection: Collection) -> None:
    """Bring the collection's means per language up to date with its live passages."""
    with transaction.atomic():
        Collection.objects.filter(pk=collection.pk).update(means_due=False)
        LanguageMean.objects.refresh(collection)


def _fail_exhausted() -> None:
    detail = _("The reader was stopped %(n)s times while it read this file; it may be too heavy.") % {"n": ATTEMPTS}
    spent = Revision.objects.due_for_reading().filter(attempts__gte=ATTEMPTS)
    spent.update(
        state=State.FAILED, reason=Reason.READER_CRASHED, detail=detail, lease_token=None, lease_expires_at=None
    )
    for revision_id in storing.out_of_attempts():
        fail_embedding(
            revision_id, Reason.ENCODER_FAILED, _("The encoder was stopped %(n)s times at this text.") % {"n": ATTEMPTS}
        )
