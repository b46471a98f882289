"""`manage.py doctor`: are the invariants kept? Reads only Postgres and the files."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand
from django.db import connection
from django.utils import timezone

from embeddings import queries
from embeddings.models import Space
from kb import ingestion, spaces, storing
from kb.models import Collection, Revision
from kb.reading.confined import tesseract


class Command(BaseCommand):
    help = "Check every accepted file, every chunk and every embedding; exit status 1 if something is wrong."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--repair", action="store_true", help="Mend what can be mended, then check again.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["repair"]:
            _repair()
        self.stdout.write(_recognition())
        for line in [*_serving(), *_without_stems()]:
            self.stdout.write(line)
        found = [(name, finding) for name, check in CHECKS.items() for finding in check()]
        for name, finding in found:
            self.stdout.write(f"{name}: {finding}")
        if found:
            raise SystemExit(1)
        self.stdout.write(f"All is well: {len(CHECKS)} checks.")


def _recognition() -> str:
    """Which scans are recognised. Nothing is wrong where some are not: each of them says so."""
    found = tesseract.installed()
    if found is None:
        return "Scans are not recognised: Tesseract is not installed."
    wanted = {one for collection in Collection.objects.all() for one in collection.reading_options.ocr_languages}
    missing = ", ".join(sorted(wanted - found.languages))
    there = ", ".join(sorted(wanted & found.languages)) or "no language that a collection names"
    return f"Scans are recognised in {there}." + (f" Tesseract has no data for {missing}." if missing else "")


def _serving() -> Iterator[str]:
    """Spaces for which nobody answers. Nothing is wrong with the data, and an encoder that starts answers soon."""
    try:
        away = [space.name for space in spaces.wanted() if not queries.is_answering(space.pk)]
    except redis.RedisError:
        return
    if away:
        yield f"No process serves the encoder of {', '.join(away)} now: there search goes by words alone."


def _without_stems() -> Iterator[str]:
    """Passages split before there were stems. Nothing is wrong with them, but other forms of their words do not find
    them."""
    count = storing.without_stems()
    if count:
        yield f"{count} passages are found by their words as they stand alone: --repair adds other forms of them."


def _files() -> Iterator[str]:
    """Every accepted upload has its file, with its bytes."""
    for revision in Revision.objects.order_by("created_at").iterator(chunk_size=500):
        if not default_storage.exists(revision.stored_name):
            yield f"the file of revision {revision.pk} ({revision.filename}) is gone."
            continue
        with default_storage.open(revision.stored_name) as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != revision.sha256:
                yield f"the file of revision {revision.pk} ({revision.filename}) is not what was uploaded."


def _orphaned_files() -> Iterator[str]:
    """No file without a row is older than an hour."""
    for path in _orphans():
        yield f"{path} belongs to no revision."


def _orphans() -> Iterator[Path]:
    known = set(Revision.objects.values_list("file", flat=True))
    an_hour_ago = (timezone.now() - timedelta(hours=1)).timestamp()
    for path in Path(settings.MEDIA_ROOT).rglob("*"):
        old = path.is_file() and path.stat().st_mtime < an_hour_ago
        if old and str(path.relative_to(settings.MEDIA_ROOT)) not in known:
            yield path


def _by_sql(statement: str, sentence: str) -> Callable[[], Iterator[str]]:
    def check() -> Iterator[str]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            for row in cursor.fetchall():
                yield sentence.format(*row)

    return check


def _indexes() -> Iterator[str]:
    """The index that a search would ask is there, and whole."""
    for space in Space.objects.exclude(indexed=""):
        if not any(index.kind == space.indexed and index.built is None for index in spaces.indexes(space)):
            yield f"the index of space {space.name} is gone or not whole."


def _repair() -> None:
    """Publish what is complete, ring for what is due, bring the means up to date, delete files nobody knows, add stems
    where none were looked for."""
    Collection.objects.update(means_due=True)
    ingestion.sweep()
    for path in list(_orphans()):
        path.unlink()
    storing.add_stems()


CHECKS: dict[str, Callable[[], Iterator[str]]] = {
    "files": _files,
    "orphaned files": _orphaned_files,
    "ordinals": _by_sql(
        """SELECT revision_id, count(*), min(ordinal), max(ordinal) FROM kb_chunk GROUP BY 1
           HAVING min(ordinal) <> 0 OR max(ordinal) <> count(*) - 1""",
        "the {1} chunks of revision {0} are numbered {2} to {3}.",
    ),
    "places": _by_sql(
        # Characters are counted from the beginning of a text: a long one is cut to parts first, each chunk out of its
        # part, so that the time does not grow with the square of the length.
        """SELECT misplaced.id, t.revision_id FROM kb_revisiontext t, LATERAL (
             WITH whole AS MATERIALIZED (SELECT t.text || '' AS text, max("end" - start) AS longest
                                         FROM kb_chunk WHERE revision_id = t.revision_id),
             part AS MATERIALIZED (SELECT number, substr(text, number * 50000 + 1, 50000 + longest) AS text
                                   FROM whole, generate_series(0, length(text) / 50000) AS number)
             SELECT c.id FROM kb_chunk c LEFT JOIN part ON part.number = c.start / 50000
             WHERE c.revision_id = t.revision_id
               AND substr(part.text, c.start % 50000 + 1, c."end" - c.start) IS DISTINCT FROM c.text) AS misplaced""",
        "chunk {0} of revision {1} is not the text at its place.",
    ),
    "ready": _by_sql(
        """SELECT r.id FROM kb_revision r WHERE r.state = 'ready'
           AND NOT EXISTS (SELECT FROM kb_chunk c WHERE c.revision_id = r.id)""",
        "revision {0} is ready with nothing in it.",
    ),
    "embeddings": _by_sql(
        """SELECT c.id, d.title FROM kb_document d JOIN kb_collection k ON k.id = d.collection_id
           JOIN kb_chunk c ON c.revision_id = d.live_revision_id
           LEFT JOIN kb_embedding e ON e.chunk_id = c.id AND e.space_id = k.active_space_id
           WHERE e.chunk_id IS NULL OR abs(l2_norm(e.embedding) - 1) > 0.01""",
        "chunk {0} of “{1}” has no sound embedding in the active space.",
    ),
    "sizes": _by_sql(
        """SELECT e.chunk_id, s.name FROM kb_embedding e JOIN embeddings_space s ON s.id = e.space_id
           WHERE vector_dims(e.embedding) <> s.dimensions""",
        "the embedding of chunk {0} is not of the size of space {1}.",
    ),
    "spaces": _by_sql(
        # Those of a space that was given up go slice by slice: for an hour that is no fault.
        """SELECT count(*), k.name, s.name FROM kb_embedding e JOIN kb_collection k ON k.id = e.collection_id
           JOIN embeddings_space s ON s.id = e.space_id
           WHERE s.id <> k.active_space_id AND s.id IS DISTINCT FROM k.building_space_id
             AND s.id IS DISTINCT FROM k.previous_space_id
             AND NOT EXISTS (SELECT FROM kb_reembedding x WHERE x.collection_id = k.id
                             AND x.ended_at > now() - interval '1 hour')
           GROUP BY 2, 3""",
        "{0} embeddings of “{1}” are in space {2}, which is not one of its spaces.",
    ),
    "second space": _by_sql(
        """SELECT k.name, x.state FROM kb_reembedding x JOIN kb_collection k ON k.id = x.collection_id
           WHERE x.state NOT IN ('finished', 'cancelled')
             AND (CASE WHEN x.state IN ('switched', 'returning') THEN (x.target_id, NULL::uuid, x.source_id)
                  ELSE (x.source_id, x.target_id, NULL::uuid) END)
               IS DISTINCT FROM (k.active_space_id, k.building_space_id, k.previous_space_id)""",
        "the re-embedding of “{0}” is {1}, and the collection is in other spaces.",
    ),
    "indexes": _indexes,
    "repeated ids": _by_sql(
        """SELECT e.chunk_id FROM kb_embedding e JOIN kb_chunk c ON c.id = e.chunk_id
           JOIN kb_revision r ON r.id = c.revision_id JOIN kb_document d ON d.id = r.document_id
           WHERE (e.revision_id, e.collection_id) <> (c.revision_id, d.collection_id)""",
        "the embedding of chunk {0} names another revision or collection than its chunk.",
    ),
    "superseded": _by_sql(
        """SELECT DISTINCT e.revision_id FROM kb_embedding e JOIN kb_revision r ON r.id = e.revision_id
           JOIN kb_document d ON d.id = r.document_id
           WHERE r.state IN ('failed', 'cancelled')
              OR r.state = 'ready' AND d.live_revision_id IS DISTINCT FROM r.id""",
        "revision {0} is not live and has embeddings.",
    ),
    "live": _by_sql(
        """SELECT r.id, d.title FROM kb_revision r JOIN kb_document d ON d.id = r.document_id
           LEFT JOIN kb_revision live ON live.id = d.live_revision_id
           WHERE r.state = 'ready' AND r.number > coalesce(live.number, 0)""",
        "revision {0} of “{1}” is ready and newer than the live one.",
    ),
    "work": _by_sql(
        """SELECT r.id, r.state FROM kb_embeddingwork w JOIN kb_chunk c ON c.id = w.chunk_id
           JOIN kb_revision r ON r.id = c.revision_id JOIN kb_document d ON d.id = r.document_id
           JOIN kb_collection k ON k.id = d.collection_id
           WHERE w.space_id = k.active_space_id AND r.state <> 'embedding' GROUP BY 1, 2""",
        "revision {0} is {1} and has chunks waiting for the encoder.",
    ),
    "stuck": _by_sql(
        """SELECT id, filename, state FROM kb_revision WHERE state IN ('received', 'reading', 'embedding')
           AND greatest(created_at, next_attempt_at, coalesce(lease_expires_at, created_at)) < now() - interval '1 hour'
           AND NOT EXISTS (SELECT FROM kb_embeddingwork w JOIN kb_chunk c ON c.id = w.chunk_id
                           WHERE c.revision_id = kb_revision.id)""",
        "revision {0} ({1}) has been {2} for more than an hour.",
    ),
    "attempts": _by_sql(
        "SELECT chunk_id, attempts FROM kb_embeddingwork WHERE attempts > 3",
        "chunk {0} was tried {1} times.",
    ),
}
