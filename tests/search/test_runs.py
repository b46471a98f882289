"""Evaluation runs: a collection measured by its golden queries, whatever becomes of the workers."""

import json
import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from embeddings import queries
from embeddings.models import Space
from embeddings.priority import Priority
from embeddings.reranking import Answering
from kb import bell, ingestion
from kb.models import Collection, Embedding, Membership, Role
from search import charts, ranking, runs, tasks
from search.models import EvaluationRun, GoldenQuery, RunState
from search.models.golden import Grade
from search.models.run import ATTEMPTS
from tests.conftest import browser_of
from tests.embeddings.rerankers import WordReranker
from tests.search.conftest import chunk_with

pytestmark = pytest.mark.django_db


@pytest.fixture
def questions(notes, golden) -> None:
    golden("what pulls the sea towards it", chunk_with("moon pulls"))
    golden("outboard engine", notes["boats"])
    golden("带薪年假", notes["leave"])
    golden("zebra", notes["boats"], grade=Grade.NOT)


@pytest.fixture
def abandoned(questions, collection, alice, monkeypatch) -> EvaluationRun:
    """A run whose worker was killed after the first query, and its lease has run out."""
    run = runs.start(alice, collection)
    judged, ask = [], runs._ask

    def ask_once(*args: Any) -> Any:
        judged.append(args)
        if len(judged) > 1:
            raise SystemExit("killed")
        return ask(*args)

    with monkeypatch.context() as context:
        context.setattr(runs, "_ask", ask_once)
        with pytest.raises(SystemExit):
            runs.measure_next()
    expire()
    return run


def expire() -> None:
    EvaluationRun.objects.update(lease_expires_at=Now() - timedelta(seconds=1))


def test_a_golden_query_that_asks_for_nothing_finds_nothing(notes, golden, alice, collection):
    golden("-engine", notes["boats"])
    golden("outboard engine", notes["boats"])
    run = runs.finish(runs.start(alice, collection))
    assert (run.state, run.queries) == (RunState.DONE, 2)
    assert run.figures["all"]["recall@1"] == 0.5


def test_it_measures_by_language_pair(questions, collection, alice, space):
    run = runs.start(alice, collection)
    assert (run.state, run.figures) == (RunState.WAITING, {})
    assert runs.measure_next()
    run.refresh_from_db()
    assert (run.state, run.queries, run.unmeasured, run.space) == (RunState.DONE, 3, 1, space)
    assert run.figures["all"] == {
        "queries": 3, "recall@1": 1, "recall@5": 1, "recall@10": 1, "ndcg@10": 1, "mrr": 1, "map": 1,
    }  # fmt: skip
    assert {pair: measured["queries"] for pair, measured in run.figures["pairs"].items()} == {"en>en": 2, "zh>zh": 1}
    assert run.settings["chunk_target"] == collection.chunk_target
    assert run.settings["balance_languages"] == collection.balance_languages
    assert run.settings["instruction"] == collection.instruction
    assert run.settings["query_fingerprint"] == collection.query_fingerprint
    assert None not in (run.started_at, run.finished_at)
    assert not runs.measure_next()


def test_it_asks_with_what_its_person_may_see(questions, collection, bob, shared_with_bob):
    run = runs.start(bob, collection)
    Membership.objects.all().delete()
    runs.measure_next()
    run.refresh_from_db()
    assert (run.state, run.figures) == (RunState.FAILED, {})
    assert "may no longer see" in run.detail


def test_two_at_a_time_are_one(questions, collection, alice, bob):
    first = runs.start(alice, collection)
    assert runs.start(bob, collection) == first
    runs.measure_next()
    assert runs.start(bob, collection) != first


def test_without_an_answer_there_is_nothing_to_measure(notes, golden, collection, alice):
    golden("zebra", notes["boats"], grade=Grade.NOT)
    with pytest.raises(runs.Unmeasurable):
        runs.start(alice, collection)


def test_an_answer_that_is_not_searchable_cannot_be_measured(questions, collection, alice):
    run = runs.start(alice, collection)
    collection.documents.update(live_revision=None)
    runs.measure_next()
    run.refresh_from_db()
    assert (run.state, run.detail) == (RunState.FAILED, runs._NOTHING)


def test_a_query_whose_words_are_gone_is_left_out(notes, golden, collection, alice, work):
    golden("what pulls the sea", chunk_with("moon pulls"))
    golden("outboard engine", chunk_with("outboard"))
    ingestion.receive_revision(notes["tides"], ContentFile(b"# Sea\n\nAll is new here.\n"), "tides.md", user=alice)
    work()
    run = runs.finish(runs.start(alice, collection))
    assert (run.queries, run.unmeasured, run.figures["all"]["queries"]) == (1, 1, 1)


