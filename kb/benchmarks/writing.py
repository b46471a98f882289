"""Rows a second of writing embeddings, beside bare binary COPY into a bare table and Django's `bulk_create`."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np
from django.db import connection, transaction
from pgvector import HalfVector
from pgvector.psycopg import register_vector

from embeddings.encoder import Embeddings
from embeddings.models import Space
from kb import storing
from kb.benchmarks import goals, rounds, scratch
from kb.benchmarks.rounds import Seconds
from kb.models import Embedding

DIMENSIONS = 2560

GOALS = {"of_copy": 0.8, "times_bulk_create": 30}

UNIT = 256
"""Rows written in one go, by all: what an embed worker has at a time."""


@dataclass(frozen=True)
class Result:
    rows: int
    dimensions: int
    seconds: Seconds

    @property
    def of_copy(self) -> float:
        return rounds.times_as_fast(self.seconds, "ours", "copy")

    @property
    def times_bulk_create(self) -> float:
        return rounds.times_as_fast(self.seconds, "ours", "bulk_create")

    def figures(self) -> dict[str, Any]:
        """All of them, as JSON takes them."""
        return asdict(self) | {"of_copy": self.of_copy, "times_bulk_create": self.times_bulk_create, "goals": GOALS}

    def lines(self) -> list[str]:
        """What is printed."""
        rows = [f"  {name:11} {self.rows / median(taken):8.0f} rows/s" for name, taken in self.seconds.items()]
        return [
            f"{self.rows} embeddings of {self.dimensions} dimensions",
            *rows,
            f"Ours has {goals.at_least(self.of_copy, GOALS['of_copy'])} of bare COPY's speed, and "
            f"{goals.at_least(self.times_bulk_create, GOALS['times_bulk_create'])} times bulk_create's.",
        ]


def measure(*, rows: int = 2048, dimensions: int = DIMENSIONS, runs: int = 3) -> Result:
    """Write the same rows by each contender in turn; nothing of it is kept."""
    with transaction.atomic():
        result = _measure(rows, dimensions, runs)
        transaction.set_rollback(True)
    return result


def _measure(rows: int, dimensions: int, runs: int) -> Result:
    space = Space.objects.create(
        id=uuid.uuid4(), name=uuid.uuid4().hex, fingerprint=uuid.uuid4().hex, dimensions=dimensions, max_tokens=512
    )
    numbers = np.random.default_rng(1).standard_normal((rows, dimensions), dtype=np.float32)
    numbers /= np.linalg.norm(numbers, axis=1, keepdims=True)
    with scratch.queued([f"Text {number}" for number in range(rows)], [1] * rows, space):
        token = uuid.uuid4()
        work: list[storing.Work] = []
        while claimed := storing.claim_work(space.pk, token, UNIT):
            work += claimed
        units = [(work[at : at + UNIT], numbers[at : at + UNIT]) for at in range(0, rows, UNIT)]
        with connection.cursor() as cursor:
            cursor.execute(_BARE_TABLE)
            # What queueing left to be looked for is none of the contenders' work.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        contenders: dict[str, Callable[[Sequence[storing.Work], Embeddings], None]] = {
            "ours": lambda unit, embeddings: storing.write_embeddings(space.pk, token, unit, embeddings),
            "copy": lambda unit, embeddings: _copy(space, unit, embeddings),
            "bulk_create": lambda unit, embeddings: _bulk_create(space, unit, embeddings),
        }
        seconds = rounds.run({name: _undone(write, units) for name, write in contenders.items()}, runs)
    return Result(rows, dimensions, seconds)


def _undone(
    write: Callable[[Sequence[storing.Work], Embeddings], None],
    units: Sequence[tuple[Sequence[storing.Work], Embeddings]],
) -> Callable[[], None]:
    def run() -> None:
        with transaction.atomic():
            for unit, embeddings in units:
                write(unit, embeddings)
            # What Postgres would do at the end of the transaction: look for the space of each row.
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            transaction.set_rollback(True)

    return run


def _copy(space: Space, work: Sequence[storing.Work], embeddings: Embeddings) -> None:
    """As the documentation of pgvector has it."""
    register_vector(connection.connection)
    with connection.cursor() as cursor:
        driver = cursor.cursor
        with driver.copy("COPY bench_bare FROM STDIN (FORMAT BINARY)") as copy:
            halfvec = driver.connection.adapters.types["halfvec"].oid
            copy.set_types(["uuid", "uuid", "uuid", "uuid", "varchar", halfvec])
            for one, numbers in zip(work, embeddings, strict=True):
                ids = (one.chunk_id, space.pk, one.revision_id, one.collection_id)
                copy.write_row((*ids, one.language, HalfVector(numbers)))


def _bulk_create(space: Space, work: Sequence[storing.Work], embeddings: Embeddings) -> None:
    Embedding.objects.bulk_create(
        Embedding(
            chunk_id=one.chunk_id,
            space=space,
            revision_id=one.revision_id,
            collection_id=one.collection_id,
            language=one.language,
            embedding=numbers,
        )
        for one, numbers in zip(work, embeddings, strict=True)
    )


_BARE_TABLE = """CREATE TABLE bench_bare (chunk_id uuid, space_id uuid, revision_id uuid, collection_id uuid,
  language varchar(8), embedding halfvec)"""
