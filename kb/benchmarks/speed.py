"""How fast PDFs become stored chunks, beside what pypdf and PDFium take to do no more than extract their text."""

import os
import resource
import uuid
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

import psutil
import psycopg
import pypdf
import pypdfium2
from django.db import connection, transaction

from embeddings import spaces
from kb import ingestion, storing
from kb.models import Collection, Document, Revision, User
from kb.reading import assembly, sniffing
from kb.reading.confined import sandbox

CONTENDERS = ("pypdf", "pdfium", "ours")
STEPS = ("child", "parent", "split", "store")
"""The child process with its start; checking what it sends and putting it together; splitting; storing."""

FLOORS = ("pdfium", "outline", "tokenizer", "rows")
"""What nobody who does the same can spare: PDFium's text alone, pypdf's outline alone, the tokenizer over the text,
and COPY of the finished rows into a table without any index."""

_ROWS = """SELECT id, revision_id, ordinal, start, "end", text, heading_path, context, kind, anchor, language, tokens,
  content_hash, lexemes FROM kb_chunk WHERE revision_id = '{}'"""

_HELD_UP = 1.15
_TICK = 1e-3

Seconds = Mapping[str, Sequence[float]]
"""Processor time by contender and by step of ours, round by round."""


@dataclass(frozen=True)
class Measured:
    """A file, or all of them together."""

    name: str
    pages: int
    chunks: int
    seconds: Seconds

    @property
    def pages_a_second(self) -> dict[str, float]:
        """By contender."""
        return {name: self.pages / median(self.seconds[name]) for name in CONTENDERS}

    @property
    def times_pypdf(self) -> float:
        """How many times as fast as pypdf we are."""
        return self._compared("pypdf")

    @property
    def of_pdfium(self) -> float:
        """The part of PDFium's own speed that is left."""
        return self._compared("pdfium")

    @property
    def steps(self) -> dict[str, float]:
        """The share of each step in our time."""
        return {step: self._compared(step) for step in STEPS}

    @property
    def floors(self) -> dict[str, float]:
        """Each of FLOORS as a share of our time."""
        return {floor: self._compared(floor) for floor in FLOORS}

    def _compared(self, name: str) -> float:
        """Within a round, so that a slow minute counts on both sides."""
        return median(one / ours for one, ours in zip(self.seconds[name], self.seconds["ours"], strict=True))


@dataclass(frozen=True)
class Result:
    """`held_up` is how many times longer bare PDFium took by the clock than on the processor."""

    files: Sequence[Measured]
    whole: Measured
    rounds: int
    held_up: float

    @property
    def busy(self) -> bool:
        """Whether others had the processor for a good part of the time."""
        return self.held_up > _HELD_UP


def measure(paths: Sequence[Path], collection: Collection, *, rounds: int) -> Result:
    """Read each file by each contender in turn, `rounds` times, all on one core. The collection need not be saved, and
    nothing is kept in the database. Raises Unreadable."""
    with _one_core():
        _Race(collection).run(min(paths, key=_pages))  # what a process loads once is loaded now
        race = _Race(collection)
        for _number in range(rounds):
            for path in paths:
                race.run(path)
    files = [Measured(path.name, _pages(path), race.chunks[path], race.seconds[path]) for path in paths]
    return Result(files, _whole(files, rounds), rounds, median(race.held_up))


def _pages(path: Path) -> int:
    document = pypdfium2.PdfDocument(path)
    pages = len(document)
    document.close()
    return pages


@contextmanager
def _one_core() -> Iterator[None]:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _whole(files: Sequence[Measured], rounds: int) -> Measured:
    names = {*CONTENDERS, *STEPS, *FLOORS}
    seconds = {name: [sum(one.seconds[name][number] for one in files) for number in range(rounds)] for name in names}
    return Measured("all", sum(one.pages for one in files), sum(one.chunks for one in files), seconds)


