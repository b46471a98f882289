"""A search whose first passages a reranker reads: another order, in time or not at all."""

import threading
import uuid
from collections.abc import Iterator, Sequence

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from embeddings import reranking
from embeddings.priority import Priority
from embeddings.reranking import Answering
from kb import context
from kb.models import Chunk, Collection
from search import addresses, ranking, retrieval
from search.hits import Answer, Hit, Query
from search.models import SearchLogEntry
from search.ranking import Candidate
from tests.conftest import client_of
from tests.embeddings import rerankers, scripted
from tests.embeddings.rerankers import WordReranker

pytestmark = pytest.mark.django_db

WORDS = ["tide", "moon", "harbour", "boat", "lock"]
ASKED = " ".join(WORDS)
LATE = "did not answer in time"


@pytest.fixture
def library(upload, work, answering, collection) -> None:
    """Eight passages with from none to all of the words, each below a heading of its own."""
    collection.chunk_target, collection.chunk_maximum = 32, 40
    collection.save()
    upload("notes.md", "\n\n".join(part(letter, WORDS[:number]) for number, letter in enumerate("abcdefgh")))
    work()


@pytest.fixture
def reranker(settings, request) -> Iterator[WordReranker]:
    """Its order is the other way round."""
    settings.RERANKER_MODEL, settings.RERANKER_URL = f"words-{request.node.name}", ""
    reranker = WordReranker()
    thread = Answering(lambda: reranker, Priority())
    assert thread.is_ready(20)
    yield reranker
    thread.stop()


def part(letter: str, words: Sequence[str]) -> str:
    """So much that it is a passage, and nothing that another one says."""
    filling = " ".join(f"{letter}{number}" for number in range(24))
    return f"# Part {letter}\n\n{' '.join(words)} {filling}."


def titles(found: Answer | Sequence[Hit]) -> list[str]:
    """The headings of the hits."""
    hits = found.hits if isinstance(found, Answer) else found
    return [hit.citation.heading_path[-1] for hit in hits]


def ask(user, text: str = ASKED, **more) -> Answer:
    return retrieval.search(user, Query(text, **more))


def chance(hit: Hit) -> float:
    """What the reranker gives it."""
    return 1 - rerankers.chance(ASKED, hit.text)


def test_the_reranker_s_order_is_another(library, alice, reranker):
    found = ask(alice, rerank=False)
    assert (found.reranked, found.not_reranked, found.hits[0].scores.rerank) == (False, "", None)
    answer = ask(alice)
    assert (answer.reranked, answer.not_reranked) == (True, "")
    assert set(titles(answer)) == set(titles(found))
    assert titles(answer) != titles(found)
    scores = [hit.score for hit in answer.hits]
    assert scores == sorted(scores, reverse=True)
    assert scores == [hit.scores.rerank for hit in answer.hits]
    for hit in answer.hits:
        assert hit.score == pytest.approx(chance(hit), abs=1e-4)
    assert {"encode", "retrieve", "rank", "rerank", "cite"} == set(answer.timings_ms)


def test_it_reads_what_the_encoder_read_and_knows_what_is_looked_for(
    library, alice, reranker, collection, upload, work
):
    Collection.objects.filter(pk=collection.pk).update(instruction_domain="legal")
    upload("law.md", "# Law of the harbour\n\n" + "\n\n".join(part(letter, WORDS)[10:] for letter in "xyz"))
    work()
    ask(alice)
    [(query, passages, instruction)] = reranker.asked[1:]
    assert query == ASKED
    assert set(passages) == {context.encoded_text(chunk.context, chunk.text) for chunk in Chunk.objects.all()}
    assert any(passage.startswith("Law of the harbour\n") for passage in passages)
    assert "legal" in instruction


@pytest.mark.parametrize(
    ("query", "is_reranked"),
    [
        ({}, True), ({"mode": "semantic"}, True), ({"mode": "lexical"}, False),
        ({"mode": "lexical", "rerank": True}, True), ({"rerank": False}, False),
    ],
)  # fmt: skip
def test_by_default_it_has_its_say_unless_words_alone_decide(library, alice, reranker, query, is_reranked):
    assert ask(alice, **query).reranked is is_reranked


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from([None, 1e-13, 0.2, 0.2, 1.0])), max_size=20))
def test_what_was_read_stands_first_and_its_ties_as_they_stood(scored):
    ones = [Candidate(uuid.UUID(int=n), fused=fused, score=fused) for n, (fused, _chance) in enumerate(scored)]
    read = [
        one if chance is None else ranking.reranked(one, chance)
        for one, (_fused, chance) in zip(ones, scored, strict=True)
    ]
    ordered = sorted(read, key=lambda one: one.key)
    expected = sorted(read, key=lambda one: (one.rerank is None, -(one.rerank or 0.0), -one.fused, str(one.chunk_id)))
    assert ordered == expected
    assert len({one.key for one in read}) == len(read)


