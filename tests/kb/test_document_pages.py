"""The pages of documents: their text, what is told of them, their pages as pictures."""

import re
from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from kb import excerpts, outlines, pictures
from kb.blocks import Piece
from kb.models import Chunk, Collection, Document, Membership, Revision, RevisionText, Role, State
from tests.conftest import browser_of
from tests.kb.conftest import TIDES

pytestmark = pytest.mark.django_db


def words(text: str) -> str:
    """What a person reads of a text: without the marks that a table and a list are written with."""
    return " ".join(re.sub(r"(?m)^\s*(-|\d+\.)\s|\|", " ", text).split())


def passage_shown(page: bytes) -> str:
    """What is marked on a page, as a person reads it."""
    assert page.count(b'id="passage"') == 1, "not one passage is marked"
    found = re.findall(r"<mark[^>]*>(.*?)</mark>", page.decode(), re.S)
    return words(" ".join(unescape(piece) for piece in found))


def test_a_document_is_read(browser, tides):
    page = browser.get(tides.get_absolute_url()).content.decode()
    assert "The moon pulls the sea." in page
    assert tides.newest.sha256 in page
    assert re.search(r'<h3 class="heading"[^>]*id="at-\d+">', page)


def test_a_citation_marks_exactly_its_characters(browser, tides):
    for chunk in tides.newest.chunks.all():
        page = browser.get(f"{tides.get_absolute_url()}?revision=1&chars={chunk.start}-{chunk.end}")
        assert passage_shown(page.content) == words(chunk.text)


@pytest.mark.parametrize("chars", ["", "5", "5-5", "9-5", "0-99999", "a-b", "٣-٥", "-1-4", "0-9999999999999"])
def test_a_range_that_is_none_marks_nothing(browser, tides, chars):
    page = browser.get(tides.get_absolute_url(), {"chars": chars})
    assert page.status_code == 200
    assert 'id="passage"' not in page.content.decode()


@pytest.mark.parametrize("number", ["9", "0", "x", "-1", "99999999999", "²"])
def test_a_revision_that_is_none_is_not_found(browser, tides, number):
    assert browser.get(tides.get_absolute_url(), {"revision": number}).status_code == 404


def test_an_older_revision_stays_readable_and_says_so(browser, tides, work):
    chunk = tides.newest.chunks.first()
    newer = SimpleUploadedFile("tides2.md", b"# Tides\n\nAll was rewritten.\n")
    browser.post(reverse("document_revise", args=[tides.pk]), {"file": newer})
    work()
    old = browser.get(f"{tides.get_absolute_url()}?revision=1&chars={chunk.start}-{chunk.end}")
    assert passage_shown(old.content) == words(chunk.text)
    assert "You are reading an older revision" in old.content.decode()
    assert "All was rewritten." in browser.get(tides.get_absolute_url()).content.decode()


def test_text_is_never_markup(browser, upload, work):
    document = upload("evil.txt", "<script>alert(1)</script>", title="<img src=x onerror=alert(1)>")
    work()
    page = browser.get(document.get_absolute_url()).content.decode()
    assert "<script>alert" not in page
    assert "<img" not in page


def test_title_and_tags_are_edited(browser, tides):
    browser.post(reverse("document_edit", args=[tides.pk]), {"title": "Ebbe", "tags": "meer，mond、 meer, "})
    tides.refresh_from_db()
    assert (tides.title, tides.tags) == ("Ebbe", ["meer", "mond"])


def test_a_title_that_is_empty_is_refused(browser, tides):
    page = browser.post(reverse("document_edit", args=[tides.pk]), {"title": "", "tags": ""})
    tides.refresh_from_db()
    assert page.status_code == 200
    assert tides.title == "Tides"


def test_work_is_stopped_and_begun_again(browser, upload, collection):
    document = upload("tides.md", TIDES)
    here = {"next": collection.get_absolute_url()}
    assert browser.post(reverse("document_cancel", args=[document.pk]), here)["Location"] == here["next"]
    assert Revision.objects.get().state == State.CANCELLED
    browser.post(reverse("document_retry", args=[document.pk]), here)
    assert Revision.objects.get().state == State.RECEIVED