class TestKilledWorkers:
    def test_what_was_measured_is_kept_and_the_rest_follows(self, abandoned):
        abandoned.refresh_from_db()
        assert (abandoned.state, abandoned.outcomes.count()) == (RunState.RUNNING, 1)
        before = set(abandoned.outcomes.values_list("pk", flat=True))
        assert runs.measure_next()
        abandoned.refresh_from_db()
        assert (abandoned.state, abandoned.queries, abandoned.outcomes.count()) == (RunState.DONE, 3, 4)
        assert before < set(abandoned.outcomes.values_list("pk", flat=True))

    def test_nobody_else_takes_a_run_that_is_held(self, abandoned):
        EvaluationRun.objects.update(lease_expires_at=Now() + timedelta(seconds=60))
        assert not runs.measure_next()

    def test_the_sweep_rings_for_it(self, abandoned, monkeypatch):
        rung: list[str] = []
        monkeypatch.setattr(bell, "ring", lambda queue, task="": rung.append(task))
        tasks.sweep()
        assert rung == ["search.tasks.evaluate"]

    def test_a_run_that_never_gets_on_fails(self, abandoned):
        EvaluationRun.objects.update(attempts=ATTEMPTS)
        assert not runs.measure_next()
        tasks.sweep()
        abandoned.refresh_from_db()
        assert (abandoned.state, abandoned.detail) == (RunState.FAILED, runs._STOPPED)

    def test_what_a_late_worker_brings_is_not_taken(self, abandoned, monkeypatch):
        ask = runs._ask

        def taken_away(*args: Any) -> Any:
            EvaluationRun.objects.update(lease_token=uuid.uuid4())
            return ask(*args)

        monkeypatch.setattr(runs, "_ask", taken_away)
        assert runs.measure_next()
        assert abandoned.outcomes.count() == 1

    def test_a_golden_query_deleted_meanwhile_is_left_out(self, abandoned, collection):
        GoldenQuery.objects.filter(text="带薪年假").delete()
        runs.measure_next()
        abandoned.refresh_from_db()
        assert (abandoned.state, abandoned.queries) == (RunState.DONE, 2)


def test_a_long_run_makes_way_between_its_slices(questions, collection, alice, monkeypatch):
    monkeypatch.setattr(runs, "SLICE_SECONDS", 0)
    run = runs.start(alice, collection)
    slices = 0
    while runs.measure_next():
        slices += 1
        run.refresh_from_db()
        if not run.unfinished:
            break
        assert run.state == RunState.WAITING
        monkeypatch.setattr(runs, "SLICE_SECONDS", 15 if slices == 2 else 0)
    assert (run.state, run.queries, slices) == (RunState.DONE, 3, 3)


class TestWithoutTheEncoder:
    @pytest.fixture
    def waiting(self, questions, collection, alice) -> EvaluationRun:
        gone = Space.objects.create(
            id=uuid.uuid4(), name="gone", model="gone", fingerprint="gone", dimensions=8, dtype="float32", max_tokens=8
        )
        Collection.objects.update(active_space=gone)
        collection.refresh_from_db()
        run = runs.start(alice, collection)
        assert runs.measure_next()
        run.refresh_from_db()
        return run

    def test_it_waits_and_says_so(self, waiting):
        assert (waiting.state, waiting.detail, waiting.attempts) == (RunState.WAITING, runs._AWAY, 0)
        assert not any(waiting.outcomes.values_list("judged", flat=True))
        assert not runs.measure_next()

    def test_not_for_ever(self, waiting):
        long_ago = timezone.now() - 2 * runs.PATIENCE
        EvaluationRun.objects.update(created_at=long_ago, next_attempt_at=long_ago)
        runs.measure_next()
        waiting.refresh_from_db()
        assert (waiting.state, waiting.detail) == (RunState.FAILED, runs._NEVER_CAME)


