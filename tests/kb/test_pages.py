"""The pages of collections and documents: what they show, to whom, and what they refuse."""

import re
import uuid
from datetime import UTC, datetime
from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from embeddings.models import Space
from kb import excerpts, ingestion, outlines, pictures, previews
from kb.blocks import Piece
from kb.models import Chunk, Collection, Document, Membership, Revision, RevisionText, Role, State, User
from kb.reading import children
from kb.reading.children import Lost

pytestmark = pytest.mark.django_db

TIDES = "# Tides\n\nThe tide turns twice a day.\n\n## Moon\n\nThe moon pulls the sea.\n"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def browser(alice: User) -> Client:
    return signed_in(alice)


@pytest.fixture
def tides(upload, work) -> Document:
    document = upload("tides.md", TIDES, title="Tides", tags=["sea"])
    work()
    return Document.objects.get(pk=document.pk)


def words(text: str) -> str:
    """What a person reads of a text: without the marks that a table and a list are written with."""
    return " ".join(re.sub(r"(?m)^\s*(-|\d+\.)\s|\|", " ", text).split())


def passage_shown(page: bytes) -> str:
    """What is marked on a page, as a person reads it."""
    assert page.count(b'id="passage"') == 1, "not one passage is marked"
    found = re.findall(r"<mark[^>]*>(.*?)</mark>", page.decode(), re.S)
    return words(" ".join(unescape(piece) for piece in found))


# --- Collections ---


def test_a_collection_is_made_and_listed(browser, space):
    answer = browser.post("/collections/", {"name": "潮汐 Tides", "description": "", "instruction_domain": "general"})
    collection = Collection.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, collection.get_absolute_url())
    assert collection.owner.username == "alice"
    assert "潮汐 Tides" in browser.get("/collections/").content.decode()


def test_a_collection_without_a_name_is_refused(browser, space):
    page = browser.post("/collections/", {"name": " ", "instruction_domain": "general"})
    assert page.status_code == 200
    assert 'role="alert"' in page.content.decode()
    assert not Collection.objects.exists()


def test_the_list_holds_only_what_one_may_see(collection, charlie):
    assert "Field notes" not in signed_in(charlie).get("/collections/").content.decode()


def test_files_become_documents_of_the_table(browser, collection, work):
    files = [SimpleUploadedFile("tides.md", TIDES.encode()), SimpleUploadedFile("moon.txt", b"The moon is far.")]
    answer = browser.post(reverse("collection_upload", args=[collection.slug]), {"file": files})
    assert (answer.status_code, answer["Location"]) == (303, collection.get_absolute_url())
    work()
    page = browser.get(collection.get_absolute_url()).content.decode()
    assert "tides" in page
    assert "moon" in page
    assert page.count("state-ready") == 2


def test_source_code_is_taken_shown_and_given_back(browser, collection, upload, work):
    assert ".pyi," in browser.get(collection.get_absolute_url()).content.decode()
    document = upload("ledger.py", "def close(ledger):\n    return 1 < 2\n")
    work()
    assert "Python" in browser.get(collection.get_absolute_url()).content.decode()
    assert "return 1 &lt; 2" in browser.get(document.get_absolute_url()).content.decode()
    original = browser.get(reverse("document_file", args=[document.pk]), {"revision": 1})
    assert original["Content-Type"] == "text/x-python"
    assert original["Content-Disposition"].startswith("attachment")


def test_the_drop_zone_gets_json(browser, collection):
    address = reverse("collection_upload", args=[collection.slug])
    headers = {"Accept": "application/json"}
    taken = browser.post(address, {"file": SimpleUploadedFile("tides.md", TIDES.encode())}, headers=headers)
    again = browser.post(address, {"file": SimpleUploadedFile("copy.md", TIDES.encode())}, headers=headers)
    assert (taken.status_code, taken.json()["documents"][0]["created"]) == (202, True)
    assert again.json()["documents"][0] == taken.json()["documents"][0] | {"created": False}


def test_a_bad_file_is_refused_with_its_reason_and_keeps_no_other_out(browser, collection):
    files = [SimpleUploadedFile("virus.exe", b"MZ"), SimpleUploadedFile("tides.md", TIDES.encode())]
    page = browser.post(reverse("collection_upload", args=[collection.slug]), {"file": files}, follow=True)
    assert "virus.exe is not a kind of file" in page.content.decode()
    assert Document.objects.count() == 1