def test_reading_again_makes_a_revision(browser, tides):
    browser.post(reverse("document_reindex", args=[tides.pk]))
    assert [revision.number for revision in tides.revisions.order_by("number")] == [1, 2]


def test_nobody_is_sent_to_another_site(browser, tides):
    answer = browser.post(reverse("document_retry", args=[tides.pk]), {"next": "https://evil.example/"})
    assert answer["Location"] == tides.get_absolute_url()


def test_a_document_is_deleted(browser, tides, collection):
    assert browser.post(reverse("document_delete", args=[tides.pk]))["Location"] == collection.get_absolute_url()
    assert browser.get(tides.get_absolute_url()).status_code == 404


def test_the_original_is_a_download_and_nothing_else(browser, tides):
    answer = browser.get(reverse("document_file", args=[tides.pk]), {"revision": 1})
    assert b"".join(answer.streaming_content) == TIDES.encode()
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]


# --- What is told while a file is read, and after ---


def test_the_state_is_asked_for_until_the_text_is_there(browser, upload, work):
    document = upload("tides.md", TIDES)
    address = f"{reverse('document_state', args=[document.pk])}?revision=1"
    assert f'hx-get="{address}"' in browser.get(document.get_absolute_url()).content.decode()
    assert "HX-Refresh" not in browser.get(address)
    work()
    assert browser.get(address)["HX-Refresh"] == "true"


def test_who_reads_the_live_revision_is_told_of_the_next_and_not_torn_away(browser, tides, work):
    address = f"{reverse('document_state', args=[tides.pk])}?revision=1"
    browser.post(reverse("document_revise", args=[tides.pk]), {"file": SimpleUploadedFile("t.md", b"# New\n\nText.")})
    assert "hx-get" in browser.get(address).content.decode()
    work()
    told = browser.get(address)
    assert "HX-Refresh" not in told
    assert "Revision 2 is ready: open it" in told.content.decode()


def test_progress_is_told_in_pages(browser, upload):
    revision = upload("long.pdf", b"%PDF-").newest
    Revision.objects.filter(pk=revision.pk).update(state=State.READING, progress_done=120, progress_total=5000)
    page = browser.get(revision.document.get_absolute_url()).content.decode()
    assert "page 120 of 5,000" in page


def test_what_was_not_read_is_said_with_what_helps_in_the_readers_language(browser, booklet):
    warning = {"code": "pages_without_text", "detail": "3 of 5 pages have no text: 2, 3, 5."}
    booklet.revisions.update(warnings=[warning])
    english = browser.get(booklet.get_absolute_url()).content.decode()
    assert warning["detail"] in english
    assert "If it is a scan, name its languages" in english
    chinese = browser.get(booklet.get_absolute_url(), headers={"Accept-Language": "zh-CN"}).content.decode()
    assert "共 5 页，其中 3 页没有文字：2, 3, 5。" in chinese


def test_a_failed_document_says_why_and_what_helps(browser, upload, work, collection, bob):
    document = upload("empty.md", "")
    work()
    page = browser.get(document.get_absolute_url()).content.decode()
    assert "There is no text in the file" in page
    assert "What helps" in page
    assert reverse("document_retry", args=[document.pk]) in page
    Membership.objects.create(collection=collection, user=bob, role=Role.VIEWER)
    seen = browser_of(bob).get(document.get_absolute_url()).content.decode()
    assert "What helps" in seen
    assert reverse("document_retry", args=[document.pk]) not in seen


# --- Pages of PDFs ---


@pytest.fixture
def booklet(upload, work) -> Document:
    from fpdf import FPDF

    pdf = FPDF(unit="pt", format=(300, 400))
    pdf.set_font("Helvetica", size=12)
    for words in ("The first page speaks of tides.", "The second page speaks of the moon."):
        pdf.add_page()
        pdf.text(40, 60, words)
    document = upload("booklet.pdf", bytes(pdf.output()))
    work()
    return Document.objects.get(pk=document.pk)