class TestComparison:
    @pytest.fixture
    def other(self, questions, collection, space) -> Space:
        """A space in which the passages of boats and holidays have each other's embeddings."""
        other = Space.objects.create(
            id=uuid.uuid4(), name="other", model="x", fingerprint="x", dimensions=space.dimensions, dtype="float32",
            max_tokens=512,
        )  # fmt: skip
        swapped = {"boats": "leave", "leave": "boats"}
        embeddings = list(Embedding.objects.select_related("revision__document"))
        by_title = {one.revision.document.title: one.embedding for one in embeddings}
        for one in embeddings:
            title = one.revision.document.title
            Embedding.objects.create(
                chunk=one.chunk, space=other, revision=one.revision, collection=one.collection, language=one.language,
                embedding=by_title[swapped[title]] if title in swapped else one.embedding,
            )  # fmt: skip
        return other

    def test_the_same_queries_in_two_spaces(self, other, collection, alice, space, monkeypatch):
        encode = queries.encode_query
        monkeypatch.setattr(queries, "encode_query", lambda text, **more: encode(text, **{**more, "space": space}))
        monkeypatch.setattr(ranking, "LEXICAL_WEIGHT", 0.0)
        measured = [runs.finish(runs.start(alice, collection, space_id=one.pk)) for one in (space, other)]
        found = runs.between(*measured)
        assert (found.first.space, found.second.space) == (space, other)
        assert (found.better, found.alike, found.worse) == (0, 1, 2)
        assert found.chance == 0.5
        assert found.first.figures["all"]["ndcg@10"] > found.second.figures["all"]["ndcg@10"]

    def test_a_space_without_its_embeddings_cannot_be_measured(self, questions, collection, alice):
        with pytest.raises(runs.Unmeasurable):
            runs.start(alice, collection, space_id=uuid.uuid4())

    @pytest.mark.parametrize(
        ("better", "worse", "chance"), [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 0.0625), (9, 1, 0.0215), (3, 3, 1.0)]
    )
    def test_chance_is_that_of_the_sign_test(self, better, worse, chance):
        assert runs._sign_test(better, worse) == pytest.approx(chance, abs=1e-4)