def test_a_file_over_the_limit_is_refused(browser, collection, settings):
    settings.UPLOAD_LIMIT = 10
    answer = browser.post(
        reverse("collection_upload", args=[collection.slug]),
        {"file": SimpleUploadedFile("tides.md", TIDES.encode())},
        headers={"Accept": "application/json"},
    )
    assert (answer.status_code, answer.json()["reason"]) == (413, "too_large")
    assert not Document.objects.exists()


def test_a_form_without_a_file_says_so(browser, collection):
    page = browser.post(reverse("collection_upload", args=[collection.slug]), follow=True)
    assert "Choose a file first." in page.content.decode()


def test_a_failure_is_shown_with_its_cause_and_a_retry(browser, collection, upload, work):
    document = upload("empty.md", "")
    work()
    page = browser.get(collection.get_absolute_url()).content.decode()
    assert "There is no text in the file" in page
    assert document.newest.detail in unescape(page)
    assert reverse("document_retry", args=[document.pk]) in page


def test_the_table_looks_again_only_while_work_goes_on(browser, collection, upload, work):
    upload("tides.md", TIDES)
    assert "every 2s" in browser.get(collection.get_absolute_url()).content.decode()
    work()
    assert "every 2s" not in browser.get(collection.get_absolute_url()).content.decode()


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("show=ready", {"tides"}),
        ("show=failed", {"empty"}),
        ("show=working", {"waiting"}),
        ("q=TIDE", {"tides"}),
        ("q=nothing", set()),
        ("show=nonsense&page=-3", {"tides", "empty", "waiting"}),
    ],
)
def test_the_table_is_filtered(browser, collection, upload, work, query, titles):
    upload("tides.md", TIDES)
    upload("empty.md", "")
    work()
    upload("waiting.md", "Not read yet.")
    page = browser.get(f"{collection.get_absolute_url()}?{query}").content.decode()
    assert set(re.findall(r'<a id="open-[^>]*>([^<]*)</a>', page)) == titles


def test_the_table_costs_the_same_number_of_queries_however_long(
    browser, collection, upload, django_assert_num_queries, django_assert_max_num_queries
):
    upload("one.md", "One.")
    with django_assert_max_num_queries(20) as counted:
        browser.get(collection.get_absolute_url())
    for number in range(10):
        upload(f"{number}.md", f"Number {number}.")
    with django_assert_num_queries(len(counted)):
        browser.get(collection.get_absolute_url())


SETTINGS = {
    "name": "Sea notes",
    "description": "All",
    "instruction_domain": "legal",
    "balance_languages": "on",
    "chunk_target": 64,
    "chunk_maximum": 128,
    "chunk_overlap": 16,
    "ocr_languages": "eng+deu",
    "reads_annotations": "on",
}


def test_settings_are_changed(browser, collection, tides):
    browser.post(reverse("collection_settings", args=[collection.slug]), SETTINGS)
    collection.refresh_from_db()
    assert {name: getattr(collection, name) for name in SETTINGS} == SETTINGS | {"reads_annotations": True}
    assert tides.revisions.count() == 1


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"chunk_target": 8}, "from 32 to 8,192"),
        ({"chunk_maximum": 9000}, "from 32 to 8,192"),
        ({"chunk_maximum": 40}, "cannot be smaller than the passage size"),
        ({"chunk_overlap": 33}, "half of the passage size at most"),
        ({"ocr_languages": "english, german"}, "Enter a valid value."),
        ({"chunk_target": ""}, "This field is required."),
    ],
)
def test_settings_that_cannot_be_are_refused(browser, collection, wrong, sentence):
    page = browser.post(reverse("collection_settings", args=[collection.slug]), SETTINGS | wrong)
    assert sentence in page.content.decode()
    collection.refresh_from_db()
    assert collection.name == "Field notes"


