"""What a reader does on the page of a document, and a manager on the page of settings."""

import re

import pytest
from django.core.files.base import ContentFile
from playwright.sync_api import Page, expect

from kb import ingestion
from kb.models import Chunk, Document
from kb.running.folder import REPOSITORY
from tests.browser.test_site import narrow_enough, pdf_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TOPS = """() => {
  const box = (selector) => document.querySelector(selector).getBoundingClientRect();
  const stays = window.innerWidth < 800 ? ".panes" : ".tools";
  return {notice: box("#older").bottom, passage: box("#passage").top, tools: box(stays).top};
}"""
MANUAL = REPOSITORY / "kb/demo/sampler-manual.en.pdf"
PHONE = {"width": 360, "height": 740}
CHAPTERS = "\n\n".join(
    f"# Chapter {number}\n\n" + f"The {number}th tide came in from the north, and the boats rose with it. " * 12
    for number in range(60)
)
MIXED = """# Samples

| Bottle | Volume |
|---|---|
| glass | 1 l |

## Program

```python
def sample():
    return "water"
```

- rinse
- fill
"""


@pytest.fixture
def book(upload, work) -> Document:
    """A text of two parts, each chapter a passage of its own."""
    document = upload("book.md", CHAPTERS, title="Book")
    work()
    return Document.objects.get(pk=document.pk)


def passage(page: Page) -> str:
    return " ".join(page.locator("#text mark").all_inner_texts())


def test_the_keyboard_goes_from_passage_to_passage(alice, book, open_page):
    page = open_page(book.get_absolute_url())
    page.keyboard.press("j")
    expect(page.locator("#place h2")).to_have_text("Passage 1 of 60")
    assert "Chapter 0" in passage(page)
    for _time in range(3):
        page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator("#place h2")).to_have_text("Passage 3 of 60")
    assert "Chapter 2" in passage(page)
    expect(page.locator("#passage")).to_be_in_viewport()
    page.reload()  # the address names the passage
    assert "Chapter 2" in passage(page)


@pytest.mark.parametrize("look", [{}, {"viewport": PHONE}])
def test_an_older_revision_says_so_where_its_passage_is_read(alice, book, work, open_page, look):
    chunk = Chunk.objects.get(text__contains="Chapter 20")
    older = f"{book.get_absolute_url()}?revision=1&chars={chunk.start}-{chunk.end}"
    ingestion.receive_revision(book, ContentFile(b"# Tides\n\nAnother text."), "book.md", user=alice)
    work()
    page = open_page(older, **look)
    page.goto(f"{older}#passage")
    notice = page.get_by_text("You are reading an older revision")
    expect(notice).to_be_in_viewport(ratio=1)
    expect(page.locator("#passage")).to_be_in_viewport(ratio=1)
    tops = page.evaluate(TOPS)
    assert page.evaluate("window.scrollY") > 500
    assert tops["notice"] - min(tops["passage"], tops["tools"]) < 1


def test_the_outline_leads_to_its_place_and_follows_the_text(alice, book, open_page):
    page = open_page(book.get_absolute_url())
    contents = page.get_by_role("navigation", name="Contents")
    contents.get_by_role("link", name="Chapter 5", exact=True).click()
    expect(page.locator("#text").get_by_role("heading", name="Chapter 5", exact=True)).to_be_in_viewport()
    expect(contents.locator("[aria-current]")).to_have_text("Chapter 5")
    contents.get_by_role("link", name="Chapter 59").click()  # in the other part
    expect(page.locator("#text").get_by_role("heading", name="Chapter 59")).to_be_in_viewport()


def test_further_text_comes_as_it_is_needed(alice, book, open_page):
    page = open_page(book.get_absolute_url())
    assert page.locator("#text .part").count() == 1
    page.locator(".later").scroll_into_view_if_needed()
    expect(page.locator("#text").get_by_role("heading", name="Chapter 59")).to_be_attached()
    assert page.locator("#text .part").count() == 2
    assert page.locator("#text .passage-start").count() == 60