class TestPage:
    def run_twice(self, alice, collection) -> list[EvaluationRun]:
        return [runs.finish(runs.start(alice, collection)) for _n in range(2)]

    def test_it_shows_figures_and_a_chart(self, questions, collection, alice, bob, shared_with_bob):
        self.run_twice(alice, collection)
        page = browser_of(bob).get(f"/collections/{collection.slug}/golden/").content.decode()
        assert "English › English" in page
        assert "Chinese › Chinese" in page
        assert page.count("<polyline points=") == 2 * len(charts.MEASURES)
        assert "0 queries better, 0 worse, 3 alike" in page
        assert "1 golden query was left out" in page
        assert "Measure now" not in page

    def test_runs_over_other_queries_are_not_compared(self, questions, notes, golden, collection, alice):
        address, browser = f"/collections/{collection.slug}/golden/", browser_of(alice)
        runs.finish(runs.start(alice, collection))
        golden("dinghy", notes["boats"])
        runs.finish(runs.start(alice, collection))
        page = browser.get(address).content.decode()
        assert "0 queries better, 0 worse, 3 alike" in page
        assert "different golden queries, 3 then and 4 now, 3 of them the same" in page
        runs.finish(runs.start(alice, collection))
        assert "different golden queries" not in browser.get(address).content.decode()
        GoldenQuery.objects.filter(text="dinghy").delete()  # measured by both
        assert "different golden queries" not in browser.get(address).content.decode()
        GoldenQuery.objects.all().delete()
        golden("outboard engine", notes["boats"])
        runs.finish(runs.start(alice, collection))
        page = browser.get(address).content.decode()
        assert "different golden queries, 4 then and 1 now, 0 of them the same" in page
        assert "0 queries better" not in page

    def test_a_contributor_starts_one_and_the_page_looks_again(self, questions, collection, bob, shared_with_bob):
        Membership.objects.update(role=Role.CONTRIBUTOR)
        browser, address = browser_of(bob), f"/collections/{collection.slug}/golden/"
        assert browser.post(f"{address}evaluate/").status_code == 303
        assert 'hx-trigger="every 2s"' in browser.get(address).content.decode()
        runs.measure_next()
        assert 'hx-trigger="every 2s"' not in browser.get(address).content.decode()

    def test_a_viewer_may_not_start_one_and_a_stranger_sees_none(
        self, questions, collection, bob, charlie, shared_with_bob
    ):
        address = f"/collections/{collection.slug}/golden/evaluate/"
        assert browser_of(bob).post(address).status_code == 403
        assert browser_of(charlie).post(address).status_code == 404
        assert not EvaluationRun.objects.exists()

    def test_why_a_run_failed_is_said_in_the_readers_language(self, questions, collection, alice):
        EvaluationRun.objects.create(
            collection=collection, space_name="x", settings={}, state=RunState.FAILED, detail=runs._NOTHING,
            finished_at=timezone.now(),
        )  # fmt: skip
        call_command("translations", "compile")
        page = browser_of(alice).get(f"/collections/{collection.slug}/golden/", headers={"Accept-Language": "zh-hans"})
        assert runs._NOTHING not in page.content.decode()

    def test_the_console_shows_charts_and_figures(self, questions, collection, alice, admin_client):
        [_first, run] = self.run_twice(alice, collection)
        listed = admin_client.get("/console/search/evaluationrun/").content.decode()
        assert listed.count("<polyline points=") == 2 * len(charts.MEASURES)
        assert (
            "English › English" in admin_client.get(f"/console/search/evaluationrun/{run.pk}/change/").content.decode()
        )

    def test_only_runs_in_one_space_and_order_are_drawn_and_compared(
        self, questions, collection, alice, admin_client, space
    ):
        def done(ndcg: float, **way: object) -> None:
            figures = {"all": {"recall@10": ndcg, "ndcg@10": ndcg, "mrr": ndcg}, "pairs": {}}
            EvaluationRun.objects.create(
                collection=collection, state=RunState.DONE, finished_at=timezone.now(), figures=figures,
                **{"space": space, "space_name": space.name, "settings": {}, **way},
            )  # fmt: skip

        address, browser = f"/collections/{collection.slug}/golden/", browser_of(alice)
        elsewhere = Space.objects.create(
            id=uuid.uuid4(), name="elsewhere", model="x", fingerprint="x", dimensions=8, dtype="float32", max_tokens=8
        )
        for way in ({"reranker": "one"}, {"space": elsewhere, "space_name": "elsewhere"}, {}):
            done(0.5, **way)
        page = browser.get(address).content.decode()
        assert "<figure" not in page
        assert "Since the run before" not in page
        done(0.7)
        done(0.9, reranker="one", settings={"balance_languages": "off"})
        page = browser.get(address).content.decode()
        assert re.findall(r"<title>nDCG@10 ([\d.]+)", page) == ["0.500", "0.900"]
        assert "reranked by one" in page.partition("<figure")[2].partition("</figure>")[0]
        assert "languages not balanced" in page
        console = admin_client.get("/console/search/evaluationrun/").content.decode()
        drawn = [re.findall(r"<title>nDCG@10 ([\d.]+)", one) for one in console.split("<figure")[1:]]
        assert drawn == [["0.500", "0.900"], ["0.500", "0.700"]]

    def test_the_console_calls_a_run_by_collection_and_time(self, questions, collection, alice, admin_client):
        run = runs.finish(runs.start(alice, collection))
        page = admin_client.get(f"/console/search/evaluationrun/{run.pk}/change/").content.decode()
        assert f"<title>{collection.name}, {timezone.localtime(run.created_at):%Y-%m-%d %H:%M}" in page
        assert str(collection.pk) not in page.partition("<form")[0]
        labels = re.findall(r"<label[^>]*>([^<]*)</label>", page)
        assert len(labels) == len(set(labels))

    def test_the_console_reads_only_what_its_list_shows(self, questions, collection, alice, admin_client):
        runs.finish(runs.start(alice, collection))
        with CaptureQueriesContext(connection) as asked:
            admin_client.get("/console/search/evaluationrun/")
        assert not [query["sql"] for query in asked if 'JOIN "kb_user"' in query["sql"]]

    def test_the_console_hides_what_its_person_may_not_see(self, questions, collection, alice, charlie):
        self.run_twice(alice, collection)
        charlie.is_staff = True
        charlie.save()
        charlie.user_permissions.set(permissions("evaluationrun", "goldenquery"))
        console = browser_of(charlie)
        for name in ("evaluationrun", "goldenquery"):
            assert (
                "0 " in console.get(f"/console/search/{name}/").content.decode().partition('class="paginator"')[2][:80]
            )


def permissions(*models: str) -> Any:
    return Permission.objects.filter(codename__in=[f"view_{name}" for name in models])