def test_the_page_of_the_passage_is_shown_with_its_boxes(browser, booklet):
    chunk = next(chunk for chunk in booklet.newest.chunks.all() if "moon" in chunk.text)
    page = browser.get(f"{booklet.get_absolute_url()}?revision=1&chars={chunk.start}-{chunk.end}&page=2")
    shown = page.content.decode()
    assert 'viewBox="0 0 300.0 400.0"' in shown
    assert reverse("document_page", args=[booklet.pk, 2]) in shown
    boxes = [box["box"] for box in chunk.anchor["boxes"] if box["page"] == 2]
    [outlined] = re.findall(r'<a [^>]*class="outlined chosen".*?</a>', shown, re.S)
    assert len(boxes) == outlined.count("<rect x=")
    assert f'x="{boxes[0][0]}" y="{boxes[0][1]}"' in outlined


def test_the_place_of_a_passage_is_fetched_by_itself(browser, collection, upload, work, django_assert_max_num_queries):
    from fpdf import FPDF

    Collection.objects.filter(pk=collection.pk).update(chunk_target=32, chunk_maximum=40)
    pdf = FPDF(unit="pt", format=(300, 400))
    pdf.set_font("Helvetica", size=12)
    for place in ("harbour", "lighthouse"):
        pdf.add_page()
        pdf.multi_cell(0, 14, f"The {place} is closed in storms, and nobody may go there on foot or by boat. " * 4)
    document = upload("storms.pdf", bytes(pdf.output()))
    work()
    *_more, before, last = document.newest.chunks.all()
    asked = {"revision": 1, "chars": f"{last.start}-{last.end}"}
    with django_assert_max_num_queries(13):
        shown = browser.get(reverse("document_place", args=[document.pk]), asked).content.decode()
    assert "<html" not in shown
    assert f"Passage {last.ordinal + 1} of {last.ordinal + 1}" in shown
    assert f"chars={before.start}-{before.end}#passage" in unescape(shown)
    assert "Page 2 of 2" in shown


def test_a_picture_is_drawn_once_and_its_permission_asked_each_time(browser, booklet, charlie):
    address = reverse("document_page", args=[booklet.pk, 1])
    first = browser.get(address)
    assert first["Content-Type"] == "image/png"
    assert first.content.startswith(b"\x89PNG")
    drawn = pictures.of_page(booklet.newest, 1).path
    written = drawn.stat().st_mtime_ns
    assert browser.get(address).content == first.content
    assert drawn.stat().st_mtime_ns == written
    known = {"If-None-Match": first["ETag"]}
    assert browser.get(address, headers=known).status_code == 304
    assert browser_of(charlie).get(address, headers=known).status_code == 404


def test_a_page_that_is_none_is_not_found(browser, booklet, tides):
    assert browser.get(reverse("document_page", args=[booklet.pk, 3])).status_code == 404
    assert browser.get(reverse("document_page", args=[tides.pk, 1])).status_code == 404


def test_a_server_that_cannot_read_draws_no_page_and_says_so(browser, booklet, cannot_read):
    answer = browser.get(reverse("document_page", args=[booklet.pk, 1]))
    assert answer.status_code == 503
    assert "cannot read files just now" in answer.content.decode()
    place = browser.get(reverse("document_place", args=[booklet.pk]))
    assert place.status_code == 200
    assert "cannot read files just now" in place.content.decode()


def test_old_pictures_are_deleted_when_another_is_drawn(booklet):
    import os

    old = pictures.of_page(booklet.newest, 1).path
    os.utime(old, (0, 0))
    pictures.of_page(booklet.newest, 2)
    assert not old.exists()


# --- Long texts ---


