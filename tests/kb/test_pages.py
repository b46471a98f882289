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
from kb import excerpts, ingestion, pictures
from kb.models import Chunk, Collection, Document, Membership, Revision, RevisionText, Role, State, User

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


def passage_shown(page: bytes) -> str:
    """What stands inside <mark id="passage">, as a person reads it."""
    found = re.search(r'<mark id="passage"[^>]*>(.*?)</mark>', page.decode(), re.S)
    assert found, "no passage is marked"
    return unescape(re.sub("<[^>]+>", "", found[1]))


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


def test_settings_are_changed(browser, collection):
    address = reverse("collection_settings", args=[collection.slug])
    browser.post(address, {"name": "Sea notes", "description": "All", "instruction_domain": "legal"})
    collection.refresh_from_db()
    assert (collection.name, collection.instruction_domain) == ("Sea notes", "legal")


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
    assert 'role="heading"' in page


def test_a_citation_marks_exactly_its_characters(browser, tides):
    for chunk in tides.newest.chunks.all():
        page = browser.get(f"{tides.get_absolute_url()}?revision=1&chars={chunk.start}-{chunk.end}")
        assert passage_shown(page.content) == chunk.text


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
    assert passage_shown(old.content) == chunk.text
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
    assert len(boxes) == shown.count("<rect x=")
    assert f'x="{boxes[0][0]}" y="{boxes[0][1]}"' in shown


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


def test_old_pictures_are_deleted_when_another_is_drawn(booklet):
    import os

    old = pictures.of_page(booklet.newest, 1).path
    os.utime(old, (0, 0))
    pictures.of_page(booklet.newest, 2)
    assert not old.exists()


# --- Long texts ---


@pytest.fixture
def long_revision(upload) -> Revision:
    """A revision of 260,000 characters: lines of different lengths, so that no cut falls anywhere nice, but for one
    that falls where a heading begins."""
    text = "".join(f"{'x' * (number % 97)} line {number}\n" for number in range(4_500))
    text = f"{text[:149_999]}\nLate\n{text[150_005:]}"
    revision = upload("long.txt", "long").newest
    outline = [{"level": 1, "title": "Late", "start": 150_000}]
    RevisionText.objects.create(revision=revision, text=text, outline=outline)
    return revision


def whole(excerpt: excerpts.Excerpt) -> str:
    return "".join(run.text for run in [*excerpt.before, *excerpt.passage, *excerpt.after])


def test_the_parts_of_a_long_text_are_the_text(long_revision):
    text = long_revision.full_text.text
    first = excerpts.of(long_revision, None)
    assert first is not None
    assert first.parts == -(-len(text) // excerpts.PART) > 1
    shown = [excerpts.of(long_revision, None, part=number) for number in range(1, first.parts + 1)]
    assert "".join(whole(part) for part in shown if part) == text
    assert all(len(whole(part)) < excerpts.PART + 3_000 for part in shown if part)


def test_a_passage_is_whole_wherever_parts_are_cut(long_revision):
    text = long_revision.full_text.text
    for start in range(0, len(text) - 700, 9_973):
        for length in (1, 700):
            excerpt = excerpts.of(long_revision, (start, start + length))
            assert excerpt is not None
            assert "".join(run.text for run in excerpt.passage) == text[start : start + length]
            assert whole(excerpt) in text


def test_an_entry_of_the_outline_knows_its_part(long_revision):
    first = excerpts.of(long_revision, None)
    assert first is not None
    [entry] = first.outline
    part = excerpts.of(long_revision, None, part=entry.part)
    assert part is not None
    assert any(run.start == entry.start and run.level for run in part.before)


# --- Who may ---

GETS = ["collection", "document", "document_file"]
WRITES = ["collection_upload", "document_revise", "document_edit", "document_retry", "document_cancel"]
WRITES += ["document_reindex", "document_delete"]
MANAGES = ["collection_settings", "collection_delete", "member_add"]


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
