"""Spaces and re-embeddings in the console: what fits each state, who may, what is asked first."""

import pytest
from django.contrib.auth.models import Permission

from embeddings import spaces
from embeddings.models import Space, Storage
from kb import reembedding
from kb import spaces as kb_spaces
from kb.models import Collection, Membership, Reembedding, Role, Stage, User

pytestmark = pytest.mark.django_db

CONSOLE = "/console/kb/reembedding"
ACTS = tuple(reembedding.ACTIONS)


@pytest.fixture
def other() -> Space:
    return spaces.keep(spaces.of("hashing", spaces.describe("hashing", dimensions=128)))


@pytest.fixture
def one(collection, other, alice) -> Reembedding:
    return reembedding.start(collection, other, user=alice)


@pytest.fixture
def staff(bob) -> User:
    """Somebody who looks after the spaces, and owns nothing."""
    bob.is_staff = True
    bob.save()
    bob.user_permissions.set(Permission.objects.filter(content_type__app_label__in=["kb", "embeddings"]))
    return bob


def bring_to(one: Reembedding, stage: Stage) -> None:
    """To a stage, by the ways there are to it."""
    way = {
        Stage.BUILDING: [],
        Stage.PAUSED: [reembedding.pause],
        Stage.BUILT: [],
        Stage.SWITCHING: [],
        Stage.SWITCHED: [reembedding.switch],
        Stage.RETURNING: [reembedding.switch],
        Stage.FINISHED: [reembedding.switch, reembedding.drop],
        Stage.CANCELLED: [reembedding.cancel],
    }
    if stage not in (Stage.BUILDING, Stage.PAUSED, Stage.CANCELLED):
        reembedding.feed([one.target_id])
        reembedding.sweep()
        one.refresh_from_db()
    for step in way[stage]:
        step(one)
    if stage in (Stage.SWITCHING, Stage.RETURNING):  # what lasts moments, where nothing is late
        Reembedding.objects.filter(pk=one.pk).update(state=stage)
    one.refresh_from_db()
    assert one.state == stage


LEADS_ON = {
    (Stage.BUILDING, "pause"): Stage.PAUSED,
    (Stage.BUILDING, "cancel"): Stage.CANCELLED,
    (Stage.PAUSED, "resume"): Stage.BUILDING,
    (Stage.PAUSED, "cancel"): Stage.CANCELLED,
    (Stage.BUILT, "switch"): Stage.SWITCHED,
    (Stage.BUILT, "cancel"): Stage.CANCELLED,
    (Stage.SWITCHING, "cancel"): Stage.CANCELLED,
    (Stage.SWITCHED, "roll-back"): Stage.BUILT,
    (Stage.SWITCHED, "drop"): Stage.FINISHED,
}
GOES_ON = {(Stage.SWITCHING, "switch"): Stage.SWITCHED, (Stage.RETURNING, "roll-back"): Stage.BUILT}
"""Not offered, as it is under way; asked for again it does no harm."""


class TestWhatFits:
    @pytest.mark.parametrize("stage", Stage)
    def test_every_stage_offers_what_leads_on_from_it_and_refuses_the_rest(self, client, staff, one, stage):
        client.force_login(staff)
        bring_to(one, stage)
        offered = [act for act in ACTS if (stage, act) in LEADS_ON]
        assert sorted(reembedding.offered(one)) == sorted(offered)
        page = client.get(f"{CONSOLE}/{one.pk}/change/").content.decode()
        assert [act for act in ACTS if f"/act/{act}/" in page] == offered
        refused = [act for act in ACTS if act not in offered and (stage, act) not in GOES_ON]
        for act in refused:
            answer = client.post(f"{CONSOLE}/{one.pk}/act/{act}/", follow=True)
            assert "This is not possible now" in answer.content.decode()
            one.refresh_from_db()
            assert one.state == stage

    @pytest.mark.parametrize(("at", "after"), [*LEADS_ON.items(), *GOES_ON.items()])
    def test_it_works(self, client, staff, one, at, after):
        client.force_login(staff)
        stage, act = at
        bring_to(one, stage)
        answer = client.post(f"{CONSOLE}/{one.pk}/act/{act}/")
        assert (answer.status_code, answer["Location"]) == (302, f"{CONSOLE}/{one.pk}/change/")
        one.refresh_from_db()
        assert one.state == after

    @pytest.mark.parametrize("act", ACTS)
    def test_what_cannot_be_undone_is_asked_first(self, client, staff, one, act):
        client.force_login(staff)
        before = Reembedding.objects.values().get()
        answer = client.get(f"{CONSOLE}/{one.pk}/act/{act}/")
        assert answer.status_code == (200 if act in reembedding.FINAL else 405)
        assert Reembedding.objects.values().get() == before

    def test_on_its_own_page_it_is_asked_too(self, client, alice, one):
        client.force_login(alice)
        part = client.get(
            f"/collections/{one.collection.slug}/reembedding/", headers={"HX-Request": "true"}
        ).content.decode()
        assert 'popovertarget="ask-cancel"' in part
        assert "is deleted" in part

    def test_there_is_no_other(self, client, staff, one):
        client.force_login(staff)
        assert client.post(f"{CONSOLE}/{one.pk}/act/explode/").status_code == 404
        assert client.post(f"{CONSOLE}/{'0' * 8}-0000-0000-0000-{'0' * 12}/act/pause/").status_code == 404