class TestBelowTheFirst:
    @pytest.fixture(autouse=True)
    def _few(self, settings) -> None:
        settings.RERANKER_CANDIDATES = 3

    def test_the_others_stand_as_found_with_no_higher_score(self, library, alice, reranker):
        found, answer = titles(ask(alice, rerank=False)), ask(alice)
        assert set(titles(answer)[:3]) == set(found[:3])
        assert titles(answer)[3:] == found[3:]
        assert [hit.scores.rerank is None for hit in answer.hits] == [False] * 3 + [True] * 5
        scores = [hit.score for hit in answer.hits]
        assert scores == sorted(scores, reverse=True)

    @pytest.mark.parametrize("limit", [1, 2, 3, 5])
    def test_pages_by_cursor_hold_every_hit_once(self, library, alice, reranker, limit):
        whole = ask(alice, limit=100)
        seen: list[Hit] = []
        cursor = None
        while True:
            page = ask(alice, limit=limit, after=cursor)
            seen += page.hits
            if page.next is None:
                break
            cursor = page.next
        assert [hit.citation.id for hit in seen] == [hit.citation.id for hit in whole.hits]
        assert [hit.rank for hit in seen] == list(range(1, 9))
        assert [hit.score for hit in seen] == [hit.score for hit in whole.hits]
        # Read once for all pages.
        assert len(reranker.asked) == 2

    def test_min_score_leaves_out_what_is_below(self, library, alice, reranker):
        whole = ask(alice, limit=100).hits
        for least in {hit.score for hit in whole if hit.score > 0.001}:
            kept = ask(alice, limit=100, min_score=least - 5e-5).hits  # it is rounded
            assert titles(kept) == titles([hit for hit in whole if hit.score >= least])

    def test_hits_of_a_document_are_grouped_in_the_new_order(self, library, alice, reranker, upload, work):
        upload("others.md", part("x", WORDS[:2]))
        work()
        answer = ask(alice, group="document")
        assert len(answer.hits) == 2
        scores = [hit.score for hit in answer.hits]
        assert scores == sorted(scores, reverse=True)
        assert all(other.score <= hit.score for hit in answer.hits for other in hit.more)


def test_what_says_the_same_is_read_once(library, alice, reranker, upload, work):
    upload("copy.md", part("h", WORDS))
    work()
    answer = ask(alice)
    assert len(reranker.asked[-1][1]) == 8
    assert sum(hit.folded for hit in answer.hits) == 1


def test_nothing_good_is_what_the_reranker_finds(library, alice, reranker, monkeypatch):
    assert not ask(alice).nothing_good
    monkeypatch.setattr(rerankers, "chance", lambda query, passage: 0.99)
    assert ask(alice, "tide boat").nothing_good


class TestWhoMay:
    def test_it_reads_nothing_that_one_may_not_see(self, library, charlie, reranker, upload, work, space):
        hers = Collection.objects.create(name="Hers", owner=charlie, active_space=space)
        upload("hers.md", f"{ASKED} of Charlie", into=hers, user=charlie)
        work()
        answer = ask(charlie)
        assert [hit.text for hit in answer.hits] == [f"{ASKED} of Charlie"]
        assert reranker.asked[-1][1] == [f"{ASKED} of Charlie"]

    def test_it_reads_what_the_filters_leave(self, library, alice, reranker, collection):
        answer = ask(alice, tags=("none",))
        assert (answer.hits, answer.reranked, len(reranker.asked)) == ([], False, 1)


class TestWithoutAnAnswer:
    @pytest.fixture
    def held(self, reranker, settings) -> Iterator[threading.Event]:
        held = threading.Event()
        reranker.before = lambda passages: held.wait(20)
        settings.RERANKER_TIMEOUT_MS = 300
        yield held
        held.set()

    def test_what_is_late_leaves_the_order_as_found_and_the_answer_says_so(self, library, alice, held, api):
        found = titles(ask(alice, rerank=False))
        answer = ask(alice)
        assert titles(answer) == found
        assert not answer.reranked
        assert LATE in answer.not_reranked
        body = api.post("/api/v1/search/", {"query": ASKED}).json()
        assert body["reranked"] is False
        assert LATE in body["degraded"]
        assert [hit["scores"]["rerank"] for hit in body["hits"]] == [None] * len(found)
        assert SearchLogEntry.objects.order_by("-pk")[0].degraded

    def test_the_next_page_goes_on_in_the_order_as_found(self, library, alice, held):
        whole = titles(ask(alice, rerank=False))
        first = ask(alice, limit=3)
        held.set()
        second = ask(alice, limit=5, after=first.next)
        assert titles(first) + titles(second) == whole
        assert not second.reranked
        assert "page before was not reranked" in second.not_reranked

    def test_a_page_after_a_reranked_one_begins_where_that_ended(self, library, alice, reranker, settings):
        first = ask(alice, limit=3)
        assert first.next is not None
        assert first.next.reranked
        settings.RERANKER_MODEL = "away"
        second = ask(alice, limit=5, after=first.next)
        assert titles(second) == titles(ask(alice, rerank=False))[3:]
        assert [hit.rank for hit in second.hits] == [4, 5, 6, 7, 8]
        assert "not available" in second.not_reranked

    def test_nobody_there(self, library, alice, settings):
        settings.RERANKER_MODEL = "nobody"
        answer = ask(alice)
        assert titles(answer) == titles(ask(alice, rerank=False))
        assert "not available" in answer.not_reranked

    def test_a_query_without_room_for_a_passage(self, library, alice, reranker):
        answer = ask(alice, f"{ASKED} " * 50)
        assert "too long for the reranker" in answer.not_reranked
        assert len(answer.hits) == 8


