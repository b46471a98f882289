"""A heading is what has an outline level: by itself, by its style, or by one that its style is based on."""

from pathlib import Path

import pytest

from kb.reading.word import reader as word
from tests.kb.reading.reading import sections

from .files import paragraph, style
from .files import word as word_file


def outline(level: int) -> str:
    return f'<w:outlineLvl w:val="{level}"/>'


STYLES = (
    style("Normal", "Normal").replace("<w:style ", '<w:style w:default="1" ')
    + style("1", "heading 1")
    + style("2", "Heading 2,H2")
    + style("Mine", "My own", based_on="2")
    + style("Mine2", "My own again", based_on="Mine")
    + style("Level", "By level", inside=f"<w:pPr>{outline(2)}</w:pPr>")
    + style("TOCHeading", "TOC Heading", based_on="1", inside=f"<w:pPr>{outline(9)}</w:pPr>")
    + style("T", "Title")
    + style("Round", "Round", based_on="Round")
    + style("Cap", "caption")
    + style("Cap2", "Table caption", based_on="Cap")
)


def read(path: Path, body: str, **parts: str) -> list[tuple[str, int]]:
    """The kind of each section, and how long its path is."""
    found = sections(word.read(word_file(path / "a.docx", body, **parts)))
    return [(one.kind, len(one.heading_path)) for one in found]


@pytest.mark.parametrize(
    ("style_id", "properties", "kind", "depth"),
    [
        ("1", "", "heading", 2),
        ("2", "", "heading", 3),
        ("Mine2", "", "heading", 3),
        ("Level", "", "heading", 4),
        ("T", "", "heading", 1),
        ("", outline(0), "heading", 2),
        ("2", outline(9), "prose", 3),
        ("TOCHeading", "", "prose", 3),
        ("Round", "", "prose", 3),
        ("Unknown", "", "prose", 3),
        ("Heading1", "", "heading", 2),  # a style that the file does not define
        ("Cap", "", "caption", 3),
        ("Cap2", "", "caption", 3),
    ],
)
def test_a_paragraph_is_what_its_style_says(
    tmp_path: Path, style_id: str, properties: str, kind: str, depth: int
) -> None:
    before = paragraph("Title", style="T") + paragraph("One", style="1") + paragraph("Two", style="2")
    body = before + paragraph("words", style=style_id, properties=properties)
    assert read(tmp_path, body, styles=STYLES)[3] == (kind, depth)


@pytest.mark.parametrize(
    "name",
    ["标题 1", "見出し 1", "제목 1", "Überschrift 1", "Titre 1", "Título 1", "Заголовок 1", "عنوان 1", "HEADING 1"],
)
def test_names_of_styles_in_other_languages(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, paragraph("x", style="a"), styles=style("a", name)) == [("heading", 1)]


def test_a_file_without_styles(tmp_path: Path) -> None:
    assert read(tmp_path, paragraph("x", style="Heading2") + paragraph("y")) == [("heading", 1), ("prose", 1)]


def test_a_heading_is_one_line(tmp_path: Path) -> None:
    body = "<w:p><w:pPr><w:outlineLvl w:val='0'/></w:pPr><w:r><w:t>One</w:t><w:br/><w:t>Two</w:t></w:r></w:p>"
    (found,) = sections(word.read(word_file(tmp_path / "a.docx", body)))
    assert (found.text, found.heading_path) == ("One Two", ("One Two",))
