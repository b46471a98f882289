"""The pages of collections: what they show, and what they refuse."""

import re
import uuid
from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from kb import ingestion, previews
from kb.models import Chunk, Collection, Document, Membership, State
from kb.views import collections
from tests.conftest import browser_of
from tests.kb.conftest import TIDES

pytestmark = pytest.mark.django_db


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
    assert "Field notes" not in browser_of(charlie).get("/collections/").content.decode()


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


def test_many_documents_are_pages_that_follow_each_other(browser, collection, upload, monkeypatch):
    monkeypatch.setattr(collections, "PAGE_SIZE", 2)
    for n in range(5):
        upload(f"tide-{n}.md", f"{TIDES}{n}")
    address: str | None = collection.get_absolute_url()
    seen: list[str] = []
    while address:
        page = unescape(browser.get(address).content.decode())
        assert f"Page {len(seen) // 2 + 1} of 3" in page
        seen += re.findall(r'<a id="open-[^>]*>([^<]*)</a>', page)
        following = re.search(r'rel="next" href="([^"]*)"', page)
        address = following and collection.get_absolute_url() + following[1]
    assert sorted(seen) == [f"tide-{n}" for n in range(5)]


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
        ({"chunk_target": 8}, "Passage size: This must be from 32 to 8,192"),
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
    assert browser_of(bob).get(collection.get_absolute_url()).status_code == 200
    browser.post(reverse("member_change", args=[collection.slug, membership.pk]), {"role": "manager"})
    assert browser_of(bob).get(reverse("collection_settings", args=[collection.slug])).status_code == 200
    browser.post(reverse("member_remove", args=[collection.slug, membership.pk]))
    assert browser_of(bob).get(collection.get_absolute_url()).status_code == 404


def test_a_group_may_be_a_member(browser, collection, bob):
    from django.contrib.auth.models import Group

    readers = Group.objects.create(name="readers")
    bob.groups.add(readers)
    browser.post(reverse("member_add", args=[collection.slug]), {"name": "readers", "role": "viewer"})
    assert browser_of(bob).get(collection.get_absolute_url()).status_code == 200


@pytest.mark.parametrize(
    ("name", "sentence"), [("nobody", "There is no person and no group"), ("alice", "This person owns the collection")]
)
def test_a_member_who_cannot_be_is_refused(browser, collection, name, sentence):
    page = browser.post(reverse("member_add", args=[collection.slug]), {"name": name, "role": "viewer"})
    assert sentence in page.content.decode()
    assert not Membership.objects.exists()
