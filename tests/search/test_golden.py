"""Golden queries on the pages: made with one click on a hit, listed, changed, taken in and given out."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from kb import ingestion
from kb.models import Chunk, Collection, Membership, Role
from search import golden as golden_queries
from search import retrieval
from search.hits import Query
from search.models import EvaluationRun, GoldenQuery, Judgement
from search.models.golden import Grade
from tests.conftest import browser_of
from tests.search.conftest import chunk_with

pytestmark = pytest.mark.django_db

ASKED = "what pulls  the sea"


def click(user, chunk: Chunk, grade: object, **more: object):
    return browser_of(user).post("/verdict/", {"q": ASKED, "passage": chunk.pk, "grade": grade}, **more)  # type: ignore[arg-type]


def pressed(page: str, chunk: Chunk) -> dict[str, tuple[str, str]]:
    """Of the two buttons below a hit: what is sent by each, and whether it is pressed."""
    pattern = rf'id="(answers|not)-{chunk.pk}" name="grade" value="(\d?)" aria-pressed="(\w+)"'
    return {name: (value, state) for name, value, state in re.findall(pattern, page)}


class TestOneClick:
    def test_it_makes_a_golden_query_of_the_hit(self, notes, collection, alice):
        chunk = chunk_with("moon pulls")
        answer = click(alice, chunk, 3)
        assert (answer.status_code, answer["Location"]) == (303, "/")
        judgement = Judgement.objects.get()
        query = judgement.golden_query
        assert (query.text, query.language, query.collection) == ("what pulls the sea", "en", collection)
        assert query.created_by == alice
        assert (judgement.revision, judgement.start, judgement.end) == (chunk.revision, chunk.start, chunk.end)
        assert judgement.grade == Grade.ANSWERS

    def test_another_hit_of_the_same_search_belongs_to_it(self, notes, alice):
        click(alice, chunk_with("moon pulls"), 3)
        click(alice, chunk_with("outboard"), 0)
        assert list(GoldenQuery.objects.get().judgements.values_list("grade", flat=True)) == [3, 0]

    def test_its_buttons_read_right_before_and_after(self, notes, alice):
        chunk, browser = chunk_with("moon pulls"), browser_of(alice)
        for state in ("false", "true"):
            page = browser.get("/", {"q": ASKED}).content.decode()
            assert re.search(rf'id="not-{chunk.pk}"[^>]*aria-pressed="{state}">Does not answer<', page)
            click(alice, chunk, 0)

    def test_what_is_known_no_more_is_not_still_to_come(self, notes, collection, alice):
        click(alice, chunk_with("moon pulls"), 3)
        notes["tides"].delete()
        for page in (f"/collections/{collection.slug}/golden/", GoldenQuery.objects.get().get_absolute_url()):
            assert "Nothing is known to answer it<" in browser_of(alice).get(page).content.decode()

    def test_the_page_shows_what_was_said_and_offers_to_take_it_back(self, notes, alice):
        chunk, browser = chunk_with("moon pulls"), browser_of(alice)
        asked = {"q": ASKED}
        assert pressed(browser.get("/", asked).content.decode(), chunk) == {
            "answers": ("3", "false"), "not": ("0", "false"),
        }  # fmt: skip
        click(alice, chunk, 3)
        assert pressed(browser.get("/", asked).content.decode(), chunk) == {
            "answers": ("", "true"), "not": ("0", "false"),
        }  # fmt: skip
        click(alice, chunk, 0)
        assert pressed(browser.get("/", asked).content.decode(), chunk) == {
            "answers": ("3", "false"), "not": ("", "true"),
        }  # fmt: skip
        click(alice, chunk, "")
        assert not GoldenQuery.objects.exists()

    def test_taking_back_keeps_what_else_was_said(self, notes, golden, alice):
        moon, boats = chunk_with("moon pulls"), chunk_with("outboard")
        golden("what pulls the sea", moon, boats)
        click(alice, moon, "")
        click(alice, moon, "")
        assert GoldenQuery.objects.get().judgements.get().document == notes["boats"]

    def test_a_query_with_a_note_stays(self, notes, golden, alice):
        golden("what pulls the sea", chunk_with("moon pulls"), note="from the handbook")
        click(alice, chunk_with("moon pulls"), "")
        assert GoldenQuery.objects.get().judgements.count() == 0

    def test_with_htmx_only_the_buttons_come_back(self, notes, alice):
        chunk = chunk_with("moon pulls")
        answer = click(alice, chunk, 3, headers={"HX-Request": "true"})
        assert answer.status_code == 200
        assert pressed(answer.content.decode(), chunk)["answers"] == ("", "true")

    def test_without_a_script_it_leads_back_to_the_search(self, notes, alice):
        more = {"q": ASKED, "passage": chunk_with("moon pulls").pk, "grade": 3}
        answer = browser_of(alice).post("/verdict/", {**more, "next": "/?q=sea&page=2"})
        assert answer["Location"] == "/?q=sea&page=2"
        assert browser_of(alice).post("/verdict/", {**more, "next": "https://evil.example/"})["Location"] == "/"

    def test_a_viewer_sees_no_buttons_and_may_not_press_them(self, notes, bob, shared_with_bob):
        assert "/verdict/" not in browser_of(bob).get("/", {"q": ASKED}).content.decode()
        assert click(bob, chunk_with("moon pulls"), 3).status_code == 403
        Membership.objects.update(role=Role.CONTRIBUTOR)
        assert "/verdict/" in browser_of(bob).get("/", {"q": ASKED}).content.decode()
        assert click(bob, chunk_with("moon pulls"), 3).status_code == 303

    def test_to_a_stranger_the_passage_is_missing(self, notes, charlie):
        assert click(charlie, chunk_with("moon pulls"), 3).status_code == 404
        assert not GoldenQuery.objects.exists()

    @pytest.mark.parametrize("told", [{"grade": 4}, {"grade": "x"}, {"q": " "}, {"passage": "x"}])
    def test_what_makes_no_sense_is_nothing(self, notes, alice, told):
        whole = {"q": ASKED, "passage": chunk_with("moon pulls").pk, "grade": 3, **told}
        assert browser_of(alice).post("/verdict/", whole).status_code == 404

    def test_it_costs_the_search_page_two_queries(self, notes, alice, golden, django_assert_num_queries):
        golden("sea", *notes.values(), *Chunk.objects.all())
        answer = retrieval.search(alice, Query("sea", limit=100))
        with django_assert_num_queries(2):
            golden_queries.verdicts(alice, answer)


class TestPages:
    @pytest.fixture
    def query(self, notes, golden) -> GoldenQuery:
        return golden("what pulls the sea", chunk_with("moon pulls"), notes["boats"], note="ask <b>them</b>")

    @pytest.fixture
    def address(self, collection) -> str:
        return f"/collections/{collection.slug}/golden/"

    def test_a_member_sees_them_all(self, query, address, bob, shared_with_bob):
        page = browser_of(bob).get(address).content.decode()
        assert "what pulls the sea" in page
        assert "Answers: <bdi>tides</bdi>" in page
        one = browser_of(bob).get(f"{address}{query.pk}/").content.decode()
        assert "ask &lt;b&gt;them&lt;/b&gt;" in one
        assert "revision 1, characters" in one
        assert not re.search(r'action="[^"]*(delete|import|remove|judgements)', page + one)

    def test_it_is_said_that_words_have_changed_or_are_gone(self, query, notes, address, alice, work):
        changed, gone = "have changed since", "no longer in the document"
        page = browser_of(alice).get(f"{address}{query.pk}/").content.decode()
        assert changed not in page
        assert gone not in page
        for text, said in [("# The moon\n\nThe moon pulls the seas towards it.", changed), ("# Sea\n\nNew.", gone)]:
            ingestion.receive_revision(notes["tides"], ContentFile(text.encode()), "tides.md", user=alice)
            work()
            page = browser_of(alice).get(f"{address}{query.pk}/").content.decode()
            assert [one for one in (changed, gone) if one in page] == [said]

    def test_their_number_costs_no_queries(self, query, golden, address, alice, notes, django_assert_num_queries):
        browser = browser_of(alice)
        with django_assert_num_queries(9):
            browser.get(address)
        for n in range(5):
            golden(f"more {n}", *notes.values())
        with django_assert_num_queries(9):
            browser.get(address)

    def test_one_is_changed(self, query, address, alice):
        told = {"text": " what pulls\nthe tide ", "language": "EN-gb", "note": ""}
        assert browser_of(alice).post(f"{address}{query.pk}/", told).status_code == 303
        query.refresh_from_db()
        assert (query.text, query.language, query.note) == ("what pulls the tide", "en", "")

    def test_it_cannot_be_what_another_is(self, query, golden, address, alice):
        golden("another")
        page = browser_of(alice).post(f"{address}{query.pk}/", {"text": "another"}).content.decode()
        assert "This is a golden query of the collection already." in page

    def test_grades_are_changed_and_taken_away(self, query, address, alice):
        browser, first = browser_of(alice), query.judgements.first()
        assert browser.post(f"{address}{query.pk}/judgements/{first.pk}/", {"grade": 1}).status_code == 303
        first.refresh_from_db()
        assert first.grade == Grade.RELATED
        assert browser.post(f"{address}{query.pk}/judgements/{first.pk}/remove/").status_code == 303
        assert query.judgements.count() == 1

    def test_it_is_deleted(self, query, address, alice):
        assert browser_of(alice).post(f"{address}{query.pk}/delete/").status_code == 303
        assert not Judgement.objects.exists()

    def test_a_file_goes_out_and_comes_back(self, query, address, alice):
        browser = browser_of(alice)
        answer = browser.get(f"{address}export/csv/")
        assert answer["Content-Disposition"] == 'attachment; filename="golden-field-notes.csv"'
        file = b"".join(answer)
        GoldenQuery.objects.all().delete()
        sent = {"file": SimpleUploadedFile("golden.csv", file)}
        page = browser.post(f"{address}import/", sent, follow=True).content.decode()
        assert "1 golden query is imported." in page
        assert Judgement.objects.count() == 2
        assert browser.get(f"{address}export/xlsx/").status_code == 404

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("golden.csv", b"query,document\nx,ships\n", "Line 2: There is no document “ships” in this collection."),
            ("golden.xlsx", b"x", "This must be a .csv or .jsonl file"),
            ("golden.zip", b"x", "This file cannot be opened: it is damaged."),
        ],
    )
    def test_what_is_wrong_with_a_file_is_said(self, address, notes, alice, name, content, said):
        sent = {"file": SimpleUploadedFile(name, content)}
        assert said in browser_of(alice).post(f"{address}import/", sent).content.decode()

    def test_without_a_file_nothing_happens(self, address, notes, alice):
        assert "Choose a file first." in browser_of(alice).post(f"{address}import/", follow=True).content.decode()

    def test_a_file_too_large_is_refused(self, address, notes, alice, settings):
        settings.UPLOAD_LIMIT = 10
        sent = {"file": SimpleUploadedFile("golden.csv", b"query\n" + b"x" * 100)}
        assert browser_of(alice).post(f"{address}import/", sent).status_code == 303
        assert not GoldenQuery.objects.exists()

    def test_who_may(self, query, address, bob, charlie, shared_with_bob):
        one = f"{query.pk}/"
        judged = f"{one}judgements/{query.judgements.earliest('pk').pk}/"
        reading = ["", one, "export/csv/"]
        changing = [one, "import/", f"{one}delete/", judged, f"{judged}remove/", "evaluate/"]
        for user, may_read, may_change in [(charlie, 404, 404), (bob, 200, 403)]:
            browser = browser_of(user)
            assert {browser.get(address + path).status_code for path in reading} == {may_read}
            assert {browser.post(address + path).status_code for path in changing} == {may_change}
        assert GoldenQuery.objects.get() == query
        assert query.judgements.count() == 2


class TestConsole:
    ADDRESS = "/console/search/goldenquery/"

    @pytest.fixture
    def console(self, bob, shared_with_bob) -> Client:
        """Of bob, who has every permission on golden queries and may view this collection."""
        bob.is_staff = True
        bob.save()
        bob.user_permissions.set(Permission.objects.filter(content_type__app_label="search"))
        return browser_of(bob)

    def test_who_only_views_a_collection_changes_and_deletes_nothing(self, notes, golden, console):
        query = golden("outboard engine", notes["boats"])
        one = f"{self.ADDRESS}{query.pk}/"
        delete = {"action": "delete_selected", "_selected_action": [str(query.pk)], "post": "yes"}
        assert console.get(f"{one}change/").status_code == 200
        assert console.post(f"{one}change/", {"language": "en", "note": "mine"}).status_code == 403
        assert console.post(f"{one}delete/", {"post": "yes"}).status_code == 403
        assert console.post(self.ADDRESS, delete).status_code == 403
        assert GoldenQuery.objects.get().note == ""
        Membership.objects.update(role=Role.CONTRIBUTOR)
        assert console.post(self.ADDRESS, delete).status_code == 302
        assert not GoldenQuery.objects.exists()

    @pytest.mark.parametrize("rows", ["goldenquery", "evaluationrun"])
    def test_filters_name_no_collection_that_its_person_may_not_see(
        self, collection, console, bob, charlie, space, rows
    ):
        shared = Collection.objects.create(name="Ours", owner=bob, active_space=space)
        secret = Collection.objects.create(name="Merger with Initech", owner=charlie, active_space=space)
        for one in (collection, shared, secret):
            GoldenQuery.objects.create(collection=one, text="x")
            EvaluationRun.objects.create(collection=one, space_name=one.name, settings={}, reranker=one.name)
        page = console.get(f"/console/search/{rows}/").content.decode()
        assert str(shared.pk) in page.partition('id="changelist-filter"')[2]
        assert secret.name not in page