class TestWhoMay:
    ADDRESSES = ("add/", "{one}/change/", "{one}/state/?state=building", "{one}/act/cancel/")

    @pytest.mark.parametrize("address", ADDRESSES)
    @pytest.mark.parametrize("who", ["nobody", "owner", "manager"])
    def test_the_console_is_for_staff(self, client, alice, charlie, one, address, who):
        Membership.objects.create(collection=one.collection, user=charlie, role=Role.MANAGER)
        if who != "nobody":
            client.force_login({"owner": alice, "manager": charlie}[who])
        for ask in (client.get, client.post):
            answer = ask(f"{CONSOLE}/{address.format(one=one.pk)}")
            assert (answer.status_code, "login" in answer["Location"]) == (302, True)
        one.refresh_from_db()
        assert one.state == Stage.BUILDING

    @pytest.mark.parametrize(
        ("permissions", "expected"),
        [
            ([], (403, 403, 403, 403)),
            (["view_reembedding"], (403, 200, 200, 403)),
            (["view_reembedding", "change_reembedding"], (403, 200, 200, 200)),
            (["add_reembedding"], (200, 403, 403, 403)),
        ],
    )
    def test_staff_may_what_they_were_given(self, client, bob, one, permissions, expected):
        User.objects.filter(pk=bob.pk).update(is_staff=True)
        bob.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client.force_login(bob)
        asked = [client.get(f"{CONSOLE}/{address.format(one=one.pk)}") for address in self.ADDRESSES]
        assert tuple(answer.status_code for answer in asked) == expected
        acted = client.post(f"{CONSOLE}/{one.pk}/act/pause/")
        assert acted.status_code == (302 if "change_reembedding" in permissions else 403)
        if permissions == ["view_reembedding"]:
            assert "/act/" not in asked[1].content.decode()

    def test_the_index_of_a_space_is_shown_to_who_may_see_the_space(self, client, bob, staff, space):
        address = f"/console/embeddings/space/{space.pk}/indexes/"
        client.force_login(staff)
        assert client.get(address).status_code == 200
        staff.user_permissions.clear()
        client.force_login(User.objects.get(pk=bob.pk))
        assert client.get(address).status_code == 403

    def test_the_collections_passages_are_compared_by_its_managers(self, client, staff, one, alice):
        bring_to(one, Stage.BUILT)
        client.force_login(staff)
        comparing = f"/collections/{one.collection.slug}/comparison/"
        assert comparing not in client.get(f"{CONSOLE}/{one.pk}/change/").content.decode()
        Membership.objects.create(collection=one.collection, user=staff, role=Role.MANAGER)
        assert comparing in client.get(f"{CONSOLE}/{one.pk}/change/").content.decode()


class TestBeginning:
    def test_it_works(self, client, staff, collection, other):
        client.force_login(staff)
        page = client.get(f"/console/kb/collection/{collection.pk}/change/").content.decode()
        assert f"{CONSOLE}/add/?collection={collection.slug}" in page
        asked = client.get(f"{CONSOLE}/add/?collection={collection.slug}").content.decode()
        assert f'<option value="{collection.pk}" selected>' in asked
        begun = client.post(f"{CONSOLE}/add/", {"collections": [collection.pk], "space": other.pk})
        one = Reembedding.objects.get()
        assert begun["Location"] == f"{CONSOLE}/{one.pk}/change/"
        assert (one.target, one.started_by) == (other, staff)
        page = client.get(f"/console/kb/collection/{collection.pk}/change/").content.decode()
        assert f"{CONSOLE}/{one.pk}/change/" in page

    def test_many_are_chosen_from_the_list_and_each_refusal_is_said(
        self, client, staff, collection, other, alice, space
    ):
        client.force_login(staff)
        there = Collection.objects.create(name="There already", owner=alice, active_space=other)
        chosen = [str(collection.pk), str(there.pk)]
        asked = client.post("/console/kb/collection/", {"action": "reembed", "_selected_action": chosen})
        assert all(f'<option value="{pk}" selected>' in asked.content.decode() for pk in chosen)
        begun = client.post(f"{CONSOLE}/add/", {"collections": chosen, "space": other.pk}, follow=True)
        assert [one.collection for one in Reembedding.objects.all()] == [collection]
        assert "There already: This collection is in that space already." in begun.content.decode()

    def test_what_is_missing_is_said(self, client, staff, collection):
        client.force_login(staff)
        assert client.get(f"{CONSOLE}/add/?collection=nonsense").status_code == 200
        assert "errorlist" in client.post(f"{CONSOLE}/add/", {}).content.decode()
        nonsense = {"collections": ["nonsense"], "space": "nonsense"}
        assert client.post(f"{CONSOLE}/add/", nonsense).status_code == 404
        assert not Reembedding.objects.exists()


