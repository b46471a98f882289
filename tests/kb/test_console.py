"""The console: lists that stay quick, and what a curator does there."""

import uuid
from datetime import UTC, datetime

import pytest
import regex as re
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils.translation import override

from embeddings.models import Space
from kb import ingestion
from kb.models import (
    Chunk,
    Collection,
    Document,
    EmbeddingWork,
    Membership,
    Revision,
    Role,
    State,
    User,
)
from tests.conftest import browser_of

pytestmark = pytest.mark.django_db


CONSOLE = ["user", "collection", "document", "revision", "chunk", "accesstoken", "embeddingwork", "languagemean"]


@pytest.fixture
def curator(db) -> Client:
    return browser_of(User.objects.create_superuser("curator", password="curator-password"))


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


@pytest.mark.parametrize("way", ["its page", "the list"])
def test_the_curator_deletes_a_collection(curator, collection, tides, way):
    """With the means of its languages, which nobody deletes by themselves."""
    ingestion.sweep()
    assert collection.language_means.exists()
    if way == "its page":
        address, given = reverse("admin:kb_collection_delete", args=[collection.pk]), {}
    else:
        address, given = reverse("admin:kb_collection_changelist"), {"_selected_action": [str(collection.pk)]}
    assert "permission to delete" not in curator.post(address, {"action": "delete_selected", **given}).content.decode()
    curator.post(address, {"action": "delete_selected", "post": "yes", **given})
    assert not Collection.objects.exists()
    assert not Revision.objects.exists()


def test_who_may_only_look_deletes_no_collection(bob, collection):
    bob.is_staff = True
    bob.save()
    bob.user_permissions.add(Permission.objects.get(codename="view_collection"))
    visitor = browser_of(bob)
    visitor.post(reverse("admin:kb_collection_delete", args=[collection.pk]), {"post": "yes"})
    chosen = {"_selected_action": [str(collection.pk)]}
    visitor.post(reverse("admin:kb_collection_changelist"), {"action": "delete_selected", "post": "yes", **chosen})
    assert Collection.objects.exists()
    request = RequestFactory().get("/")
    request.user = bob
    shown = admin.site.get_model_admin(Collection).get_deleted_objects([collection], request)
    assert shown == ([str(collection)], {"collections": 1}, {"collection"}, [])


@pytest.mark.parametrize("model", [Document, Revision, Chunk, EmbeddingWork], ids=lambda model: model._meta.model_name)
def test_what_documents_say_is_shown_to_who_may_see_their_collection(curator, bob, collection, upload, model):
    upload("tides.md", "# Tides\n\nThe moon pulls.\n")
    ingestion.read_next()
    bob.is_staff = True
    bob.save()
    bob.user_permissions.set(Permission.objects.filter(content_type__app_label="kb"))
    address, one = f"admin:kb_{model._meta.model_name}", model.objects.get()
    its_page = reverse(f"{address}_change", args=[one.pk])

    def shown(browser: Client) -> tuple[bool, bool]:
        listed = browser.get(reverse(f"{address}_changelist")).content.decode()
        return its_page in listed, browser.get(its_page).status_code == 200

    staff = browser_of(bob)
    assert shown(curator) == (True, True)
    assert shown(staff) == (False, False)
    assert collection.name not in staff.get(reverse(f"{address}_changelist")).content.decode()
    Membership.objects.create(collection=collection, user=bob, role=Role.VIEWER)
    assert shown(staff) == (True, True)


@pytest.fixture
def viewer(bob, collection) -> Client:
    """Of bob, who has every permission on documents and may view this collection."""
    bob.is_staff = True
    bob.save()
    bob.user_permissions.set(Permission.objects.filter(content_type__app_label="kb"))
    Membership.objects.create(collection=collection, user=bob, role=Role.VIEWER)
    return browser_of(bob)


@pytest.fixture
def hidden(upload, charlie, space) -> Document:
    """A document that neither alice nor bob may see."""
    theirs = Collection.objects.create(name="Theirs", owner=charlie, active_space=space)
    return upload("gezeiten.txt", "Ebbe und Flut.", theirs)


