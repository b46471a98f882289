"""What of a manual in HTML is found in its PDF as read here, beside what PDFium alone finds."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pypdfium2
import regex

from kb import ingestion
from kb.benchmarks import manual
from kb.chunking import Passage
from kb.models import Collection
from kb.reading import assembly, sniffing
from kb.reading.assembly import Reading
from kb.reading.confined import sandbox

_SAMPLED = 200
_UNFOUND = 0.02
"""So many of a passage's letters may be outside its boxes: captions and signs that we write otherwise."""

_MARGIN = 1.0
"""Points around a box: PDFium takes the letters whose middle is within."""

_EDGE = 0.09
"""The part of a page's height, at its top and bottom, where running heads and page numbers stand."""

_BEYOND = 5_000.0
"""Points. So far below its page goes a table that is too long for it."""

_MANY = 5
_NOT_A_WORD = regex.compile(r"[\W_]+")
_DIGITS = regex.compile(r"\p{Nd}+")


@dataclass(frozen=True)
class Result:
    """`sentences` are those of the HTML; `headings` are those of the outline that the HTML has, `other_headings` those
    it has not. `with_furniture` are chunks that hold a running head or a page number."""

    name: str
    sentences: int
    in_pdfium: int
    in_text: int
    in_one_chunk: int
    chunks: int
    with_furniture: int
    headings: int
    paths_right: int
    other_headings: int
    sampled: int
    pages_right: int
    missing: tuple[str, ...]
    """The sentences that are in no chunk, headings with a wrong path, chunks of a wrong page or with furniture."""

    def lines(self) -> Iterator[str]:
        """The figures, for people."""
        yield (
            f"{self.name}: of {self.sentences} sentences PDFium alone has {self.in_pdfium / self.sentences:.4f},"
            f" our text {self.in_text / self.sentences:.4f}, one single chunk {self.in_one_chunk / self.sentences:.4f}."
        )
        yield (
            f"  Of {self.chunks} chunks {self.with_furniture} hold a running head or page number; of {self.headings}"
            f" headings {self.paths_right} have the right path ({self.other_headings} are not in the HTML);"
            f" of {self.sampled} chunks {self.pages_right} have their letters in their boxes, on the pages they name."
        )


def measure(pdf: Path, html: Sequence[Path], collection: Collection) -> Result:
    """Compare a PDF with the HTML files of the same manual, in the order of the book. Raises Unreadable."""
    reading = assembly.read_document(sandbox.read(pdf, sniffing.PDF, options=collection.reading_options))
    passages = ingestion.split(reading, collection)
    bare = Bare(pdf)
    sentences = {sentence: manual.folded(sentence) for sentence in manual.sentences(html)}
    text = manual.folded(reading.text)
    chunks = "\n".join(manual.folded(passage.text) for passage in passages)
    cut = [sentence for sentence, words in sentences.items() if words not in chunks]
    furnished = [passage for passage in passages if bare.furniture(passage, reading)]
    right, wrong, others = _paths(reading, html)
    sample = random.Random(0).sample(passages, min(_SAMPLED, len(passages)))  # noqa: S311 - chosen, not guarded
    misplaced = [passage for passage in sample if not bare.is_placed(passage)]
    return Result(
        name=pdf.name,
        sentences=len(sentences),
        in_pdfium=sum(words in bare.text for words in sentences.values()),
        in_text=sum(words in text for words in sentences.values()),
        in_one_chunk=len(sentences) - len(cut),
        chunks=len(passages),
        with_furniture=len(furnished),
        headings=right + len(wrong),
        paths_right=right,
        other_headings=others,
        sampled=len(sample),
        pages_right=len(sample) - len(misplaced),
        missing=(
            *cut,
            *(" › ".join(path) for path in wrong),
            *(f"pages {one.anchor['pages']}: {one.text[:60]!r} ... {one.text[-60:]!r}" for one in misplaced),
            *(f"{bare.furniture(one, reading)} in {one.text[:60]!r}" for one in furnished),
        ),
    )