class TestThePage:
    def test_how_far_it_is_renews_itself_until_the_stage_is_another(self, client, staff, one):
        client.force_login(staff)
        assert 'hx-trigger="every 2s"' in client.get(f"{CONSOLE}/{one.pk}/change/").content.decode()
        part = client.get(f"{CONSOLE}/{one.pk}/state/?state=building")
        assert ("<html" in part.content.decode(), part.headers.get("HX-Refresh")) == (False, None)
        reembedding.pause(one)
        assert client.get(f"{CONSOLE}/{one.pk}/state/?state=building").headers["HX-Refresh"] == "true"
        assert "every 2s" not in client.get(f"{CONSOLE}/{one.pk}/change/").content.decode()

    def test_on_its_own_page_only_how_far_it_is_is_sent_again(self, client, alice, one):
        client.force_login(alice)
        address = f"/collections/{one.collection.slug}/reembedding/"
        part = {"HX-Request": "true"}
        assert "<form" not in client.get(f"{address}?state=building", headers=part).content.decode()
        reembedding.pause(one)
        whole = client.get(f"{address}?state=building", headers=part)
        assert ("<form" in whole.content.decode(), whole.headers["HX-Retarget"]) == (True, "#space")
        assert client.get(address)["Location"] == f"/collections/{one.collection.slug}/settings/"


class TestASpace:
    def test_who_uses_it_is_listed_and_how(self, client, staff, one, space, other):
        client.force_login(staff)
        for shown, role in [(space, ""), (other, "(on its way into it)")]:
            page = client.get(f"/console/embeddings/space/{shown.pk}/change/").content.decode()
            assert (
                f'/console/kb/collection/{one.collection.pk}/change/"><bdi>Field notes</bdi></a>{role and " " + role}<'
                in page
            )

    def test_one_that_was_used_is_deleted_when_nothing_uses_it_any_more(self, client, staff, one, other):
        client.force_login(staff)
        address = f"/console/embeddings/space/{other.pk}/delete/"
        assert client.post(address, {"post": "yes"}).status_code == 403
        reembedding.cancel(one)
        assert "Are you sure" in client.get(address).content.decode()
        client.post(address, {"post": "yes"})
        assert not Space.objects.filter(pk=other.pk).exists()

    @pytest.mark.parametrize("storage", Storage.values)
    def test_its_index_is_chosen(self, client, staff, space, api, alice, storage):
        client.force_login(staff)
        assert client.post(f"/console/embeddings/space/{space.pk}/change/", {"storage": storage}).status_code == 302
        space.refresh_from_db()
        assert space.storage == storage
        Space.objects.update(storage="halfvec")
        User.objects.filter(pk=alice.pk).update(is_staff=True)
        assert api.patch(f"/api/v1/spaces/{space.pk}/", {"storage": storage}).json()["storage"] == storage
        assert client.post(
            "/console/embeddings/registration/add/", {"model": "hashing", "dimensions": 32, "storage": storage}
        )
        assert Space.objects.get(dimensions=32).storage == storage

    def test_an_index_that_is_to_be_built_is_waited_for(self, client, staff, space, upload, work, monkeypatch):
        monkeypatch.setattr(kb_spaces, "INDEX_ROWS", 1)
        upload("tides.md", "# Tides\n\nThe tide turns.")
        work()
        client.force_login(staff)
        address = f"/console/embeddings/space/{space.pk}/indexes/"
        page = client.get(f"/console/embeddings/space/{space.pk}/change/").content.decode()
        assert (address in page, "still to be built" in page) == (True, True)
        assert "every 2s" in client.get(address).content.decode()
        monkeypatch.setattr(kb_spaces, "INDEX_ROWS", 100)
        part = client.get(address).content.decode()
        assert ("every 2s" in part, "None yet" in part) == (False, True)