class TestCommand:
    def evaluate(self, *options: str) -> str:
        out = StringIO()
        call_command("evaluate", *options, stdout=out)
        return out.getvalue()

    def test_it_prints_the_run_that_it_keeps(self, questions, collection):
        printed = json.loads(self.evaluate("--collection", collection.slug, "--json"))
        run = EvaluationRun.objects.get()
        assert printed["run"] == str(run.pk)
        assert printed["figures"] == run.figures
        assert run.started_by == collection.owner

    @pytest.mark.parametrize("columns", ["40", "80", "200"])
    def test_each_heading_is_whole(self, questions, collection, monkeypatch, capsys, columns):
        monkeypatch.setenv("COLUMNS", columns)
        self.evaluate("--collection", collection.slug)
        lines = capsys.readouterr().out.splitlines()
        [headings] = [line for line in lines if "queries" in line]
        assert re.findall(r"[\w@]+", headings) == [
            "languages", "queries", "r@1", "r@5", "r@10", "nDCG@10", "MRR", "mAP",
        ]  # fmt: skip
        assert max(map(len, lines)) <= 80

    @pytest.mark.parametrize(
        "options",
        [("none",), ("field-notes", "--user", "nobody"), ("field-notes", "--space", "x"),
         ("field-notes", "--space", str(uuid.UUID(int=1)))],
    )  # fmt: skip
    def test_what_is_not_there_is_said(self, questions, options):
        with pytest.raises(CommandError):
            self.evaluate("--collection", *options)

    def test_without_golden_queries_it_says_so(self, collection):
        with pytest.raises(CommandError, match="No golden query"):
            self.evaluate("--collection", collection.slug)


class TestReranked:
    @pytest.fixture
    def reranker(self, settings, request) -> Iterator[WordReranker]:
        """One that thinks best of what has none of the words."""
        settings.RERANKER_MODEL, settings.RERANKER_URL = f"words-{request.node.name}", ""
        reranker = WordReranker()
        thread = Answering(lambda: reranker, Priority())
        assert thread.is_ready(20)
        yield reranker
        thread.stop()

    def test_with_and_without_are_two_runs_side_by_side(self, questions, collection, alice, reranker, settings):
        without, reranked = runs.start(alice, collection), runs.start(alice, collection, reranked=True)
        assert runs.start(alice, collection, reranked=True) == reranked
        without, reranked = runs.finish(without), runs.finish(reranked)
        assert (without.reranker, reranked.reranker) == ("", settings.RERANKER_MODEL)
        assert without.figures["all"]["recall@1"] == 1
        assert reranked.figures["all"]["recall@1"] == 0
        compared = runs.between(without, reranked)
        assert (compared.better, compared.alike, compared.worse) == (0, 0, 3)

    def test_a_late_one_is_waited_for(self, questions, collection, alice, settings):
        settings.RERANKER_MODEL = "nobody"
        run = runs.start(alice, collection, reranked=True)
        with pytest.raises(queries.EncoderAway, match="The reranker is not available"):
            runs.finish(run)
        run.refresh_from_db()
        assert (run.state, run.attempts) == (RunState.WAITING, 0)
        EvaluationRun.objects.update(created_at=timezone.now() - 2 * runs.PATIENCE, next_attempt_at=timezone.now())
        assert runs.measure_next()
        run.refresh_from_db()
        assert run.state == RunState.FAILED
        assert "reranker was not available" in run.detail

    def test_another_one_is_not_what_was_to_be_measured(self, questions, collection, alice, reranker, settings):
        run = runs.start(alice, collection, reranked=True)
        settings.RERANKER_MODEL = "another"
        assert runs.finish(run).state == RunState.FAILED

    def test_where_there_is_none_nothing_is_measured(self, questions, collection, alice):
        with pytest.raises(runs.Unmeasurable, match="RERANKER_MODEL"):
            runs.start(alice, collection, reranked=True)

    def test_the_command_measures_either(self, questions, collection, alice, reranker, settings):
        for options, measured in (([], ""), (["--rerank"], settings.RERANKER_MODEL)):
            out = StringIO()
            call_command("evaluate", "--collection", collection.slug, "--user", "alice", *options, "--json", stdout=out)
            assert json.loads(out.getvalue())["reranker"] == measured

    def test_the_api_measures_as_people_search_unless_told_otherwise(
        self, questions, collection, api, reranker, settings
    ):
        address = f"/api/v1/collections/{collection.pk}/evaluations/"
        for asked, measured in (({}, settings.RERANKER_MODEL), ({"rerank": False}, "")):
            started = api.post(address, asked, format="json")
            assert (started.status_code, started.json()["reranker"]) == (202, measured)

    def test_the_page_measures_either(self, questions, collection, alice, reranker, settings):
        browser = browser_of(alice)
        page = browser.get(f"/collections/{collection.slug}/golden/").content.decode()
        assert "Measure without the reranker" in page
        for asked in ({}, {"order": "found"}):
            browser.post(f"/collections/{collection.slug}/golden/evaluate/", asked)
        assert {run.reranker for run in EvaluationRun.objects.all()} == {"", settings.RERANKER_MODEL}
        assert (
            f"reranked by {settings.RERANKER_MODEL[:29]}"
            in browser.get(f"/collections/{collection.slug}/golden/").content.decode()
        )
