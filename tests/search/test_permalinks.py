"""The link of a citation opens exactly its passage, also after three revisions, and leads on to the current one."""

import io
import re
from html import unescape

import docx
import pytest
from django.core.files.base import ContentFile
from django.test import Client
from fpdf import FPDF

from kb import ingestion
from kb.models import Chunk, Document
from search import citations

pytestmark = pytest.mark.django_db

CITED = "The moon pulls the sea towards it, and the water rises twice a day."
KEPT = [("Tides", CITED), ("Boats", "The dinghy is kept in the harbour, below the crane.")]
MOVED = [("Storms", "In a storm nobody goes out. The harbour master hoists a red flag."), *KEPT]
GONE = [("Tides", "The wind decides how far the water rises in the bay."), KEPT[1]]


def pdf(sections: list[tuple[str, str]]) -> bytes:
    written = FPDF()
    for title, words in sections:
        written.add_page()
        written.set_font("helvetica", "B", 20)
        written.cell(0, 16, title, new_x="LMARGIN", new_y="NEXT")
        written.set_font("helvetica", size=12)
        written.multi_cell(0, 8, words)
    return bytes(written.output())


def word(sections: list[tuple[str, str]]) -> bytes:
    written = docx.Document()
    for title, words in sections:
        written.add_heading(title)
        written.add_paragraph(words)
    file = io.BytesIO()
    written.save(file)
    return file.getvalue()


def markdown(sections: list[tuple[str, str]]) -> bytes:
    return "\n\n".join(f"# {title}\n\n{words}" for title, words in sections).encode()


WRITERS = {"notes.pdf": pdf, "notes.docx": word, "notes.md": markdown}


@pytest.fixture
def browser(alice) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def revise(document: Document, filename: str, sections: list[tuple[str, str]]) -> None:
    ingestion.receive_revision(document, ContentFile(WRITERS[filename](sections)), filename, user=None)


def marked(page: str) -> str:
    found = re.findall(r"<mark[^>]*>(.*?)</mark>", page.partition('id="text"')[2], re.S)
    return " ".join(unescape(" ".join(found)).split())


def link_to_the_current(page: str) -> str:
    notice = re.search(r'<p class="notice warning" id="older">.*?</p>', page, re.S)
    assert notice, "it does not say that there is a newer one"
    return unescape(re.search(r'href="([^"#]*)', notice.group())[1])  # type: ignore[index]


@pytest.mark.parametrize("filename", WRITERS)
def test_it_opens_the_passage_after_three_revisions(browser, upload, work, filename):
    document = upload(filename, WRITERS[filename](KEPT))
    work()
    chunk = Chunk.objects.select_related("revision__document__collection").get(text__contains=CITED[:20])
    permalink = citations.of(chunk).url.partition("#")[0]
    first = browser.get(permalink).content.decode()
    assert marked(first) == " ".join(chunk.text.split())
    assert 'id="older"' not in first

    revise(document, filename, MOVED)
    work()
    page = browser.get(permalink).content.decode()
    assert marked(page) == marked(first)
    assert "an older revision of this document, number 1" in page
    current = browser.get(link_to_the_current(page)).content.decode()
    assert marked(current) == marked(first)
    assert 'id="older"' not in current

    revise(document, filename, GONE)
    work()
    page = browser.get(permalink).content.decode()
    assert marked(page) == marked(first)
    assert "does not stand in the current one in these words" in page
    current = browser.get(link_to_the_current(page)).content.decode()
    assert marked(current) == ""
    assert "how far the water rises in the bay" in current


def test_in_a_pdf_the_passage_is_framed_on_its_page(browser, upload, work):
    document = upload("notes.pdf", pdf(KEPT))
    work()
    revise(document, "notes.pdf", GONE)
    work()
    chunk = Chunk.objects.select_related("revision__document__collection").get(
        text__contains="dinghy", revision__number=1
    )
    page = browser.get(citations.of(chunk).url.partition("#")[0]).content.decode()
    assert "/pages/2.png?revision=1" in page
    assert page.count('class="outlined chosen"') == 1
    [frame] = re.findall(r'class="outlined chosen"[^>]*>(.*?)</a>', page, re.S)
    assert frame.count("<rect") == len(chunk.anchor["boxes"])


def test_of_the_same_words_in_two_places_those_of_the_same_passage_are_meant(browser, upload, work):
    document = upload("notes.md", markdown([("High tide", CITED)]))
    work()
    revise(document, "notes.md", [("Low tide", CITED), ("High tide", CITED)])
    work()
    older, newer = (document.revisions.get(number=number).full_text.text for number in (1, 2))
    start = older.index(CITED)
    asked = {"revision": 1, "chars": f"{start}-{start + len(CITED)}"}
    page = browser.get(document.get_absolute_url(), asked).content.decode()
    assert f"chars={newer.rindex(CITED)}-" in link_to_the_current(page)


def test_a_part_of_a_passage_is_found_again(browser, upload, work):
    document = upload("notes.md", markdown(KEPT))
    work()
    revise(document, "notes.md", MOVED)
    work()
    text = document.revisions.get(number=1).full_text.text
    start = text.index("the water rises")
    page = browser.get(document.get_absolute_url(), {"revision": 1, "chars": f"{start}-{start + 15}"}).content.decode()
    assert marked(page) == "the water rises"
    assert marked(browser.get(link_to_the_current(page)).content.decode()) == "the water rises"


@pytest.mark.parametrize("chars", ["9-3", "5-5", "0-99999", "x"])
def test_an_address_that_was_torn_says_so(browser, upload, work, chars):
    document = upload("notes.md", markdown(KEPT))
    work()
    page = browser.get(document.get_absolute_url(), {"revision": 1, "chars": chars}).content.decode()
    assert "names a passage that is not in this revision" in page
    assert marked(page) == ""


def test_of_a_passage_that_was_changed_a_little_its_whole_sentences_are_meant(browser, upload, work):
    document = upload("notes.md", markdown([("Tides", f"First of all. {CITED} And so on.")]))
    work()
    now = CITED.replace("twice", "three or four times")
    revise(document, "notes.md", [MOVED[0], ("Tides", f"First of all, the moon. {now} And so on.")])
    work()
    start = document.revisions.get(number=1).full_text.text.index(CITED)
    for asked, found in ((CITED, now), (f"{CITED} And so on.", f"{now} And so on.")):
        place = {"revision": 1, "chars": f"{start}-{start + len(asked)}"}
        page = browser.get(document.get_absolute_url(), place).content.decode()
        assert "stands in the current one with small changes" in page
        assert marked(browser.get(link_to_the_current(page)).content.decode()) == found
