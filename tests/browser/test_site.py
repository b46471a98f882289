"""What a person does in the browser, from signing in to reading a cited passage."""

import pytest
from django.core.files.base import ContentFile
from fpdf import FPDF
from playwright.sync_api import Page, expect

from kb import ingestion
from kb.models import Collection, Document

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TIDES = "# Tides\n\nThe tide turns twice a day.\n\n## The moon\n\nThe moon pulls the sea towards it.\n"
PHONE = {"width": 360, "height": 740}
DROP = """([zone, name, text]) => {
  const carried = new DataTransfer();
  carried.items.add(new File([text], name, {type: "text/markdown"}));
  zone.dispatchEvent(new DragEvent("drop", {dataTransfer: carried, bubbles: true, cancelable: true}));
}"""


def pdf_of(*pages: str) -> bytes:
    pdf = FPDF()
    pdf.set_font("helvetica", size=14)
    for page in pages:
        pdf.add_page()
        pdf.multi_cell(0, 8, page)
    return bytes(pdf.output())


@pytest.fixture
def shelf(upload, work) -> Document:
    """A collection with a Markdown file, a PDF, an Arabic text and one that failed; the PDF."""
    upload("tides.md", TIDES, title="Tides")
    upload("arabic.md", "# البحر\n\nيسحب القمر البحر نحوه مرتين في اليوم.", title="البحر")
    upload("empty.md", "")
    paper = upload(
        "boats.pdf", pdf_of("Boats are kept in the harbour.", "The dinghy has an outboard engine."), title="Boats"
    )
    work()
    return paper


def narrow_enough(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_it_works(alice, space, work, answering, open_page):
    page = open_page()
    page.get_by_role("link", name="Collections").click()
    page.get_by_role("button", name="New collection").first.click()
    page.get_by_label("Name").fill("Field notes")
    page.get_by_role("button", name="Make the collection").click()
    expect(page.get_by_role("heading", name="Field notes")).to_be_visible()

    expect(page.locator("#drop.lively")).to_be_visible()  # its script is there
    page.set_input_files(
        "#files",
        [
            {"name": "tides.md", "mimeType": "text/markdown", "buffer": TIDES.encode()},
            {"name": "virus.exe", "mimeType": "application/octet-stream", "buffer": b"MZ"},
        ],
    )
    expect(page.locator("#documents")).to_contain_text("tides")
    expect(page.locator(".uploads")).to_contain_text("virus.exe is not a kind of file that can be read here")
    page.locator("#drop").evaluate(
        "(zone, given) => (" + DROP + ")([zone, ...given])", ["boats.md", "# Boats\n\nA dinghy."]
    )
    expect(page.locator("#documents")).to_contain_text("boats")

    work()
    expect(page.locator("#documents").get_by_text("Ready", exact=True).nth(1)).to_be_visible()

    page.goto("/")
    page.fill("#q", "what pulls the sea")
    page.press("#q", "Enter")
    expect(page.locator("#answer")).to_contain_text("The moon pulls the sea")
    page.locator("#answer a[href*='/documents/']").first.click()
    expect(page.locator("mark#passage").first).to_be_in_viewport()
    marked = "".join(page.locator("main mark").all_inner_texts())
    assert "The moon pulls the sea towards it." in marked
    assert "twice a day" not in marked


def test_a_pdf_shows_its_page_with_the_passage_framed(alice, shelf, answering, open_page):
    page = open_page("/?q=outboard+engine")
    page.locator("#answer a[href*='/documents/']").first.click()
    picture = page.locator("svg.page image")
    expect(picture).to_be_visible()
    loaded = page.request.get(picture.get_attribute("href") or "")
    assert loaded.headers["content-type"] == "image/png"
    assert page.locator("svg.page rect").count() == 1
    page.get_by_role("link", name="Next page").click()
    expect(page.get_by_text("Page 2 of 2")).to_be_visible()
    expect(page.locator("svg.page .chosen rect")).to_have_count(1)  # the passage goes on here


def test_a_failure_says_why_and_can_be_tried_again(alice, shelf, open_page):
    page = open_page(shelf.collection.get_absolute_url())
    expect(page.locator("#documents")).to_contain_text("The file is empty")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("#documents")).to_contain_text("Received")


def test_a_collection_is_deleted_with_one_click_and_a_yes(alice, shelf, open_page):
    page = open_page(f"{shelf.collection.get_absolute_url()}settings/")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete the collection").click()
    page.wait_for_url("**/collections/")
    assert not Collection.objects.exists()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en", "zh-CN"])
def test_every_page_fits_a_phone_in_every_dress(alice, shelf, answering, open_page, scheme, locale):
    page = open_page(viewport=PHONE, color_scheme=scheme, locale=locale)
    expect(page.get_by_role("link", name="文档集" if locale == "zh-CN" else "Collections").first).to_be_visible()
    collection = shelf.collection.get_absolute_url()
    for path in (
        "/",
        "/?q=moon",
        "/?q=zzz&mode=lexical",
        "/collections/",
        collection,
        f"{collection}settings/",
        shelf.get_absolute_url(),
    ):
        page.goto(path)
        assert narrow_enough(page), path


def test_the_keyboard_reaches_the_search_box(alice, shelf, open_page):
    page = open_page("/collections/")
    page.goto("/?q=moon&mode=lexical")
    page.locator("body").press("/")
    expect(page.locator("#q")).to_be_focused()


def test_arabic_runs_from_right_to_left(alice, shelf, answering, open_page):
    page = open_page("/?q=القمر&mode=lexical")
    passage = page.locator("#answer [lang=ar]").first
    assert passage.evaluate("element => getComputedStyle(element).direction") == "rtl"


def test_what_is_uploaded_is_never_run(alice, collection, work, answering, open_page):
    image = "<img src=x onerror=\"document.title='run'\">"
    nasty = f"<script>document.title='run'</script>{image} moon [x](javascript:alert(1))"
    name = "<img src=x onerror=alert(1)>.md"
    document = ingestion.receive(collection, ContentFile(f"# {nasty}\n\n{nasty}".encode()), name, user=alice).document
    work()
    page = open_page("/?q=moon")
    for path in ("/?q=moon", collection.get_absolute_url(), document.get_absolute_url()):
        page.goto(path)
        assert page.title() != "run"
        assert page.locator("main script, main img[onerror], main a[href^='javascript:']").count() == 0