def test_settings_are_applied_to_all_documents(browser, collection, tides, upload, work):
    failed = upload("empty.md", "")
    work()
    waiting = upload("waiting.md", "Not read yet.")
    answer = browser.post(reverse("collection_settings", args=[collection.slug]), SETTINGS | {"apply": "all"})
    assert answer["Location"] == collection.get_absolute_url()
    assert "2 documents are read again" in browser.get(answer["Location"]).content.decode()
    assert sorted(tides.revisions.values_list("number", "state")) == [(1, "ready"), (2, "received")]
    assert failed.revisions.get().state == waiting.revisions.get().state == State.RECEIVED
    work()
    assert Document.objects.get(pk=tides.pk).live_revision == tides.revisions.get(number=2)


# --- Settings tried on a document ---

LONG = "# Sea\n\n" + " ".join(f"The {number}th wave of the day came in from the north." for number in range(60))


@pytest.fixture
def waves(upload, work) -> Document:
    document = upload("waves.md", LONG, title="Waves")
    work()
    return Document.objects.get(pk=document.pk)


@pytest.fixture
def cannot_read(monkeypatch):
    def fail(*_given, **_named):
        raise Lost

    monkeypatch.setattr(children, "start", fail)


def test_a_preview_keeps_nothing(browser, collection, waves):
    before = list(Chunk.objects.values_list("pk", "text"))
    tried = SETTINGS | {"document": waves.pk}
    page = browser.post(reverse("collection_preview", args=[collection.slug]), tried).content.decode()
    assert "With these settings" in page
    assert list(Chunk.objects.values_list("pk", "text")) == before
    collection.refresh_from_db()
    assert (collection.name, collection.chunk_target) == ("Field notes", 256)


def test_a_preview_shows_what_the_settings_would_make(collection, waves, work):
    collection.chunk_target, collection.chunk_maximum = 64, 100
    preview = previews.of(waves, collection)
    assert preview.today.total == waves.newest.chunks.count()
    assert preview.tried.total > preview.today.total
    assert preview.tried.largest <= 100
    assert sum(bar.tried for bar in preview.bars) == preview.tried.total
    collection.save()
    ingestion.reindex_all(collection)
    work()
    chunks = waves.revisions.get(number=2).chunks
    assert [one.whole for one in preview.tried.passages] == [chunk.text for chunk in chunks.all()[: previews.SHOWN]]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"chunk_target": 8}, "from 32 to 8,192"),
        ({"document": ""}, "Choose a document first."),
        ({"document": "nonsense"}, "not a valid"),
        ({"document": str(uuid.uuid4())}, "not one of the available choices"),
    ],
)
def test_a_preview_of_nothing_says_so(browser, collection, waves, more, sentence):
    address = reverse("collection_preview", args=[collection.slug])
    asked = SETTINGS | {"document": waves.pk} | more
    page = browser.post(address, asked, headers={"HX-Request": "true"}).content.decode()
    assert sentence in unescape(page)
    assert "<html" not in page


def test_a_document_that_is_too_long_is_not_previewed(browser, collection, waves, monkeypatch):
    monkeypatch.setattr(previews, "CHARACTERS", 100)
    address = reverse("collection_preview", args=[collection.slug])
    page = browser.post(address, SETTINGS | {"document": waves.pk}).content.decode()
    assert "too long for a preview" in page


def test_a_server_that_cannot_read_previews_nothing_and_says_so(browser, collection, waves, cannot_read):
    address = reverse("collection_preview", args=[collection.slug])
    for headers, status in (({}, 503), ({"HX-Request": "true"}, 200)):
        answer = browser.post(address, SETTINGS | {"document": waves.pk}, headers=headers)
        assert answer.status_code == status
        assert "cannot read files just now" in answer.content.decode()


def test_a_document_of_another_collection_is_not_previewed(browser, collection, waves, bob, space, upload, work):
    theirs = Collection.objects.create(name="Theirs", owner=bob, active_space=space)
    hidden = upload("hidden.md", "Hidden.", into=theirs, user=bob)
    work()
    address = reverse("collection_preview", args=[collection.slug])
    page = browser.post(address, SETTINGS | {"document": hidden.pk}).content.decode()
    assert "Hidden" not in page
    assert "not one of the available choices" in page


