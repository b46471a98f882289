"""Who may see and do what on the pages of collections and documents."""

import re
import uuid

import pytest
from django.test import Client
from django.urls import reverse

from embeddings.models import Space
from kb.models import Collection, Document, Membership, Role
from tests.conftest import browser_of

pytestmark = pytest.mark.django_db


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
    client = browser_of(charlie)
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
    client = browser_of(bob)
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


def test_what_is_refused_is_one_line_in_the_log(tides, collection, bob, caplog):
    Membership.objects.create(collection=collection, user=bob, role=Role.VIEWER)
    assert browser_of(bob).post(address_of("document_delete", tides)).status_code == 403
    [line] = [one for one in caplog.records if one.name == "django.request"]
    assert "Forbidden" in line.getMessage()
    assert line.exc_info is None
