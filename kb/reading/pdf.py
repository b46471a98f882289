"""PDF: text with its boxes page by page, headings from the outline.

PDFium alone reads it, outline and metadata included: a second parser would see other objects than the first where a
file is damaged or hostile, and pypdf limits its work per stream only, so that a small file keeps it busy for hours.
pypdf is asked why when PDFium does not open a file.
"""

from collections.abc import Iterator
from pathlib import Path

import pypdf
import pypdfium2
import pypdfium2.raw as pdfium

from kb.reading import ocr, pdf_lines, pdf_outline, pdf_paragraphs, text
from kb.reading.failures import Reason, Unreadable
from kb.reading.headings import Headings
from kb.reading.ocr import Scans
from kb.reading.options import Options
from kb.reading.pdf_lines import Line
from kb.reading.pdf_outline import Entry, Place
from kb.reading.sections import About, Item, Page, Progress, Section, Warned

VERSION = "1"
PAGE_LIMIT = 5_000

_LETTER = (612.0, 792.0)  # what PDF readers take a page of no size for


def read(path: Path, options: Options, scans: Scans | None = None) -> Iterator[Item]:
    """The pages of a PDF and the sections on them. Raises Unreadable, NO_TEXT included."""
    scans = scans or Scans()
    document = open_document(path)
    total = len(document)
    if total > PAGE_LIMIT:
        raise Unreadable(
            Reason.TOO_MANY_PAGES, f"This PDF has {total:,} pages; the limit is {PAGE_LIMIT:,}. Split it into parts."
        )
    yield _about(document)
    outline = pdf_outline.entries(document)
    headings = Headings()
    without_text = []
    for number in range(1, total + 1):
        sections = 0
        for item in _page(document, number, entries=outline.get(number - 1, []), headings=headings, scans=scans):
            sections += isinstance(item, Section)
            yield item
        if not sections:
            without_text.append(number)
        yield Progress(number, total)
    yield from _warn(without_text, total, scans)


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
    if error.err_code in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
        return _encrypted()
    return _diagnosed(path) or Unreadable(
        Reason.MALFORMED, "This PDF cannot be opened: it is damaged. Save or print it to PDF again and upload that."
    )


def _diagnosed(path: Path) -> Unreadable | None:
    """What pypdf, which forgives more, finds wrong with a file that PDFium does not open; None when it is damaged."""
    try:
        reader = pypdf.PdfReader(path)
        if reader.is_encrypted:
            return _encrypted()
        return None if len(reader.pages) else _no_pages()
    except Exception:  # on damaged files it raises whatever the damage leads to
        return None


def _encrypted() -> Unreadable:
    return Unreadable(Reason.ENCRYPTED, "This PDF is protected by a password. Save it without one.")


def _no_pages() -> Unreadable:
    return Unreadable(Reason.NO_TEXT, "This PDF has no pages.")


def _about(document: pypdfium2.PdfDocument) -> About:
    said = {key: text.one_line(value) for key, value in document.get_metadata_dict(skip_empty=True).items()}
    metadata = {key.lower(): said[key] for key in ("Author", "Subject", "Keywords", "Producer") if said.get(key)}
    return About("pdf", VERSION, "page", title=said.get("Title", ""), metadata=metadata)


def _page(
    document: pypdfium2.PdfDocument, number: int, *, entries: list[Entry], headings: Headings, scans: Scans
) -> Iterator[Item]:
    try:
        page = document[number - 1]
        width, height = page.get_size()
        lines = scans.lines(page, number, pdf_lines.lines(page))
        places = pdf_outline.places(page, lines, entries)
    except pypdfium2.PdfiumError:
        yield Page(number, *_LETTER)
        yield Warned("page_unreadable", f"Page {number:,} is damaged and was left out.")
        return
    yield Page(number, round(width, 2), round(height, 2))
    for section in _sections(lines, places, number=number, headings=headings):
        yield scans.as_displayed(section)
    page.close()


def _sections(lines: list[Line], places: list[Place], *, number: int, headings: Headings) -> Iterator[Section]:
    """The lines of a page in order, cut where its headings stand."""
    at = 0
    for place in places:
        yield from _prose(lines[at : place.first], number, headings.path)
        at = max(at, place.first)
        heading = pdf_paragraphs.join(lines[at : place.first + place.count], number)
        said = heading.section("heading").text if heading else place.entry.title
        path = headings.enter(place.entry.level, said)
        if heading:
            yield heading.section("heading", path)
        at = max(at, place.first + place.count)
    yield from _prose(lines[at:], number, headings.path)


def _prose(lines: list[Line], number: int, path: tuple[str, ...]) -> Iterator[Section]:
    for group in pdf_paragraphs.paragraphs(lines):
        yield pdf_paragraphs.join(group, number).section("prose", path)


def _warn(without_text: list[int], total: int, scans: Scans) -> Iterator[Warned]:
    if len(without_text) == total:
        raise scans.no_text(total)
    yield from scans.warnings(without_text, total)
    if without_text:
        named = ocr.numbers(without_text)
        yield Warned("pages_without_text", f"{len(without_text):,} of {total:,} pages have no text: {named}.")