class _Race:
    """Runs the contenders over files, another one first each time, and keeps their times."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._order = deque([self._pypdf, self._pdfium, self._ours])
        self.seconds: dict[Path, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self.chunks: dict[Path, int] = {}
        self.held_up: list[float] = []

    def run(self, path: Path) -> None:
        """One file, by each contender."""
        for contender in self._order:
            contender(path)
        self._order.rotate(1)

    def _pypdf(self, path: Path) -> None:
        begun = _Moment()
        for page in pypdf.PdfReader(path).pages:
            page.extract_text()
        self.seconds[path]["pypdf"].append(_Moment().own - begun.own)

    def _pdfium(self, path: Path) -> None:
        begun = _Moment()
        document = pypdfium2.PdfDocument(path)
        for page in document:
            text = page.get_textpage()
            text.get_text_range()
            text.close()
            page.close()
        document.close()
        ended = _Moment()
        self.seconds[path]["pdfium"].append(ended.own - begun.own)
        self.held_up.append((ended.clock - begun.clock) / max(ended.own - begun.own, _TICK))

    def _ours(self, path: Path) -> None:
        """What `ingestion` does with a file, less its notes on who works on it."""
        begun = _Moment()
        options = self._collection.reading_options
        reading = assembly.read_document(sandbox.read(path, sniffing.PDF, options=options))
        read = _Moment()
        passages = ingestion.split(reading, self._collection)
        split = _Moment()
        with _scratch(self._collection) as revision:
            ready = _Moment()
            storing.store(revision, reading, passages)
            stored = _Moment()
            self._note_floors(path, reading.text, revision)
        taken = (read.children - begun.children, read.own - begun.own, split.own - read.own, stored.own - ready.own)
        for name, seconds in zip((*STEPS, "ours"), (*taken, sum(taken)), strict=True):
            self.seconds[path][name].append(seconds)
        self.chunks[path] = len(passages)

    def _note_floors(self, path: Path, text: str, revision: Revision) -> None:
        """Those beside PDFium's, within the transaction in which the rows of this file stand."""
        begun = _Moment()
        with pypdf.PdfReader(path) as reader:
            _outline = reader.outline
        outlined = _Moment()
        spaces.tokenizer_of(self._collection.active_space).count([text])
        tokenized = _Moment()
        chosen = _ROWS.format(revision.pk)
        with connection.cursor() as cursor:
            rows = _copied(cursor.cursor, f"COPY ({chosen}) TO STDOUT (FORMAT BINARY)")
            cursor.execute(f"CREATE TEMPORARY TABLE bench_rows ON COMMIT DROP AS {chosen} LIMIT 0")
            ready = _Moment()
            with cursor.cursor.copy("COPY bench_rows FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(rows)
            written = _Moment()
        taken = (outlined.own - begun.own, tokenized.own - outlined.own, written.own - ready.own)
        for name, seconds in zip(FLOORS[1:], taken, strict=True):
            self.seconds[path][name].append(seconds)


def _copied(cursor: "psycopg.Cursor[Any]", statement: str) -> bytes:
    with cursor.copy(statement) as copy:
        return b"".join(bytes(block) for block in copy)


class _Moment:
    """Seconds of the processor until now, in this process and in what it started, and the clock."""

    def __init__(self) -> None:
        here = resource.getrusage(resource.RUSAGE_SELF)
        self.own = here.ru_utime + here.ru_stime
        # The server that children are forked from lives, and what it did for them counts with what they did.
        self.children = sum(sum(one.cpu_times()[:4]) for one in psutil.Process().children())
        self.clock = monotonic()


@contextmanager
def _scratch(settings: Collection) -> Iterator[Revision]:
    """A revision that is gone afterwards, with all that was stored of it."""
    with transaction.atomic():
        owner = User.objects.create(username=uuid.uuid4().hex)
        collection = Collection.objects.create(name=owner.username, owner=owner, active_space=settings.active_space)
        document = Document.objects.create(collection=collection, title=collection.name)
        yield Revision.objects.create(document=document, number=1, media_type=sniffing.PDF, size=0)
        transaction.set_rollback(True)
