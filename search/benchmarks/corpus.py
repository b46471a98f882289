"""A corpus for measuring search: real sentences shuffled, and embeddings made up with the structure of real ones.

Written straight into the tables with COPY, as 100,000 chunks through the encoder would take hours.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
from django.db import connection
from pgvector import HalfVector
from pgvector.psycopg import register_vector

from embeddings.encoder import Embeddings
from embeddings.models import Space
from kb import boundaries, ingestion, lexemes, spaces
from kb.management.commands.demo import CORPUS
from kb.models import Collection, User

SHARES = {"10 %": 0.1, "1 %": 0.01, "0.1 %": 0.001, "0.05 %": 0.0005}
"""What part of all chunks the smaller collections hold; the rest is in one of its own."""

LANGUAGES = ("en", "de", "es", "zh", "ar")
CHUNKS_A_DOCUMENT = 10
_BODIES = 400
"""Different texts of each language; what tells one chunk from another of the same text is its number."""

_SENTENCES = 6
_TOPICS = 1_000
_FACTORS = 48
"""Encoders' embeddings of many dimensions spread over few: about so many directions hold what a text says."""


class Corpus:
    """Chunks in scratch collections of a scratch person, in a space of its own. `with` leaves nothing behind."""

    def __init__(self, chunks: int, dimensions: int) -> None:
        self.chunks = chunks
        self.shapes = Shapes(dimensions)
        self._random = np.random.default_rng(0)

    def __enter__(self) -> "Corpus":
        name = f"bench-{uuid.uuid4().hex[:12]}"
        self.user = User.objects.create(username=name)
        self.space = Space.objects.create(
            id=uuid.uuid4(),
            name=name,
            model=name,
            fingerprint=name,
            dimensions=self.shapes.dimensions,
            dtype="float16",
            max_tokens=512,
        )
        self.collections = {
            share: Collection.objects.create(name=f"{name} {share}", owner=self.user, active_space=self.space)
            for share in (*SHARES, "the rest")
        }
        self._fill()
        return self

    def __exit__(self, *exception: object) -> None:
        for collection in self.collections.values():
            ingestion.remove_collection(collection)
        with connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX IF EXISTS {spaces.index_name(self.space, self.space.storage)}")
        self.space.delete()
        self.user.delete()

    def _fill(self) -> None:
        self.languages = self._random.choice(LANGUAGES, size=self.chunks)
        places = self._places()
        documents = [uuid.uuid4() for _ in range(-(-self.chunks // CHUNKS_A_DOCUMENT))]
        revisions = [uuid.uuid4() for _ in documents]
        self.chunk_ids = [uuid.uuid4() for _ in range(self.chunks)]
        now = datetime.now(UTC)
        _copy(
            "kb_document (id, collection_id, title, tags, metadata, created_at, updated_at)",
            ((d, places[n], f"Document {n}", [], "{}", now, now) for n, d in enumerate(documents)),
        )
        _copy("kb_revision (" + ", ".join(_REVISION) + ")", self._revisions(documents, revisions, now))
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE kb_document d SET live_revision_id = r.id FROM kb_revision r "
                "WHERE r.document_id = d.id AND d.collection_id = ANY(%s)",
                [[collection.pk for collection in self.collections.values()]],
            )
        _copy("kb_chunk (" + ", ".join(_CHUNK) + ")", self._chunk_rows(revisions))
        self.embeddings = self.shapes.passages(self.languages, self._random)
        self._write_embeddings(revisions, places)
        self.index()
        for collection in self.collections.values():
            ingestion.refresh_means(collection)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE kb_chunk, kb_embedding, kb_document, kb_revision")

    def index(self) -> None:
        """Build the index of its space."""
        spaces.build(self.space)

    def _places(self) -> list[uuid.UUID]:
        """The collection of each document; the smaller ones come first, each at least one document large."""
        documents = -(-self.chunks // CHUNKS_A_DOCUMENT)
        places: list[uuid.UUID] = []
        for share, part in SHARES.items():
            places += [self.collections[share].pk] * max(1, round(documents * part))
        return places + [self.collections["the rest"].pk] * (documents - len(places))

    @staticmethod
    def _revisions(documents: list[uuid.UUID], revisions: list[uuid.UUID], now: datetime) -> Iterator[tuple[Any, ...]]:
        for document, revision in zip(documents, revisions, strict=True):
            yield (
                *(revision, document, 1, "bench", "bench.md", "text/markdown", 1, "", now, "ready", "", "", "[]"),
                *("", "", 0, 0, 0, now, now),
            )

    def _chunk_rows(self, revisions: list[uuid.UUID]) -> Iterator[tuple[Any, ...]]:
        bodies = {language: _Bodies(language, self._random) for language in LANGUAGES}
        picks = self._random.integers(0, _BODIES, self.chunks)
        for n, (chunk_id, language, pick) in enumerate(zip(self.chunk_ids, self.languages, picks, strict=True)):
            text, vector = bodies[language].numbered(pick, n)
            ordinal = n % CHUNKS_A_DOCUMENT
            start = ordinal * 10_000
            where = (chunk_id, revisions[n // CHUNKS_A_DOCUMENT], ordinal, start, start + len(text))
            yield (*where, text, [], "", "text", "{}", str(language), len(text) // 4 + 1, str(n), vector)

    def _write_embeddings(self, revisions: list[uuid.UUID], places: list[uuid.UUID]) -> None:
        connection.ensure_connection()
        register_vector(connection.connection)
        with connection.cursor() as cursor:
            halfvec = cursor.cursor.connection.adapters.types["halfvec"].oid
            columns = "(chunk_id, space_id, revision_id, collection_id, language, embedding)"
            with cursor.cursor.copy(f"COPY kb_embedding {columns} FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(["uuid", "uuid", "uuid", "uuid", "varchar", halfvec])
                for n, (chunk_id, language) in enumerate(zip(self.chunk_ids, self.languages, strict=True)):
                    document = n // CHUNKS_A_DOCUMENT
                    ids = (chunk_id, self.space.pk, revisions[document], places[document])
                    copy.write_row((*ids, str(language), HalfVector(self.embeddings[n])))

    def queries(self, count: int) -> list["Asked"]:
        """Questions with their embeddings, each near a chunk of another language or its own; one in four has the
        number of the chunk in its words."""
        bodies = {language: _Bodies(language, self._random) for language in LANGUAGES}
        asked = []
        for place in self._random.integers(0, self.chunks, count):
            language = str(self._random.choice(LANGUAGES))
            words = bodies[language].words(self._random)
            number = f" KB-{place}/7" if self._random.random() < 0.25 else ""
            asked.append(Asked(words + number, language, self.shapes.query(place, language, self._random)))
        return asked


@dataclass(frozen=True)
class Asked:
    """A question, the language it is in, and the embedding that stands for its encoding."""

    text: str
    language: str
    embedding: Embeddings


class Shapes:
    """Embeddings as multilingual encoders make them: one common direction, one for each language, a topic in few
    dimensions, and noise."""

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        chooser = np.random.default_rng(1)
        self._common = chooser.normal(size=dimensions) * 1.2
        self._of_language = {one: chooser.normal(size=dimensions) * 0.5 for one in LANGUAGES}
        self._factors = chooser.normal(size=(_FACTORS, dimensions)) / np.sqrt(_FACTORS) * 0.7
        self._topics = chooser.normal(size=(_TOPICS, _FACTORS))

    def passages(self, languages: "np.ndarray[Any, Any]", random: np.random.Generator) -> Embeddings:
        """float32 [n, dimensions], unit length."""
        topics = self._topics[random.integers(0, _TOPICS, len(languages))]
        self._said = (topics + random.normal(size=topics.shape) * 0.7).astype(np.float32)
        made = np.empty((len(languages), self.dimensions), dtype=np.float32)
        for first in range(0, len(languages), 5_000):
            rows = slice(first, first + 5_000)
            made[rows] = self._embedded(self._said[rows], languages[rows], random)
        return made

    def query(self, place: int, language: str, random: np.random.Generator) -> Embeddings:
        """An embedding near what the passage at `place` says, float32 [dimensions]."""
        said = self._said[place] + random.normal(size=_FACTORS) * 0.4
        found: Embeddings = self._embedded(said[None, :], np.array([language]), random)[0]
        return found

    def _embedded(self, said: Any, languages: Any, random: np.random.Generator) -> Embeddings:
        base = self._common + np.stack([self._of_language[str(language)] for language in languages])
        noise = random.normal(size=(len(said), self.dimensions)) * 0.25
        made = base + said @ self._factors + noise
        return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), dtype=np.float32)


class _Bodies:
    """Texts of one language, each of some sentences of the demonstration corpus, with their lexemes."""

    def __init__(self, language: str, random: np.random.Generator) -> None:
        self._language = language
        self._sentences = _sentences(language)
        self._texts = [" ".join(random.choice(self._sentences, size=_SENTENCES, replace=True)) for _ in range(_BODIES)]

    @cached_property
    def _vectors(self) -> list[tuple[str, int]]:
        return [(lexemes.tsvector(text, self._language), sum(1 for _ in lexemes.lexemes(text))) for text in self._texts]

    def numbered(self, pick: int, number: int) -> tuple[str, str]:
        """A text that ends with a part number of its own, and its tsvector."""
        vector, count = self._vectors[pick]
        code = [f"'kb-{number}/7':{count + 1}", f"'kb':{count + 2}", f"'{number}':{count + 3}", f"'7':{count + 4}"]
        return f"{self._texts[pick]} KB-{number}/7", " ".join([vector, *code])

    def words(self, random: np.random.Generator) -> str:
        """Some words in a row, as a question has them."""
        sentence = str(random.choice(self._sentences))
        words = sentence.split()
        if len(words) < 4:
            return sentence[:16]
        first = int(random.integers(0, max(1, len(words) - 8)))
        return " ".join(words[first : first + 8])


def _sentences(language: str) -> list[str]:
    texts = [path.read_text("utf-8") for path in sorted(CORPUS.glob(f"*.{language}.md"))]
    return [
        sentence
        for text in texts
        for start, end in boundaries.sentences(text, 0, len(text), language=language)
        if len(sentence := " ".join(text[start:end].split())) > 20
    ]


def _copy(columns: str, rows: Iterator[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor, cursor.cursor.copy(f"COPY {columns} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


_REVISION = (
    *("id", "document_id", "number", "file", "filename", "media_type", "size", "sha256", "created_at", "state"),
    *("reason", "detail", "warnings", "reader", "language", "progress_done", "progress_total", "attempts"),
    *("next_attempt_at", "published_at"),
)
_CHUNK = (
    *("id", "revision_id", "ordinal", "start", '"end"', "text", "heading_path", "context", "kind", "anchor"),
    *("language", "tokens", "content_hash", "lexemes"),
)