@pytest.mark.parametrize(
    ("noun", "shown", "secret"),
    [
        ("document", {"en", "text%2Fmarkdown"}, {"de", "text%2Fplain"}),
        ("revision", {"en", "text%2Fmarkdown"}, {"de", "text%2Fplain"}),
        ("chunk", {"en"}, {"de"}),
    ],
)
def test_filters_tell_nothing_of_documents_that_one_may_not_see(
    curator, viewer, tides, hidden, work, noun, shown, secret
):
    work()
    for rows in (Revision.objects.filter(document=hidden), Chunk.objects.filter(revision__document=hidden)):
        rows.update(language="de")

    def offered(browser: Client) -> set[str]:
        page = browser.get(reverse(f"admin:kb_{noun}_changelist")).content.decode()
        return {*re.findall(r'(?:language|media_type)=([^&"]+)', page.partition('id="changelist-filter"')[2])}

    assert offered(curator) == shown | secret
    assert offered(viewer) == shown


def test_filters_name_no_space_that_only_hidden_passages_wait_for(curator, viewer, upload, hidden, space):
    elsewhere = Space.objects.create(
        id=uuid.uuid4(), name="elsewhere", model="x", fingerprint="x", dimensions=8, dtype="float32", max_tokens=8
    )
    upload("tides.md", "The moon pulls.")
    while ingestion.read_next():
        pass
    EmbeddingWork.objects.filter(chunk__revision__document=hidden).update(space=elsewhere)
    address = reverse("admin:kb_embeddingwork_changelist")
    assert "elsewhere" in curator.get(address).content.decode()
    assert "elsewhere" not in viewer.get(address).content.decode()


def test_who_only_views_a_collection_changes_and_deletes_none_of_its_documents(viewer, collection, tides):
    one, listed = reverse("admin:kb_document_change", args=[tides.pk]), reverse("admin:kb_document_changelist")
    renamed = {"title": "Mine", "tags": "", "metadata": "{}", "revisions-TOTAL_FORMS": 0, "revisions-INITIAL_FORMS": 0}
    delete = {"action": "delete_selected", "_selected_action": [str(tides.pk)], "post": "yes"}
    assert viewer.get(one).status_code == 200
    assert viewer.post(one, renamed).status_code == 403
    assert viewer.post(reverse("admin:kb_document_delete", args=[tides.pk]), {"post": "yes"}).status_code == 403
    assert viewer.post(listed, delete).status_code == 403
    assert Document.objects.get().title == "Tides"
    Membership.objects.update(role=Role.CONTRIBUTOR)
    assert viewer.post(one, renamed).status_code == 302
    assert Document.objects.get().title == "Mine"
    assert viewer.post(listed, delete).status_code == 302
    assert not Document.objects.exists()


@pytest.mark.parametrize(("action", "texts"), [("retry", ["", " "]), ("reindex", ["One.", "Two."])])
def test_actions_pass_over_documents_that_one_may_only_view(viewer, bob, upload, work, space, action, texts):
    """Those chosen beside them are read."""
    theirs, own = (upload(f"{number}.md", text) for number, text in enumerate(texts))
    own.collection = Collection.objects.create(name="Ours", owner=bob, active_space=space)
    own.save(update_fields=["collection"])
    work()
    listed = reverse("admin:kb_document_changelist")
    page = viewer.post(listed, {"action": action, "_selected_action": [str(theirs.pk), str(own.pk)]}, follow=True)
    assert "1 document is being read." in page.content.decode()
    assert [one.document for one in Revision.objects.filter(state=State.RECEIVED)] == [own]


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


OURS = [model for model in admin.site._registry if model._meta.app_label in ("kb", "embeddings", "search")]


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_what_is_shown_of_fields_is_in_the_language_of_whoever_looks(rf, model):
    page = admin.site._registry[model]
    request = rf.get("/")
    request.user = User(is_superuser=True, is_staff=True)
    columns = [name for _title, options in page.get_fieldsets(request, model()) for name in options["fields"]]
    fields = {field.name: field for field in model._meta.fields}
    shown = [fields[name] for name in (*columns, *page.list_display) if name in fields]
    with override("zh-hans"):
        english = [str(one.verbose_name) for one in shown if not re.search(r"\p{Han}", str(one.verbose_name))]
    assert {*english} <= {"SHA-256"}
