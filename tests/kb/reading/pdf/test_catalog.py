"""What a PDF says of itself: by pypdf, and by PDFium where pypdf has no answer."""

from contextlib import suppress
from itertools import count
from pathlib import Path

import pypdfium2
import pytest
from pypdf import PdfWriter

from kb.reading import text
from kb.reading.failures import Reason, Unreadable
from kb.reading.options import Options
from kb.reading.pdf import catalog as pdf_catalog
from kb.reading.pdf import reader as pdf
from kb.reading.pdf.catalog import Catalog
from kb.reading.pdf.outline import Entry
from kb.reading.sections import About
from tests.kb.reading import files
from tests.kb.reading.reading import sections

DEMO = sorted((Path(__file__).parents[4] / "kb" / "demo").glob("*.pdf"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.pdf"


def read(path: Path) -> Catalog:
    return pdf_catalog.read(path, pypdfium2.PdfDocument(path))


@pytest.fixture
def by_pdfium(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """As on a file that pypdf does not get through."""

    def broken(path: Path, _document: pypdfium2.PdfDocument) -> Catalog:
        raise RecursionError(path)

    monkeypatch.setattr(pdf_catalog, "_read", broken)
    return monkeypatch


def said(catalog: Catalog) -> tuple[dict[str, str], list[tuple[int, int, str, float | None]]]:
    """All of it, to be compared: one library counts in single precision."""
    return {key: text.one_line(value) for key, value in catalog.information.items()}, [
        (page, one.level, one.title, None if one.top is None else round(one.top, 2))
        for page, entries in sorted(catalog.outline.items())
        for one in entries
    ]


@pytest.mark.parametrize("path", DEMO, ids=lambda path: path.name)
def test_pypdf_and_pdfium_agree(path: Path, by_pdfium: pytest.MonkeyPatch) -> None:
    of_pdfium = said(read(path))
    by_pdfium.undo()
    information, outline = said(read(path))
    assert (information, outline) == of_pdfium
    assert information["Title"]
    assert len(outline) > 5


def outlined(path: Path, *items: bytes, catalog: bytes = b"", more: list[bytes] | None = None) -> Path:
    """Three pages, objects 3 to 5, and an outline in object 6 of these items, objects 7 and on; `more` follow them."""
    first = 7
    numbers = count(first + 1)
    chained = [b"<< /Parent 6 0 R %b /Next %d 0 R >>" % (item, next(numbers)) for item in items[:-1]]
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /Outlines 6 0 R %b >>" % catalog,
        b"<< /Type /Pages /Kids [3 0 R 4 0 R 5 0 R] /Count 3 >>",
        *[b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>"] * 3,
        b"<< /Type /Outlines /First %d 0 R >>" % first,
        *chained,
        b"<< /Parent 6 0 R %b >>" % items[-1],
        *(more or []),
    ]
    path.write_bytes(files.assembled(objects))
    return path


NAMES = (
    b"/Names << /Dests << /Kids"
    b" [<< /Limits [(a) (b)] /Names [(a) [4 0 R /XYZ 0 500 0] (b) << /D [5 0 R /Fit] >>] >>] >> >>"
)
OLD_NAMES = b"/Dests << /a [4 0 R /FitH 400] >>"


@pytest.mark.parametrize(
    ("destination", "page", "top"),
    [
        (b"/Dest [4 0 R /XYZ 72 700.5 null]", 2, 700.5),
        (b"/Dest [4 0 R /XYZ null null null]", 2, None),
        (b"/Dest [4 0 R /XYZ 72 0 0]", 2, None),
        (b"/Dest [4 0 R /FitH 600]", 2, 600),
        (b"/Dest [4 0 R /FitBH 600]", 2, 600),
        (b"/Dest [4 0 R /FitR 10 20 30 550]", 2, 550),
        (b"/Dest [4 0 R /FitR 10 20]", 2, None),
        (b"/Dest [4 0 R /Fit]", 2, None),
        (b"/Dest [4 0 R /FitV 72]", 2, None),
        (b"/Dest [2 /XYZ 0 700 0]", 3, 700),  # the number of a page, as links to other files have it
        (b"/A << /S /GoTo /D [5 0 R /XYZ 0 700 0] >>", 3, 700),
        (b"/A << /S /GoTo /D (a) >>", 2, 500),
        (b"/Dest (a)", 2, 500),
        (b"/Dest (b)", 3, None),
        (b"/Dest <61>", 2, 500),
    ],
)
def test_where_an_outline_leads(
    path: Path, by_pdfium: pytest.MonkeyPatch, destination: bytes, page: int, top: float | None
) -> None:
    outlined(path, b"/Title (Leave) " + destination, catalog=NAMES)
    assert dict(read(path).outline) == {page: [Entry(0, "Leave", top)]}
    by_pdfium.undo()
    assert dict(read(path).outline) == {page: [Entry(0, "Leave", top)]}


def test_names_as_they_were_before_there_was_a_tree(path: Path) -> None:
    outlined(path, b"/Title (Leave) /Dest /a", catalog=OLD_NAMES)
    assert read(path).outline == {2: [Entry(0, "Leave", 400)]}


@pytest.mark.parametrize(
    "item",
    [
        b"/Title (Leave)",
        b"/Title () /Dest [4 0 R /Fit]",
        b"/Dest [4 0 R /Fit]",
        b"/Title (Leave) /Dest []",
        b"/Title (Leave) /Dest null",
        b"/Title (Leave) /Dest [99 0 R /Fit]",
        b"/Title (Leave) /Dest [7 0 R /Fit]",
        b"/Title (Leave) /Dest [3 /Fit]",
        b"/Title (Leave) /Dest [-1 /Fit]",
        b"/Title (Leave) /Dest (nowhere)",
        b"/Title (Leave) /A << /S /URI /URI (https://example.org) >>",
        b"/Title (Leave) /A << /S /GoToR /F (other.pdf) /D [1 /Fit] >>",
        b"/Title 12 /Dest [4 0 R /Fit]",
    ],
)
def test_an_item_that_leads_nowhere_is_left_out(path: Path, item: bytes) -> None:
    outlined(path, item, b"/Title (Pay) /Dest [4 0 R /Fit]", catalog=NAMES)
    assert read(path).outline == {2: [Entry(0, "Pay", None)]}


@pytest.mark.parametrize(
    ("title", "says"),
    [
        (b"(Two\nlines)", "Two lines"),
        (b"(Z\xfcrich \x80)", "Zürich •"),
        (b"<FEFF4F11 5047>", "休假"),
        (b"<FEFF4F115047 58>", "休假"),  # cut off within a letter
        (b"(\xef\xbb\xbf\xe4\xbc\x91\xe5\x81\x87)", "休假"),
        (b"(\xe4\xbc\x91\xe5\x81\x87\xe6\x9f\x90)", "休假某"),  # UTF-8 without its mark
    ],
)
def test_titles(path: Path, title: bytes, says: str) -> None:
    outlined(path, b"/Dest [3 0 R /Fit] /Title " + title)
    assert read(path).outline == {1: [Entry(0, says, None)]}


def test_a_name_that_only_pypdf_finds(path: Path) -> None:
    """PDFium goes by the limits of a branch, which are wrong here."""
    tree = NAMES.replace(b"/Limits [(a) (b)]", b"/Limits [(x) (z)]")
    outlined(path, b"/Title (Leave) /Dest (a)", b"/Title (Pay) /Dest (none)", catalog=tree)
    assert read(path).outline == {2: [Entry(0, "Leave", 500)]}


def test_levels(path: Path) -> None:
    inner = [b"<< /Title (Annual) /Dest [4 0 R /Fit] >>"]
    outlined(path, b"/Title (Leave) /Dest [4 0 R /Fit] /First 9 0 R", b"/Title (Pay) /Dest [4 0 R /Fit]", more=inner)
    assert read(path).outline == {2: [Entry(0, "Leave", None), Entry(1, "Annual", None), Entry(0, "Pay", None)]}


@pytest.mark.parametrize("end", [b"/Next 7 0 R", b"/First 7 0 R", b"/First 6 0 R", b"/Next 99 0 R", b"/First (a)"])
def test_an_outline_without_end(path: Path, end: bytes) -> None:
    outlined(path, b"/Title (Leave) /Dest [4 0 R /Fit]", b"/Title (Pay) /Dest [4 0 R /Fit] " + end)
    assert read(path).outline == {2: [Entry(0, "Leave", None), Entry(0, "Pay", None)]}


def test_names_without_end(path: Path) -> None:
    tree = [b"<< /Kids [8 0 R 9 0 R] >>", b"<< /Kids [8 0 R] /Names [(a) [4 0 R /Fit] (b)] >>"]
    outlined(path, b"/Title (Leave) /Dest (a)", catalog=b"/Names << /Dests 8 0 R >>", more=tree)
    assert read(path).outline == {2: [Entry(0, "Leave", None)]}


def test_more_than_a_book_has(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_catalog, "_ENTRIES", 2)
    outlined(path, *[b"/Title (Leave) /Dest [4 0 R /Fit]"] * 3)
    assert len(read(path).outline[2]) == 2


def test_a_long_title(path: Path) -> None:
    outlined(path, b"/Dest [4 0 R /Fit] /Title (%b)" % (b"x" * 100_000))
    assert len(read(path).outline[2][0].title) == 2_000


def test_what_the_file_says_of_itself(path: Path) -> None:
    writer = PdfWriter()
    writer.add_blank_page(612, 792)
    writer.add_metadata({"/Title": "休假 \n规定", "/Author": "Ann", "/Keywords": "a, b", "/Creator": "x", "/Odd": "y"})
    writer.write(path)
    catalog = read(path)
    about = pdf._about(catalog)
    assert isinstance(about, About)
    assert (about.title, about.metadata) == ("休假 规定", {"author": "Ann", "keywords": "a, b", "producer": "pypdf"})


@pytest.mark.parametrize("password", ["", "secret"])
@pytest.mark.parametrize("algorithm", ["RC4-40", "RC4-128", "AES-128", "AES-256-R5", "AES-256"])
def test_encryption(path: Path, algorithm: str, password: str) -> None:
    writer = PdfWriter(clone_from=files.pdf(path, [["# Leave", "Twenty days."]], outline=True))
    writer.encrypt(password, "the owner's", algorithm=algorithm)
    writer.write(path)
    if password:
        assert pdf_catalog.why_closed(path) == Reason.ENCRYPTED
        with pytest.raises(Unreadable) as refused:
            list(pdf.read(path, Options()))
        assert refused.value.reason == Reason.ENCRYPTED
        return
    about, *items = pdf.read(path, Options())
    assert isinstance(about, About)
    assert about.title == "A title"
    assert [(one.text, one.kind) for one in sections(items)] == [("Leave", "heading"), ("Twenty days.", "prose")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"%PDF-1.7\nand nothing else", None),
        (b"", None),
        (
            files.assembled([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>"]),
            Reason.NO_TEXT,
        ),
    ],
)
def test_why_it_stays_closed(path: Path, content: bytes, reason: Reason | None) -> None:
    path.write_bytes(content)
    assert pdf_catalog.why_closed(path) == reason


def test_a_file_that_only_pdfium_reads(path: Path) -> None:
    """Without the place of its table, pypdf finds nothing in it."""
    outlined(path, b"/Title (Leave) /Dest [4 0 R /XYZ 0 700 0]")
    path.write_bytes(path.read_bytes().replace(b"startxref", b"%tartxref"))
    with pytest.raises(Exception, match="startxref"):
        pdf_catalog._read(path, pypdfium2.PdfDocument(path))
    assert read(path).outline == {2: [Entry(0, "Leave", 700)]}


def test_pypdf_and_pdfium_see_other_pages(path: Path) -> None:
    """The outline is to lead to pages as PDFium counts them."""
    outlined(path, b"/Title (Leave) /Dest [4 0 R /XYZ 0 700 0]", b"/Title (Pay) /Dest [5 0 R /Fit]")
    path.write_bytes(path.read_bytes().replace(b"/Count 3", b"/Count 2"))
    assert len(pypdfium2.PdfDocument(path)) == 2
    with pytest.raises(ValueError, match="other pages"):
        pdf_catalog._read(path, pypdfium2.PdfDocument(path))
    assert read(path).outline[2] == [Entry(0, "Leave", 700)]


def test_it_goes_on_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(_path: Path, _document: pypdfium2.PdfDocument) -> Catalog:
        turns = 0
        while True:
            with suppress(Exception):
                turns += 1

    monkeypatch.setattr(pdf_catalog, "_SECONDS", 0.05)
    monkeypatch.setattr(pdf_catalog, "_read", endless)
    outlined(path, b"/Title (Leave) /Dest [4 0 R /Fit]")
    assert read(path).outline == {2: [Entry(0, "Leave", None)]}
