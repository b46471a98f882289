"""Receive: a file is kept and becomes a document, or a newer revision of one, due for reading."""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from kb import bell
from kb.ingestion import again
from kb.models import Collection, Document, Revision, State, User
from kb.reading import sniffing, text
from kb.reading.failures import Reason, Unreadable


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


def _retry_if_failed(revision: Revision, upload: _Upload) -> None:
    """The name may be what was wrong: the one it came with this time counts."""
    if revision.state in (State.FAILED, State.CANCELLED):
        Revision.objects.filter(pk=revision.pk).update(filename=upload.filename, media_type=upload.media_type)
        again.start(revision, from_states=(State.FAILED, State.CANCELLED))