@pytest.fixture
def long_revision(upload, collection) -> Revision:
    """A revision of 200,000 characters in passages of different lengths, so that no border falls anywhere nice."""
    revision = upload("long.txt", "long").newest
    pieces, chunks, stretches, outline, position = [], [], [], [], 0
    for number in range(600):
        words = f"Heading {number}\n\n" + f"{'x' * (number % 97)} line {number}. " * (1 + number % 9)
        end = position + len(words)
        below = position + words.index("\n\n") + 2
        stretches += [[position, below - 2, "heading", ""], [below, end, "prose", ""]]
        outline.append({"level": 1 + (number % 20 > 0), "title": f"Heading {number}", "start": position})
        chunks.append(
            Chunk(
                revision=revision,
                ordinal=number,
                start=position,
                end=end,
                text=words,
                kind="prose",
                anchor={},
                language="en",
                tokens=9,
                content_hash=str(number),
            )
        )
        pieces.append(words)
        position = end + 2
    RevisionText.objects.create(revision=revision, text="\n\n".join(pieces), outline=outline, stretches=stretches)
    Chunk.objects.bulk_create(chunks)
    return revision


def pieces_of(excerpt: excerpts.Excerpt) -> list[Piece]:
    """All the pieces of an excerpt, in order."""
    found: list[Piece] = []
    for block in excerpt.blocks:
        rows = (block.header, *block.rows)
        found += (*block.pieces, *(piece for item in block.items for piece in item.pieces))
        found += (piece for row in rows for cell in row for piece in cell.pieces)
    return found


def test_the_parts_of_a_long_text_are_the_text(long_revision):
    first = excerpts.of(long_revision)
    assert first is not None
    assert first.parts > 5
    parts = [excerpts.of(long_revision, part=number) for number in range(1, first.parts + 1)]
    pieces = [piece for part in parts if part for piece in pieces_of(part)]
    assert words(" ".join(piece.text for piece in pieces)) == words(long_revision.full_text.text)
    assert [one.ordinal for piece in pieces for one in piece.begins] == list(range(600))
    assert sum(len(piece.text) for piece in pieces_of(first)) < excerpts.PART + 2_000


def test_a_passage_is_whole_wherever_parts_are_cut(long_revision):
    for chunk in long_revision.chunks.all()[::7]:
        excerpt = excerpts.of(long_revision, (chunk.start, chunk.end))
        assert excerpt is not None
        marked = [piece for piece in pieces_of(excerpt) if piece.marked]
        assert words(" ".join(piece.text for piece in marked)) == words(chunk.text)
        assert [piece.opens for piece in marked] == [True] + [False] * (len(marked) - 1)


def test_a_long_text_is_fetched_part_by_part(browser, long_revision, django_assert_max_num_queries):
    document = long_revision.document
    with django_assert_max_num_queries(25):
        page = browser.get(document.get_absolute_url()).content.decode()
    assert len(page) < 200_000
    assert "Heading 3" in page
    following = re.search(r'class="more later" hx-get="([^"]+)"', page)
    assert following
    with django_assert_max_num_queries(14):
        part = browser.get(unescape(following[1])).content.decode()
    assert 'data-part="2"' in part
    assert "<html" not in part


def test_a_character_is_opened_in_its_part(browser, long_revision):
    position = long_revision.full_text.outline[400]["start"]
    page = browser.get(long_revision.document.get_absolute_url(), {"at": position}).content.decode()
    assert f'id="at-{position}"' in page


def test_a_long_outline_shows_its_upper_levels_and_the_rest_on_demand(browser, long_revision):
    shown = outlines.of(long_revision)
    assert [entry.title for entry in shown.entries] == [f"Heading {number}" for number in range(0, 600, 20)]
    assert {entry.left_out for entry in shown.entries} == {19}
    begin, end = shown.entries[2].below or (0, 0)
    below = browser.get(
        reverse("document_outline", args=[long_revision.document_id]), {"entries": f"{begin}-{end}"}
    ).content.decode()
    assert re.findall(r"Heading \d+", below) == [f"Heading {number}" for number in range(41, 60)]


def test_an_outline_of_one_level_is_shown_in_turns(long_revision):
    text = long_revision.full_text
    text.outline = [{"level": 2, "title": str(number), "start": number} for number in range(650)]
    text.save()
    titles: list[str] = []
    after: tuple[int, int] | None = (0, 650)
    while after:
        shown = outlines.of(long_revision, *after)
        titles += [entry.title for entry in shown.entries]
        after = shown.after
    assert titles == [str(number) for number in range(650)]
