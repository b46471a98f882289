"""A collection's way into another space, asked for by a program and on a page."""

import pytest
from django.utils import translation

from embeddings import spaces
from embeddings.models import Space
from kb import ingestion, reembedding
from kb.models import Chunk, Membership, Reembedding, Role
from tests.conftest import client_of

pytestmark = pytest.mark.django_db

PART = {"HX-Request": "true"}
"""What the page asks with when it fetches a part of itself."""

TIDES = "# Tides\n\nThe tide turns twice a day.\n\n## The moon\n\nThe moon pulls the sea towards it.\n"


@pytest.fixture
def other() -> Space:
    return spaces.keep(spaces.of("hashing", spaces.describe("hashing", dimensions=128)))


@pytest.fixture
def library(upload, work, collection) -> str:
    """The address of a collection with a document."""
    upload("tides.md", TIDES)
    work()
    return f"/api/v1/collections/{collection.pk}"


def test_it_works(api, library, work, collection, space, other):
    started = api.post(f"{library}/reembed/", {"space": str(other.pk)})
    assert started.status_code == 202
    body = started.json()
    assert (body["state"], body["target"]["id"], body["started_by"]) == ("building", str(other.pk), "alice")
    assert (body["progress"]["done"], body["progress"]["total"]) == (0, Chunk.objects.count())
    assert body["actions"] == ["pause", "cancel"]
    paused = api.post(f"{library}/reembed/pause/").json()
    assert (paused["state"], paused["actions"]) == ("paused", ["resume", "cancel"])
    assert api.post(f"{library}/reembed/resume/").json()["state"] == "building"
    work()
    ingestion.sweep()
    shown = api.get(f"{library}/reembed/").json()
    assert (shown["state"], shown["progress"]["percent"]) == ("built", 100)
    assert api.post(f"{library}/reembed/switch/").json()["state"] == "switched"
    assert api.get(f"{library}/").json()["space"] == str(other.pk)
    assert api.post(f"{library}/reembed/roll-back/").json()["state"] == "built"
    assert api.post(f"{library}/reembed/switch/").json()["state"] == "switched"
    assert api.post(f"{library}/reembed/drop/").json()["state"] == "finished"
    again = api.post(f"{library}/reembed/", {"space": str(space.pk)})
    assert again.json()["state"] == "building"
    assert api.post(f"{library}/reembed/cancel/").json()["state"] == "cancelled"


class TestWhoMay:
    @pytest.mark.parametrize(
        ("role", "status"), [(None, 404), (Role.VIEWER, 403), (Role.CONTRIBUTOR, 403), (Role.MANAGER, 202)]
    )
    def test_managers_only(self, library, collection, bob, other, role, status):
        if role:
            Membership.objects.create(collection=collection, user=bob, role=role)
        client = client_of(bob)
        assert client.post(f"{library}/reembed/", {"space": str(other.pk)}).status_code == status
        assert client.get(f"{library}/reembed/").status_code == (200 if status == 202 else status)
        assert client.post(f"{library}/reembed/cancel/").status_code == status

    @pytest.mark.parametrize("scope", ["read", "write"])
    def test_a_token_that_may_not_manage(self, library, alice, other, scope):
        client = client_of(alice, scopes=(scope,))
        assert client.post(f"{library}/reembed/", {"space": str(other.pk)}).status_code == 403

    @pytest.mark.parametrize("role", [None, Role.VIEWER, Role.CONTRIBUTOR])
    def test_on_the_page_too(self, client, library, collection, bob, alice, other, role):
        one = reembedding.start(collection, other, user=alice)
        if role:
            Membership.objects.create(collection=collection, user=bob, role=role)
        client.force_login(bob)
        page = f"/collections/{collection.slug}"
        expected = 403 if role else 404
        assert client.get(f"{page}/reembedding/", headers=PART).status_code == expected
        assert client.post(f"{page}/reembedding/cancel/").status_code == expected
        assert client.post(f"{page}/reembedding/start/", {"space": other.pk}).status_code == expected
        assert client.get(f"{page}/comparison/").status_code == expected
        assert Reembedding.objects.get() == one


class TestWhatIsRejected:
    @pytest.mark.parametrize("body", [{}, {"space": "nonsense"}, {"space": "0" * 32}, {"space": None, "force": True}])
    def test_no_such_space(self, api, library, body):
        assert api.post(f"{library}/reembed/", body).status_code == 400

    def test_two_at_once_and_what_does_not_fit(self, api, library, other):
        assert api.get(f"{library}/reembed/").status_code == 404
        assert api.post(f"{library}/reembed/pause/").status_code == 404
        api.post(f"{library}/reembed/", {"space": str(other.pk)})
        assert api.post(f"{library}/reembed/", {"space": str(other.pk)}).status_code == 409
        refused = api.post(f"{library}/reembed/switch/")
        assert (refused.status_code, refused.json()["detail"]) == (
            409,
            "This is not possible now: the state is “Building”.",
        )
        assert api.post(f"{library}/reembed/explode/").status_code == 404


class TestThePage:
    def test_it_works(self, client, library, collection, alice, work, space, other):
        client.force_login(alice)
        page = f"/collections/{collection.slug}"
        shown = client.get(f"{page}/settings/").content.decode()
        assert space.name in shown
        assert other.name in shown
        begun = client.post(f"{page}/reembedding/start/", {"space": other.pk})
        assert (begun.status_code, begun.headers["Location"]) == (303, f"{page}/settings/#space")
        part = client.get(f"{page}/reembedding/", headers=PART).content.decode()
        assert 'hx-trigger="every 2s"' in part
        assert "0 of 2 passages" in part
        work()
        ingestion.sweep()
        part = client.get(f"{page}/reembedding/", headers=PART).content.decode()
        assert "every 2s" not in part
        for act, expected in [("switch", "Roll back"), ("drop", "Begin")]:
            client.post(f"{page}/reembedding/{act}/")
            assert expected in client.get(f"{page}/settings/").content.decode()

    def test_what_cannot_be_done_now_is_said(self, client, library, collection, alice, other):
        client.force_login(alice)
        reembedding.start(collection, other, user=alice)
        answer = client.post(f"/collections/{collection.slug}/reembedding/switch/", follow=True)
        assert "This is not possible now" in answer.content.decode()

    def test_why_it_stopped_is_said(self, client, library, collection, alice, other):
        client.force_login(alice)
        reembedding.start(collection, other, user=alice)
        reembedding.stop_at(collection.pk, other.pk, reembedding._STOPPED)
        with translation.override("en"):  # a request leaves its language behind
            part = client.get(
                f"/collections/{collection.slug}/reembedding/", headers={"accept-language": "zh-hans", **PART}
            )
        assert reembedding._STOPPED not in part.content.decode()


class TestTheConsole:
    def test_it_shows_how_far_it_is(self, client, admin_user, library, collection, alice, other):
        reembedding.start(collection, other, user=alice)
        client.force_login(admin_user)
        assert "0 %" in client.get("/console/kb/reembedding/").content.decode()
