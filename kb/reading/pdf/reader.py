"""PDF: text with its boxes page by page, in the order of reading.

The steps, each a module: `lines` measures the lines of a page, `furniture` takes off what repeats on page after page,
`outline` and `headings` find the headings, `blocks` and `tables` tell what the lines make, `flow` puts together what
page breaks cut, `text` makes sections of it.

PDFium reads the pages. What the file says of itself, its outline included, and why it stays closed, pypdf says: see
`catalog`.
"""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pypdfium2
import pypdfium2.raw as pdfium
from msgspec.structs import replace

from kb.reading import text
from kb.reading.failures import Reason, Unreadable
from kb.reading.headings import Headings
from kb.reading.ocr import recognition
from kb.reading.ocr.recognition import Scans
from kb.reading.options import Options
from kb.reading.pdf import annotations, furniture, headings, outline
from kb.reading.pdf import blocks as pdf_blocks
from kb.reading.pdf import catalog as pdf_catalog
from kb.reading.pdf import lines as pdf_lines
from kb.reading.pdf.blocks import Block, Usual
from kb.reading.pdf.catalog import Catalog
from kb.reading.pdf.flow import Flow
from kb.reading.pdf.furniture import Window
from kb.reading.pdf.headings import Sizes
from kb.reading.pdf.lines import Line, Sheet
from kb.reading.pdf.text import Compounds
from kb.reading.sections import About, Checkpoint, Item, Page, Progress, Section, Warned

VERSION = "2"
PAGE_LIMIT = 5_000

PART = 500
"""Pages of a part: seconds of work."""

_SCANS = 30
_SECONDS = 120.0
"""A part ends with so many recognised pages, or with one after so long: each may take seconds, a hard one minutes."""

_LETTER = (612.0, 792.0)  # what PDF readers take a page of no size for
_OUTLINED = -10_000
"""Headings of the outline are further out than any that is known by its letters."""

_PAGES_A_HEADING = 25
"""An outline with fewer headings than one in so many pages names parts only: those within are looked for as well."""

_MONOSPACED_MOST = 0.6
"""Where more of a document's letters are monospaced, it was typed so, and they are no sign of code."""


def read(path: Path, options: Options, scans: Scans | None = None, begin: Checkpoint | None = None) -> Iterator[Item]:
    """The pages of a PDF and the sections on them: a part of it, from where the part before ended. Raises Unreadable,
    NO_TEXT included."""
    document = open_document(path)
    total = len(document)
    if total > PAGE_LIMIT:
        raise Unreadable(
            Reason.TOO_MANY_PAGES, f"This PDF has {total:,} pages; the limit is {PAGE_LIMIT:,}. Split it into parts."
        )
    catalog = pdf_catalog.read(path, document)
    if begin is None:
        yield _about(catalog)
    yield from _Reading(document, catalog, options, scans or Scans(), begin or Checkpoint(1)).items()


def open_document(path: Path) -> pypdfium2.PdfDocument:
    """The PDF, opened. Raises Unreadable: ENCRYPTED, NO_TEXT (it has no pages) or MALFORMED."""
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        raise _refused(path, error) from error
    if len(document) == 0:
        raise _no_pages()
    return document


def _refused(path: Path, error: pypdfium2.PdfiumError) -> Unreadable:
    reason = pdf_catalog.why_closed(path)
    if reason == Reason.NO_TEXT:
        return _no_pages()
    if reason == Reason.ENCRYPTED or error.err_code in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
        return Unreadable(Reason.ENCRYPTED, "This PDF is protected by a password. Save it without one.")
    return Unreadable(
        Reason.MALFORMED, "This PDF cannot be opened: it is damaged. Save or print it to PDF again and upload that."
    )


def _no_pages() -> Unreadable:
    return Unreadable(Reason.NO_TEXT, "This PDF has no pages.")


def _about(catalog: Catalog) -> About:
    said = {key: text.one_line(value) for key, value in catalog.information.items()}
    title = said.pop("Title")
    metadata = {key.lower(): value for key, value in said.items() if value}
    return About("pdf", VERSION, "page", title=title, metadata=metadata)