def test_earlier_text_comes_when_asked_for(alice, book, open_page):
    page = open_page(f"{book.get_absolute_url()}?part=2")
    expect(page.locator("#text").get_by_role("heading", name="Chapter 0", exact=True)).to_have_count(0)
    page.get_by_role("link", name="Earlier text").click()
    expect(page.locator("#text").get_by_role("heading", name="Chapter 0", exact=True)).to_be_attached()


def test_passages_are_shown_and_hidden(alice, book, open_page):
    page = open_page(book.get_absolute_url())
    number = page.locator("#text .passage-start").first
    expect(number).to_be_visible()
    page.keyboard.press("p")
    expect(number).to_be_hidden()
    page.reload()
    expect(page.locator("#text .passage-start").first).to_be_hidden()


def test_each_kind_of_text_is_what_it_is(alice, upload, work, open_page):
    document = upload("samples.md", MIXED, title="Samples")
    work()
    page = open_page(document.get_absolute_url())
    expect(page.locator("#text").get_by_role("columnheader", name="Bottle")).to_be_visible()
    expect(page.locator("#text").get_by_role("cell", name="1 l")).to_be_visible()
    expect(page.locator("#text").get_by_role("heading", name="Program", level=3)).to_be_visible()
    expect(page.locator("#text pre")).to_contain_text('    return "water"')
    expect(page.locator("#text").get_by_role("listitem")).to_have_count(2)


def test_a_passage_is_chosen_on_the_page_of_the_pdf(alice, upload, work, open_page):
    upload("boats.pdf", pdf_of("Boats are kept in the harbour.", "The dinghy has an outboard engine."), title="Boats")
    work()
    page = open_page(Document.objects.get().get_absolute_url())
    assert passage(page) == ""
    page.locator("svg.page a").first.click(force=True)  # a link of rectangles: its middle may be between two
    expect(page.locator("svg.page .chosen")).to_have_count(1)
    assert "Boats are kept in the harbour." in passage(page)


def test_on_a_phone_one_thing_is_shown_at_a_time(alice, upload, work, open_page):
    upload("manual.pdf", MANUAL.read_bytes(), title="Manual")
    work()
    page = open_page(Document.objects.get().get_absolute_url(), viewport=PHONE)
    expect(page.locator("#text")).to_be_visible()
    expect(page.locator("svg.page")).to_be_hidden()
    page.get_by_text("Page", exact=True).click()
    expect(page.locator("svg.page")).to_be_visible()
    expect(page.locator("#text")).to_be_hidden()
    assert narrow_enough(page)
    page.get_by_text("Contents", exact=True).first.click()
    page.get_by_role("link", name="Storage").click()
    expect(page.locator("#text").get_by_role("heading", name="Storage")).to_be_in_viewport()


def test_settings_are_tried_and_applied(alice, book, work, open_page):
    page = open_page(f"{book.collection.get_absolute_url()}settings/")
    page.get_by_label("Passage size").fill("64")
    page.get_by_label("Largest passage").fill("96")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview .of-today td").first).to_have_text("60")
    tried = int(page.locator("#preview .of-tried td").first.inner_text())
    assert tried > 60
    page.get_by_role("button", name="Save and apply to all documents…").click()
    page.get_by_role("button", name="Save and read again").click()
    expect(page.get_by_text("1 document is read again")).to_be_visible()
    work()
    page.goto(book.get_absolute_url())
    expect(page.locator("#place h2")).to_have_text(f"{tried} passages")


def test_a_failed_document_says_what_helps(alice, upload, work, open_page):
    document = upload("empty.md", "")
    work()
    page = open_page(document.get_absolute_url())
    expect(page.locator("#state")).to_contain_text("There is no text in the file")
    expect(page.locator("#state")).to_contain_text("What helps")


def test_the_page_shows_the_text_as_soon_as_it_was_read(alice, upload, work, open_page):
    document = upload("tides.md", "# Tides\n\nThe tide turns.")
    page = open_page(document.get_absolute_url())
    expect(page.get_by_text("The text appears here")).to_be_visible()
    work()
    expect(page.locator("#text")).to_contain_text("The tide turns.")
    assert re.search("Ready", page.locator("#state").inner_text())
