"""What other settings would make of a document: its file is read and split with them, and nothing is kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

from django.core.files.storage import default_storage
from django.utils.translation import gettext as _

from kb import ingestion
from kb.chunking import Passage
from kb.models import Chunk, Collection, Document
from kb.reading import assembly, sniffing
from kb.reading.confined import sandbox
from kb.reading.confined.children import Lost
from kb.reading.confined.sandbox import Limits
from kb.reading.failures import Reason, Unreadable
from kb.reading.sections import Checkpoint, Item

SECONDS = 20.0
"""A person waits so long for a preview, and a process of the web server with them."""

PAGES = 300
CHARACTERS = 1_500_000
"""What is longer would not be done in time."""

BARS = 16
SHOWN = 40
"""So many passages of either side are shown."""


class Busy(Exception):
    """The server cannot read a file just now; the message says so to people."""


class TooLong(Exception):
    """This document takes too long for a preview; the message says so to people."""


@dataclass(frozen=True)
class Shown:
    """A passage in a list. `repeated` is the beginning that it shares with the one before."""

    number: int
    repeated: str
    text: str
    tokens: int
    heading_path: Sequence[str]
    anchor: dict[str, Any]

    @property
    def whole(self) -> str:
        return self.repeated + self.text


@dataclass(frozen=True)
class Split:
    """A document in passages. Sizes are in tokens; without a passage they are 0."""

    total: int
    tokens: int
    smallest: int
    median: int
    largest: int
    sizes: list[int]
    passages: list[Shown]

    @property
    def left_out(self) -> int:
        return self.total - len(self.passages)


@dataclass(frozen=True)
class Bar:
    """How many passages have from `begin` to `end` tokens, both included: today, and with the settings tried."""

    begin: int
    end: int
    today: int
    tried: int


@dataclass(frozen=True)
class Preview:
    """A document as it is split today, and as it would be."""

    document: Document
    today: Split
    tried: Split
    bars: list[Bar]

    @property
    def highest(self) -> int:
        """The most passages of one size."""
        return max(max(bar.today, bar.tried) for bar in self.bars)


def of(document: Document, collection: Collection) -> Preview:
    """The document, split with the settings of `collection`, which need not be saved.

    Raises Unreadable, TooLong, Busy.
    """
    revision = document.shown
    chunks = revision.chunks.defer("lexemes")
    last = chunks.last()
    if (revision.pages or 0) > PAGES or (last is not None and last.end > CHARACTERS):
        told = _("This document is too long for a preview. Choose one of up to %(pages)s pages.")
        raise TooLong(told % {"pages": PAGES})
    try:
        reading = assembly.read_document(_items(document, collection, until=monotonic() + SECONDS))
    except Lost as lost:
        raise Busy(_("The server cannot read files just now. Please try again in a moment.")) from lost
    except Unreadable as failure:
        if failure.reason == Reason.TIMEOUT:
            raise _slow() from failure
        raise
    if len(reading.text) > CHARACTERS:
        raise _slow()
    today, tried = _split(list(chunks)), _split(ingestion.split(reading, collection))
    return Preview(document, today, tried, _bars(today, tried))


def _items(document: Document, collection: Collection, *, until: float) -> Iterator[Item]:
    revision = document.shown
    path = Path(default_storage.path(revision.stored_name))
    if not path.is_file():
        raise Unreadable(Reason.FILE_MISSING, _("The stored file is gone. Upload it again."))
    sniffing.check(path, revision.media_type)
    limits = Limits(seconds=SECONDS)
    for item in sandbox.read(path, revision.media_type, limits, options=collection.reading_options):
        if monotonic() > until or isinstance(item, Checkpoint):  # a file of many scans is read in parts
            raise _slow()
        yield item


def _slow() -> TooLong:
    return TooLong(_("Reading this document takes too long for a preview. Choose a shorter one."))


def _split(passages: Sequence[Chunk | Passage]) -> Split:
    sizes = sorted(one.tokens for one in passages)
    if not sizes:
        return Split(0, 0, 0, 0, 0, [], [])
    shown = list(_shown(passages[:SHOWN]))
    return Split(len(sizes), sum(sizes), sizes[0], round(median(sizes)), sizes[-1], sizes, shown)


def _shown(passages: Sequence[Chunk | Passage]) -> Iterator[Shown]:
    before = 0
    for number, one in enumerate(passages, start=1):
        shared = max(0, min(before - one.start, len(one.text)))
        yield Shown(number, one.text[:shared], one.text[shared:], one.tokens, one.heading_path, one.anchor)
        before = one.end


def _bars(today: Split, tried: Split) -> list[Bar]:
    width = max(today.largest, tried.largest) // BARS + 1
    begins = range(0, BARS * width, width)
    return [
        Bar(begin, begin + width - 1, _between(today, begin, width), _between(tried, begin, width)) for begin in begins
    ]


def _between(split: Split, begin: int, width: int) -> int:
    return sum(begin <= size < begin + width for size in split.sizes)
