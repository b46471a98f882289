"""Slides, sheets and chapters from the upload to the page that a citation opens."""

import io
import re
from pathlib import Path

import openpyxl
import pytest
from django.test import Client
from django.utils import translation
from pptx import Presentation

from search import citations, retrieval
from search.hits import Query
from search.templatetags import passages
from tests.conftest import client_of
from tests.kb.reading import packages

pytestmark = pytest.mark.django_db


def workbook() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Budget"
    for row in [["Item", "Cost"], ["Lantern", 12], ["Rope", 30]]:
        sheet.append(row)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def deck() -> bytes:
    presentation = Presentation()
    for title in ("Welcome", "A lantern for every boat"):
        presentation.slides.add_slide(presentation.slide_layouts[5]).shapes.title.text = title
    written = io.BytesIO()
    presentation.save(written)
    return written.getvalue()


def book(folder: Path) -> bytes:
    pages = {name: f"<html><body><p>{words}</p></body></html>" for name, words in [("a", "Sea"), ("b", "A lantern")]}
    return packages.epub(folder / "a.epub", pages).read_bytes()


def text(folder: Path) -> bytes:
    return packages.opendocument(
        folder / "a.odt", "text", "<text:h>Light</text:h><text:p>A lantern</text:p>"
    ).read_bytes()


@pytest.mark.parametrize(
    ("filename", "label", "in_chinese", "place"),
    [
        ("a.xlsx", "a, sheet Budget, rows 1–3", "a, 工作表 Budget, 第 1–3 行", {"sheets": [1, 1], "rows": [1, 3]}),
        ("a.pptx", "a, slide 2", "a, 第 2 张幻灯片", {"slides": [2, 2]}),
        ("a.epub", "a, chapters 1–2", "a, 第 1–2 章", {"chapters": [1, 2]}),
        ("a.odt", "a, Light", "a, Light", {"paragraphs": [1, 2]}),
    ],
)
def test_a_citation_names_its_place_and_opens_there(
    upload, work, answering, alice, tmp_path, filename, label, in_chinese, place
):
    files = {"a.xlsx": workbook, "a.pptx": deck, "a.epub": lambda: book(tmp_path), "a.odt": lambda: text(tmp_path)}
    document = upload(filename, files[filename]())
    work()
    document.refresh_from_db()
    assert document.shown.state == "ready", document.shown.detail
    citation = retrieval.search(alice, Query("lantern")).hits[0].citation
    assert citation.label == label
    assert passages.cited(citation) == label
    with translation.override("zh-hans"):
        assert passages.cited(citation) == in_chinese
        assert citations.of(citations.find(alice, citation.id)).label == label
    api = client_of(alice)
    (hit,) = api.post("/api/v1/search/", {"query": "lantern", "limit": 1}, format="json").json()["hits"]
    named = {unit: hit["citation"][unit] for unit in ("pages", "slides", "sheets", "rows", "chapters")}
    assert named == {**dict.fromkeys(named), **{unit: place[unit] for unit in place if unit in named}}
    chunks = api.get(f"/api/v1/documents/{document.pk}/chunks/").json()["results"]
    anchor = next(chunk["anchor"] for chunk in chunks if chunk["id"] == hit["citation"]["id"])
    assert {unit: anchor[unit] for unit in place} == place
    browser = Client()
    browser.force_login(alice)
    opened = browser.get(citation.url.partition("#")[0]).content.decode()
    assert re.search("[Ll]antern", opened.partition('id="passage"')[2])