def test_deleting_a_collection_deletes_all_in_it(browser, collection, tides):
    answer = browser.post(reverse("collection_delete", args=[collection.slug]))
    assert answer["Location"] == "/collections/"
    assert not Collection.objects.exists()
    assert not Document.objects.exists()
    assert not Chunk.objects.exists()


def test_members_come_change_and_go(browser, collection, bob):
    browser.post(reverse("member_add", args=[collection.slug]), {"name": "bob", "role": "viewer"})
    membership = Membership.objects.get()
    assert signed_in(bob).get(collection.get_absolute_url()).status_code == 200
    browser.post(reverse("member_change", args=[collection.slug, membership.pk]), {"role": "manager"})
    assert signed_in(bob).get(reverse("collection_settings", args=[collection.slug])).status_code == 200
    browser.post(reverse("member_remove", args=[collection.slug, membership.pk]))
    assert signed_in(bob).get(collection.get_absolute_url()).status_code == 404


def test_a_group_may_be_a_member(browser, collection, bob):
    from django.contrib.auth.models import Group

    readers = Group.objects.create(name="readers")
    bob.groups.add(readers)
    browser.post(reverse("member_add", args=[collection.slug]), {"name": "readers", "role": "viewer"})
    assert signed_in(bob).get(collection.get_absolute_url()).status_code == 200


@pytest.mark.parametrize(
    ("name", "sentence"), [("nobody", "There is no person and no group"), ("alice", "This person owns the collection")]
)
def test_a_member_who_cannot_be_is_refused(browser, collection, name, sentence):
    page = browser.post(reverse("member_add", args=[collection.slug]), {"name": name, "role": "viewer"})
    assert sentence in page.content.decode()
    assert not Membership.objects.exists()


# --- Documents ---


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
    seen = signed_in(bob).get(document.get_absolute_url()).content.decode()
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
    assert signed_in(charlie).get(address, headers=known).status_code == 404


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


# --- Who may ---

GETS = ["collection", "document", "document_file", "document_text", "document_place", "document_outline"]
GETS += ["document_state"]
WRITES = ["collection_upload", "document_revise", "document_edit", "document_retry", "document_cancel"]
WRITES += ["document_reindex", "document_delete"]
MANAGES = ["collection_settings", "collection_preview", "collection_delete", "member_add"]


def address_of(name: str, document: Document) -> str:
    return reverse(name, args=[document.pk if name.startswith("document") else document.collection.slug])


@pytest.mark.parametrize("name", [*GETS, *WRITES, *MANAGES])
def test_who_has_not_signed_in_is_asked_to(tides, name):
    answer = Client().post(address_of(name, tides)) if name not in GETS else Client().get(address_of(name, tides))
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/sign-in/")


@pytest.mark.parametrize("name", [*GETS, *WRITES, *MANAGES])
def test_to_a_stranger_it_is_as_if_it_were_not_there(tides, charlie, name):
    client = signed_in(charlie)
    ask = client.get if name in GETS else client.post
    foreign = ask(address_of(name, tides))
    tides.pk, tides.collection.slug = uuid.uuid4(), "no-such-collection"
    missing = ask(address_of(name, tides))
    assert (foreign.status_code, missing.status_code) == (404, 404)

    def without_tokens(page: bytes) -> bytes:
        return re.sub(rb'(?<=name="csrfmiddlewaretoken" value=")\w+', b"", page)

    assert without_tokens(foreign.content) == without_tokens(missing.content)


@pytest.mark.parametrize(
    ("role", "allowed"),
    [(Role.VIEWER, GETS), (Role.CONTRIBUTOR, [*GETS, *WRITES]), (Role.MANAGER, [*GETS, *WRITES, *MANAGES])],
)
@pytest.mark.parametrize("name", [*GETS, *WRITES, *MANAGES])
def test_a_member_may_what_the_role_says(tides, collection, bob, role, allowed, name):
    Membership.objects.create(collection=collection, user=bob, role=role)
    client = signed_in(bob)
    answer = client.get(address_of(name, tides)) if name in GETS else client.post(address_of(name, tides))
    assert (answer.status_code != 403) == (name in allowed)
    assert answer.status_code in (200, 302, 303, 403)