class _Reading:
    """One pass over the pages of a part.

    The pages around it are looked at too: running heads are known by their neighbours, and a paragraph may go on behind
    the last page. What begins on other pages is left to the parts that they are of.
    """

    def __init__(
        self,
        document: pypdfium2.PdfDocument,
        catalog: Catalog,
        options: Options,
        scans: Scans,
        begin: Checkpoint,
    ) -> None:
        self._document = document
        self._options = options
        self._scans = scans
        self._total = len(document)
        self._first = begin.page
        self._last = min(begin.page + PART - 1, self._total)
        self._scanned_before = len(scans.outcomes)
        self._begun = monotonic()
        self._outline = dict(catalog.outline)
        self._is_outlined = sum(map(len, self._outline.values())) * _PAGES_A_HEADING >= self._total
        self._window = Window()
        self._sizes = Sizes()
        self._compounds = Compounds()
        self._headings = Headings(begin.headings)
        self._flow = Flow(self._compounds, self._headings)
        self._letters = self._monospaced = 0
        self._without_text = list(begin.without_text)
        self._garbled: list[int] = []
        self._notes: dict[int, list[Section]] = {}

    def items(self) -> Iterator[Item]:
        for item in self._all():
            if self._is_of_part(item):
                yield item
        if self._last == self._total:
            yield from _warn(self._without_text, self._total, self._scans)
            return
        scans = {str(outcome): tuple(pages) for outcome, pages in self._scans.by_outcome().items()}
        yield Checkpoint(self._last + 1, self._headings.opened, tuple(self._without_text), scans)

    def _all(self) -> Iterator[Item]:
        number = max(1, self._first - furniture.AROUND - 1)
        while number <= min(self._last + furniture.AROUND + 1, self._total):
            try:
                sheet = self._measured(number)
            except pypdfium2.PdfiumError:
                sheet = Sheet(number, *_LETTER, lines=[], length=_LETTER[1])
                if self._first <= number <= self._last:
                    yield Warned("page_unreadable", f"Page {number:,} is damaged and was left out.")
            yield Progress(number, self._total)
            self._note(sheet)
            for body in self._window.add(sheet):
                yield from self._settled(body)
            number += 1
        for body in self._window.rest():
            yield from self._settled(body)
        yield from self._flow.rest()
        if self._garbled:
            yield Warned(
                "garbled_text", f"The letters of these pages cannot be told: {recognition.numbers(self._garbled)}."
            )

    def _is_of_part(self, item: Item) -> bool:
        match item:
            case Page():
                return self._first <= item.number <= self._last
            case Section() if item.marks:
                return self._first <= item.marks[0].unit <= self._last
            case Progress():
                return item.done >= self._first
        return True

    def _measured(self, number: int) -> Sheet:
        page = self._document[number - 1]
        if number in self._outline:
            self._outline[number] = outline.on_page(page, self._outline[number])
        sheet = pdf_lines.measure(page, number)
        if self._first <= number <= self._last:
            sheet = self._recognised(page, sheet)
            if self._options.annotations:
                self._notes[number] = list(annotations.sections(page, number))
        page.close()
        return sheet

    def _recognised(self, page: pypdfium2.PdfPage, sheet: Sheet) -> Sheet:
        """The page with what can be read of a scan, or of letters that mean nothing. Recognition takes long: a part has
        a number of such pages only."""
        found = self._scans.recognised(page, replace(sheet, lines=[]) if sheet.is_garbled else sheet)
        if len(self._scans.outcomes) - self._scanned_before >= _SCANS or (
            sheet.number in self._scans.outcomes and monotonic() - self._begun > _SECONDS
        ):
            self._last = sheet.number
        if sheet.is_garbled and not found.lines:
            self._garbled.append(sheet.number)
            return sheet
        return found

    def _note(self, sheet: Sheet) -> None:
        if not sheet.lines and self._first <= sheet.number <= self._last:
            self._without_text.append(sheet.number)
        self._sizes.note(sheet.lines)
        self._compounds.note(sheet.lines)
        for line in sheet.lines:
            self._letters += len(line.text)
            self._monospaced += len(line.text) * line.monospaced

    def _settled(self, sheet: Sheet) -> Iterator[Item]:
        if not self._first - 1 <= sheet.number <= self._last + 1:
            return
        yield Page(sheet.number, round(sheet.width, 2), round(sheet.height, 2))
        usual = Usual(sheet.lines, sheet.length)
        blocks = [block for part in self._parts(sheet) for block in self._blocks(part, usual)]
        if sheet.number > self._last:
            blocks = blocks[:1] if blocks and blocks[0].kind != "heading" else []
        yield from self._flow.add(blocks, usual, body=self._sizes.body)
        for note in self._notes.pop(sheet.number, ()):
            yield replace(note, heading_path=self._headings.path)

    def _parts(self, sheet: Sheet) -> Iterator[Block | list[Line]]:
        """The lines of a page in order, cut where the outline's headings stand."""
        lines, at = sheet.lines, 0
        for place in outline.places(lines, self._outline.get(sheet.number, [])):
            yield lines[at : place.first]
            at = max(at, place.first)
            heading = lines[at : place.first + place.count]
            yield Block("heading", heading, level=_OUTLINED + place.entry.level, title=place.entry.title)
            at += len(heading)
        yield lines[at:]

    def _blocks(self, part: Block | list[Line], usual: Usual) -> Iterator[Block]:
        if isinstance(part, Block):
            yield part
            return
        typed = self._monospaced > _MONOSPACED_MOST * self._letters
        for block in pdf_blocks.blocks(part, usual, code=not typed):
            level = None if self._is_outlined else headings.level(block, self._sizes.body)
            yield block if level is None else Block("heading", block.lines, level=level)


def _warn(without_text: list[int], total: int, scans: Scans) -> Iterator[Warned]:
    if len(without_text) == total:
        raise scans.no_text(total)
    yield from scans.warnings(without_text, total)
    if without_text:
        named = recognition.numbers(without_text)
        yield Warned("pages_without_text", f"{len(without_text):,} of {total:,} pages have no text: {named}.")
