"""The demonstration corpus: its manifest, its files and the answers that its questions promise."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict, cast

import docx
import pypdf
import pypdfium2
import pytest
from pypdf.generic import DictionaryObject

FOLDER = Path(__file__).parents[2] / "kb" / "demo"
LANGUAGES = {"ar", "de", "en", "es", "ja", "zh"}
FORMATS = {".docx", ".md", ".pdf"}
MEBIBYTE = 1024 * 1024


class Entry(TypedDict):
    file: str
    title: str
    language: str
    tags: list[str]


class Question(TypedDict):
    query: str
    language: str
    answer_file: str
    answer_contains: str


class Manifest(TypedDict):
    collection: dict[str, str]
    documents: list[Entry]
    questions: list[Question]


MANIFEST: Manifest = json.loads((FOLDER / "manifest.json").read_text("utf-8"))
LANGUAGE_OF = {entry["file"]: entry["language"] for entry in MANIFEST["documents"]}
PDFS = [name for name in LANGUAGE_OF if name.endswith(".pdf")]


def _pdf_text(path: Path) -> str:
    with pypdfium2.PdfDocument(path) as pdf:
        return "\n".join(page.get_textpage().get_text_range() for page in pdf)


def _docx_text(path: Path) -> str:
    return "\n".join(docx.Document(str(path)).element.body.itertext())


def _markdown_text(path: Path) -> str:
    return path.read_text("utf-8")


READERS: dict[str, Callable[[Path], str]] = {".pdf": _pdf_text, ".docx": _docx_text, ".md": _markdown_text}


def _squeezed(text: str) -> str:
    """The text without white space: a line may break anywhere, in Chinese even inside a word."""
    return re.sub(r"\s", "", text)


def _text(name: str) -> str:
    path = FOLDER / name
    return _squeezed(READERS[path.suffix](path))


def _fonts(pdf: pypdf.PdfReader) -> list[DictionaryObject]:
    pages = [cast(DictionaryObject, page["/Resources"]) for page in pdf.pages]
    return [font.get_object() for page in pages for font in cast(DictionaryObject, page["/Font"]).values()]


def _descriptor(font: DictionaryObject) -> DictionaryObject:
    """A composite font keeps its descriptor on its only descendant."""
    descendant = font.get("/DescendantFonts", [font])[0].get_object()
    return cast(DictionaryObject, descendant["/FontDescriptor"].get_object())


class TestManifest:
    def test_it_lists_every_file_of_the_folder_once(self) -> None:
        files = sorted(path.name for path in FOLDER.iterdir() if path.suffix in FORMATS)
        assert sorted(entry["file"] for entry in MANIFEST["documents"]) == files
        assert {path.name for path in FOLDER.iterdir()} - set(files) == {"manifest.json"}

    def test_it_covers_six_languages_and_three_formats(self) -> None:
        names = [Path(name) for name in LANGUAGE_OF]
        assert len(names) >= 12
        assert set(LANGUAGE_OF.values()) == LANGUAGES
        assert {name.suffix for name in names} == FORMATS
        assert {language for name, language in LANGUAGE_OF.items() if name in PDFS} >= {"ar", "en", "ja", "zh"}

    def test_most_questions_are_asked_in_another_language_than_their_answer(self) -> None:
        questions = MANIFEST["questions"]
        across = [one for one in questions if one["language"] != LANGUAGE_OF[one["answer_file"]]]
        assert len(questions) >= 24
        assert len(across) > len(questions) / 2
        assert {one["language"] for one in questions} == LANGUAGES
        assert {one["answer_file"] for one in questions} == set(LANGUAGE_OF)

    def test_it_stays_small_enough_for_the_repository(self) -> None:
        sizes = [(FOLDER / name).stat().st_size for name in LANGUAGE_OF]
        assert max(sizes) < 200 * 1024
        assert sum(sizes) < 1.5 * MEBIBYTE


@pytest.mark.parametrize("question", MANIFEST["questions"], ids=lambda one: one["query"])
def test_the_answer_stands_in_its_file(question: Question) -> None:
    assert _squeezed(question["answer_contains"]) in _text(question["answer_file"])


@pytest.mark.parametrize("entry", MANIFEST["documents"], ids=lambda one: one["file"])
def test_the_title_opens_the_document(entry: Entry) -> None:
    assert _squeezed(entry["title"]) in _text(entry["file"])[:200]


@pytest.mark.parametrize("name", PDFS)
class TestPdf:
    def test_every_font_is_inside(self, name: str) -> None:
        with pypdf.PdfReader(FOLDER / name) as pdf:
            fonts = _fonts(pdf)
            assert fonts
            assert all({"/FontFile", "/FontFile2", "/FontFile3"} & _descriptor(font).keys() for font in fonts)

    def test_it_has_an_outline_a_title_and_a_language(self, name: str) -> None:
        with pypdf.PdfReader(FOLDER / name) as pdf:
            assert len(pdf.pages) >= 2
            assert pdf.outline
            assert pdf.metadata is not None
            assert pdf.metadata.title
            assert str(pdf.root_object["/Lang"]).startswith(LANGUAGE_OF[name])

    def test_its_letters_are_the_ordinary_ones(self, name: str) -> None:
        """A PDF may name a look-alike: U+2F42 for U+6587, or Arabic letters by their joined forms."""
        odd = re.findall(r"[\u2e80-\u2fdf\ufb00-\ufdff\ufe70-\ufeff\ufffd-\uffff]", _text(name))
        assert odd == []


@pytest.mark.parametrize("name", [name for name in LANGUAGE_OF if name.endswith(".docx")])
def test_a_word_file_has_real_headings_lists_and_a_table(name: str) -> None:
    document = docx.Document(str(FOLDER / name))
    styles = {paragraph.style.name for paragraph in document.paragraphs if paragraph.style}
    assert styles >= {"Title", "Heading 1", "List Bullet"}
    assert document.tables
    assert document.core_properties.title
    assert document.core_properties.language.startswith(LANGUAGE_OF[name])