def test_a_membership_of_another_collection_is_out_of_reach(browser, collection, bob, space: Space):
    theirs = Collection.objects.create(name="Theirs", owner=bob, active_space=space)
    membership = Membership.objects.create(collection=theirs, user=bob, role=Role.VIEWER)
    answer = browser.post(reverse("member_remove", args=[collection.slug, membership.pk]))
    assert answer.status_code == 404
    assert Membership.objects.exists()


@pytest.mark.parametrize("address", ["/collections/%00/", "/collections/no%20such/", "/documents/x/", "/nowhere/"])
def test_an_address_that_is_none_is_not_found(browser, address):
    assert browser.get(address).status_code == 404


# --- The console ---

CONSOLE = ["user", "collection", "document", "revision", "chunk", "accesstoken", "embeddingwork", "languagemean"]


@pytest.fixture
def curator(db) -> Client:
    return signed_in(User.objects.create_superuser("curator", password="curator-password"))


@pytest.mark.parametrize("noun", CONSOLE)
def test_a_list_of_the_console_costs_the_same_however_long(
    curator, upload, work, noun, collection, bob, django_assert_num_queries, django_assert_max_num_queries
):
    upload("one.md", "One.")
    work()
    upload("waiting.md", "Waiting.")
    ingestion.read_next()
    ingestion.sweep()
    address = reverse(f"admin:kb_{noun}_changelist")
    with django_assert_max_num_queries(25) as counted:
        assert curator.get(address).status_code == 200
    for number in range(5):
        upload(f"{number}.md", f"# Number {number}\n\nText.")
    ingestion.read_next()
    with django_assert_num_queries(len(counted)):
        curator.get(address)


def test_spaces_are_listed(curator, space):
    assert space.name in curator.get(reverse("admin:embeddings_space_changelist")).content.decode()


@pytest.mark.parametrize("query", ["q=tides", "state=ready", "reason=no_text", "q=&state=failed"])
def test_documents_are_searched_and_filtered_in_the_console(curator, tides, query):
    page = curator.get(f"{reverse('admin:kb_document_changelist')}?{query}").content.decode()
    assert ("Tides" in page) == (query in ("q=tides", "state=ready"))


def test_the_curator_retries_reads_again_and_deletes(curator, upload, work, tides):
    failed = upload("empty.md", "")
    work()
    address = reverse("admin:kb_document_changelist")
    chosen = {"_selected_action": [str(failed.pk)]}
    curator.post(address, {"action": "retry", **chosen})
    assert failed.revisions.get().state == State.RECEIVED
    curator.post(address, {"action": "reindex", "_selected_action": [str(tides.pk)]})
    assert tides.revisions.count() == 2
    curator.post(address, {"action": "delete_selected", "post": "yes", **chosen})
    assert list(Document.objects.all()) == [tides]
    curator.post(reverse("admin:kb_document_delete", args=[tides.pk]), {"post": "yes"})
    assert not Document.objects.exists()
    assert not Chunk.objects.exists()


def test_the_curator_deletes_a_collection(curator, collection, tides):
    curator.post(reverse("admin:kb_collection_delete", args=[collection.pk]), {"post": "yes"})
    assert not Collection.objects.exists()
    assert not Revision.objects.exists()


def test_a_token_is_shown_once(curator, alice):
    from kb.models import AccessToken

    form = {"user": alice.pk, "name": "script", "scopes": ["read"], "expires_at_0": "", "expires_at_1": ""}
    page = curator.post(reverse("admin:kb_accesstoken_add"), form, follow=True).content.decode()
    secret = re.search(r"<code>(ccd_[\w-]+)</code>", page)
    assert secret
    presented = AccessToken.objects.presented(secret[1])
    assert presented is not None
    assert (presented.user, presented.created_at.date()) == (alice, datetime.now(UTC).date())
    again = curator.get(reverse("admin:kb_accesstoken_change", args=[presented.pk])).content.decode()
    assert secret[1] not in again
    curator.post(reverse("admin:kb_accesstoken_change", args=[presented.pk]), form | {"name": "renamed"})
    renamed = AccessToken.objects.presented(secret[1])
    assert renamed is not None
    assert renamed.name == "renamed"


def test_the_console_is_for_staff(browser):
    assert browser.get("/console/").status_code == 302