def _paths(reading: Reading, html: Sequence[Path]) -> tuple[int, list[tuple[str, ...]], int]:
    """Of the document's headings: how many have the chain above them that they have in the HTML, the paths of those
    that have another, and how many the HTML does not have."""
    chains = set(manual.headings(html))
    known = {chain[-1] for chain in chains}
    paths = [stretch.heading_path for stretch in reading.stretches if stretch.kind == "heading"]
    there = [path for path in paths if manual.title(path[-1]) in known]
    wrong = [path for path in there if tuple(map(manual.title, path)) not in chains]
    return len(there) - len(wrong), wrong, len(paths) - len(there)


class Bare:
    """The document as PDFium gives it, page by page."""

    def __init__(self, pdf: Path) -> None:
        self._document = pypdfium2.PdfDocument(pdf)
        self._pages: list[str] = []
        self._edges: list[set[str]] = []
        for page in self._document:
            text = page.get_textpage()
            # PDFium's sign for a hyphen at the end of a line
            self._pages.append(text.get_text_range().replace("\x02", "").replace("\ufffe", ""))
            self._edges.append(_at_the_edge(text, page.get_height()))
            text.close()
            page.close()
        self._shapes = Counter(shape for edge in self._edges for shape in set(map(_shape, edge)))

    @cached_property
    def text(self) -> str:
        """All of it, as it is compared."""
        return manual.folded("\n".join(self._pages))

    def furniture(self, passage: Passage, reading: Reading) -> list[str]:
        """The lines of a passage that stand at the edge of its pages and, but for their numbers, of many others."""
        first, last = passage.anchor["pages"]
        edges = {line for page in self._edges[first - 1 : last] for line in page}
        lines = {" ".join(line.split()) for line in passage.text.splitlines()} & edges
        return sorted(line for line in lines - _headings(passage, reading) if self._shapes[_shape(line)] >= _MANY)

    def is_placed(self, passage: Passage) -> bool:
        """Whether PDFium finds the passage's letters within its boxes, some on each page that it names. Words beyond
        the edge of a page have no box."""
        first, last = passage.anchor["pages"]
        boxes: dict[int, list[Sequence[float]]] = {page: [] for page in range(first, last + 1)}
        for one in passage.anchor["boxes"]:
            boxes.setdefault(one["page"], []).append(one["box"])
        found = {page: Counter(_letters(self._within(page, within))) for page, within in boxes.items()}
        missing = Counter(_letters(passage.text)) - sum(found.values(), Counter())
        return (
            len(boxes) == last - first + 1 and all(found.values()) and missing.total() <= _UNFOUND * len(passage.text)
        )

    def _within(self, page: int, boxes: Sequence[Sequence[float]]) -> str:
        """The words in these boxes of a page, and those below its edge."""
        with closing(self._document[page - 1]) as sheet, closing(sheet.get_textpage()) as text:
            height = sheet.get_height()
            words = [text.get_text_bounded(bottom=-_BEYOND, top=0)]
            for left, top, right, bottom in boxes:
                lower, upper = height - bottom - _MARGIN, height - top + _MARGIN
                words.append(text.get_text_bounded(left - _MARGIN, lower, right + _MARGIN, upper))
            return "".join(words)


def _at_the_edge(text: pypdfium2.PdfTextPage, height: float) -> set[str]:
    top, bottom = text.get_text_bounded(bottom=height * (1 - _EDGE)), text.get_text_bounded(top=height * _EDGE)
    return {" ".join(line.split()) for line in (*top.splitlines(), *bottom.splitlines()) if line.strip()}


def _headings(passage: Passage, reading: Reading) -> set[str]:
    """The headings within a passage."""
    stretches = (one for one in reading.stretches if one.kind == "heading")
    return {reading.text[one.start : one.end] for one in stretches if passage.start <= one.start < passage.end}


def _shape(line: str) -> str:
    return _DIGITS.sub("0", line).casefold()


def _letters(words: str) -> str:
    return _NOT_A_WORD.sub("", manual.folded(words))