class TestApi:
    def test_another_order_and_stable_pages(self, library, api, reranker):
        found = api.post("/api/v1/search/", {"query": ASKED, "rerank": False}).json()
        answer = api.post("/api/v1/search/", {"query": ASKED, "rerank": True}).json()
        assert (found["reranked"], answer["reranked"]) == (False, True)
        ids = [hit["citation"]["id"] for hit in answer["hits"]]
        assert ids != [hit["citation"]["id"] for hit in found["hits"]]
        first = api.get("/api/v1/search/", {"q": ASKED, "limit": 3}).json()
        second = api.get("/api/v1/search/", {"q": ASKED, "limit": 5, "cursor": first["next_cursor"]}).json()
        assert [hit["citation"]["id"] for hit in [*first["hits"], *second["hits"]]] == ids

    def test_where_there_is_none_it_cannot_be_asked_for(self, library, api):
        refused = api.post("/api/v1/search/", {"query": ASKED, "rerank": True})
        assert refused.status_code == 400
        assert "RERANKER_MODEL" in str(refused.json()["errors"]["rerank"])
        for asked in (False, None):
            assert api.post("/api/v1/search/", {"query": ASKED, "rerank": asked}, format="json").status_code == 200

    def test_a_passage_cannot_be_asked_with(self, library, api, alice, reranker):
        like = str(ask(alice).hits[0].citation.id)
        refused = api.post("/api/v1/search/", {"like": like, "rerank": True})
        assert refused.status_code == 400
        assert api.post("/api/v1/search/", {"like": like}).json()["reranked"] is False

    def test_a_stranger_gets_nothing(self, library, charlie, reranker):
        body = client_of(charlie).post("/api/v1/search/", {"query": ASKED}).json()
        assert (body["hits"], body["reranked"], body["degraded"]) == ([], False, "")


class TestOnAServer:
    @pytest.fixture
    def server(self, settings) -> Iterator[rerankers.Server]:
        with rerankers.Server().running() as server:
            settings.RERANKER_URL, settings.RERANKER_MODEL = server.url, "words"
            reranking._on_server.cache_clear()
            yield server
        reranking._on_server.cache_clear()

    @pytest.mark.parametrize("shape", [rerankers.cohere, rerankers.text_embeddings_inference, rerankers.in_log_odds])
    def test_another_order(self, library, alice, server, shape):
        server.usually = shape
        answer = ask(alice)
        assert answer.reranked
        for hit in answer.hits:
            assert hit.score == pytest.approx(chance(hit), abs=1e-4)

    @pytest.mark.parametrize("step", [scripted.hanging, scripted.refusing(500), scripted.speaking_html])
    def test_one_that_misbehaves_leaves_the_order_as_found(self, library, alice, server, step, settings):
        settings.RERANKER_TIMEOUT_MS = 300
        server.usually = step
        answer = ask(alice)
        assert titles(answer) == titles(ask(alice, rerank=False))
        assert answer.not_reranked


class TestPage:
    @pytest.fixture
    def browser(self, alice) -> Client:
        client = Client()
        client.force_login(alice)
        return client

    def test_it_offers_the_order_where_there_is_a_reranker(self, library, browser, alice, reranker, settings):
        page = browser.get("/", {"q": ASKED}).content.decode()
        assert page.count('name="order"') == 2
        as_found = browser.get("/", {"q": ASKED, "order": addresses.FOUND})
        assert titles(as_found.context["answer"]) == titles(ask(alice, rerank=False))
        assert 'name="order"' not in browser.get("/", {"q": ASKED, "mode": "lexical"}).content.decode()
        settings.RERANKER_MODEL = ""
        assert 'name="order"' not in browser.get("/", {"q": ASKED}).content.decode()

    def test_it_says_quietly_that_the_order_is_not_the_reranker_s(self, library, browser, settings, monkeypatch):
        settings.RERANKER_MODEL = "nobody"
        monkeypatch.setattr(addresses, "PAGE_SIZE", 3)
        page = browser.get("/", {"q": ASKED})
        assert "not available just now" in page.content.decode()
        # The pages of one answer stand in one order.
        assert str(page.context["pages"].next).endswith("&order=found&page=2")
        settings.LANGUAGE_CODE = "zh-hans"
        assert "重排" in browser.get("/", {"q": ASKED}, headers={"Accept-Language": "zh-hans"}).content.decode()
