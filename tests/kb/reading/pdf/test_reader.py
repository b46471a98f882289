import io
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from kb.reading import sniffing
from kb.reading.confined import sandbox
from kb.reading.failures import Reason, Unreadable
from kb.reading.options import Options
from kb.reading.pdf import reader as pdf
from kb.reading.pdf import rendering
from kb.reading.sections import About, Item, Page, Progress, Warned
from tests.kb.reading import files
from tests.kb.reading.reading import sections

LONG = "This line of a paragraph goes on for as long as the column has"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.pdf"


def read(path: Path) -> list[Item]:
    return list(pdf.read(path, Options()))


def texts(path: Path) -> list[str]:
    return [section.text for section in sections(pdf.read(path, Options()))]


def test_it_reads(path: Path) -> None:
    files.pdf(path, [["One", "", "", "Two"], ["Three"]])
    about, *items = read(path)
    assert isinstance(about, About)
    assert (about.title, about.unit) == ("A title", "page")
    assert [item for item in items if isinstance(item, Page)] == [Page(1, 400, 600), Page(2, 400, 600)]
    assert [item for item in items if isinstance(item, Progress)] == [Progress(1, 2), Progress(2, 2)]
    found = sections(items)
    assert [section.text for section in found] == ["One", "Two", "Three"]
    assert [mark.unit for section in found for mark in section.marks] == [1, 1, 2]


def test_lines_of_a_paragraph_are_joined(path: Path) -> None:
    files.pdf(path, [[LONG, LONG, "and ends.", LONG, "here."]])
    assert texts(path) == [f"{LONG} {LONG} and ends.", f"{LONG} here."]


def test_a_hyphen_at_the_end_of_a_line_is_joined(path: Path) -> None:
    files.pdf(path, [["This line of a paragraph is ended by a hyphen in an exam-", "ple of one, and by-"]])
    assert texts(path) == ["This line of a paragraph is ended by a hyphen in an example of one, and by-"]


def test_items_of_a_list_stay_apart(path: Path) -> None:
    files.pdf(path, [["1. " + LONG, "2. " + LONG, "- " + LONG]])
    assert texts(path) == ["1. " + LONG, "2. " + LONG, "- " + LONG]


def test_headings_come_from_the_outline(path: Path) -> None:
    files.pdf(path, [["1 Leave", "# Leave", LONG], ["before", "# 2 Pay", "Monthly."], ["after"]], outline=True)
    found = sections(pdf.read(path, Options()))
    assert [(s.text, s.kind, s.heading_path) for s in found] == [
        ("1 Leave", "prose", ()),
        ("Leave", "heading", ("Leave",)),
        (LONG, "prose", ("Leave",)),
        ("before", "prose", ("Leave",)),
        ("2 Pay", "heading", ("2 Pay",)),
        ("Monthly.", "prose", ("2 Pay",)),
        ("after", "prose", ("2 Pay",)),
    ]


def darkest(image: Image.Image) -> int:
    return min(image.tobytes())


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("crop", [None, (30, 100, 380, 580)])
def test_boxes_cover_the_ink_and_nothing_else(
    path: Path, rotate: int, crop: tuple[float, float, float, float] | None
) -> None:
    shown = files.changed(files.pdf(path, [["Words,", "", LONG]]), rotate=rotate, crop=crop)
    (page,) = (item for item in pdf.read(shown, Options()) if isinstance(item, Page))
    image = Image.open(io.BytesIO(rendering.render(shown, 1, scale=2).png)).convert("L")
    assert image.size == (round(page.width * 2), round(page.height * 2))
    found = [mark.box for section in sections(pdf.read(shown, Options())) for mark in section.marks]
    assert len(found) == 2
    for box in found:
        assert box is not None
        left, top, right, bottom = (side * 2 for side in box)
        assert darkest(image.crop((left, top, right, bottom))) < 100
        ImageDraw.Draw(image).rectangle((left - 2, top - 2, right + 2, bottom + 2), fill=255)
    assert darkest(image) > 200


def test_what_the_crop_box_hides_is_left_out(path: Path) -> None:
    shown = files.changed(files.pdf(path, [["Hidden", "", "", "", "", "", "", "", "", "Shown"]]), crop=(0, 0, 400, 500))
    assert texts(shown) == ["Shown"]


def test_pages_without_text_are_named(path: Path) -> None:
    files.pdf(path, [["One"], [], []])
    (warned,) = (item for item in read(path) if isinstance(item, Warned))
    assert warned == Warned("pages_without_text", "2 of 3 pages have no text: 2, 3.")


def test_an_empty_user_password_opens(path: Path) -> None:
    assert texts(files.encrypted(files.pdf(path, [["Words"]]), password="")) == ["Words"]


def refusal(path: Path) -> Unreadable:
    with pytest.raises(Unreadable) as refused:
        read(path)
    return refused.value


def test_a_password(path: Path) -> None:
    assert refusal(files.encrypted(files.pdf(path, [["Words"]]), password="secret")).reason == Reason.ENCRYPTED


def test_a_damaged_file(path: Path) -> None:
    path.write_bytes(b"%PDF-1.7\nand nothing else")
    assert refusal(path).reason == Reason.MALFORMED


def test_no_pages(path: Path) -> None:
    # In a process of its own: PDFium says what was wrong only with the first file that it refuses.
    with pytest.raises(Unreadable) as refused:
        list(sandbox.read(files.without_pages(path), sniffing.PDF))
    assert (refused.value.reason, refused.value.detail) == (Reason.NO_TEXT, "This PDF has no pages.")


def test_no_text(path: Path) -> None:
    refused = refusal(files.pdf(path, [[], []]))
    assert refused.reason == Reason.NO_TEXT
    assert "probably a scan" in refused.detail


def test_too_many_pages(path: Path) -> None:
    files.many_pages(path, pdf.PAGE_LIMIT + 1)
    assert refusal(path).reason == Reason.TOO_MANY_PAGES


def test_a_picture_is_never_too_large(path: Path) -> None:
    files.pdf(path, [["Words"]])
    image = rendering.render(path, 1, scale=1_000)
    width, height = Image.open(io.BytesIO(image.png)).size
    assert 0.9 * rendering.PIXELS < width * height < 1.1 * rendering.PIXELS
    assert (image.width_pt, image.height_pt) == (400, 600)


def test_there_is_no_such_page(path: Path) -> None:
    files.pdf(path, [["Words"]])
    with pytest.raises(Unreadable):
        rendering.render(path, 2, scale=1)
