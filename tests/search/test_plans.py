"""How the database finds what a search asks for: through the indexes, whatever the planner would think."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from kb.models import Embedding
from search import lexical, nearest, retrieval
from search.benchmarks import measure
from search.benchmarks.corpus import Corpus
from search.hits import Hit, Query

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def corpus():
    with Corpus(1_500, 32) as made:
        yield made


def plans(corpus: Corpus, text: str = "", **more) -> list[str]:
    """The plans of all statements of one search that read passages or embeddings; in a transaction, where all are asked
    on this connection."""
    [asked] = corpus.queries(1)
    query = Query(text or f"{asked.text} KB-77/7", **more)
    known = type(asked)(query.text, asked.language, asked.embedding)
    with measure.answering(corpus, [known]), transaction.atomic(), CaptureQueriesContext(connection) as captured:
        assert retrieval.search(corpus.user, query).hits
    with transaction.atomic(), connection.cursor() as cursor:
        return [plan for one in captured for plan in _explained(cursor, one["sql"])]


def _explained(cursor, sql: str) -> list[str]:
    """The plans of what was sent at once, each with the settings that were sent before it."""
    found = []
    for statement in sql.split(";"):
        if statement.startswith("SET LOCAL"):
            cursor.execute(statement)
        elif not statement.startswith(("PREPARE", "DEALLOCATE")):
            cursor.execute(f"EXPLAIN {statement}")
            found.append("\n".join(line for (line,) in cursor.fetchall()))
    return [plan for plan in found if re.search(r"on kb_(chunk|embedding)\b", plan)]


@pytest.fixture
def many_rows(monkeypatch):
    """So many that they are searched through the indexes."""
    monkeypatch.setattr(nearest, "ALWAYS_EXACT_ROWS", 100)
    monkeypatch.setattr(nearest, "EXACT_ROWS", 100)
    monkeypatch.setattr(lexical, "FEW_ROWS", 100)


def test_many_rows_are_searched_through_the_indexes(corpus, many_rows):
    found = plans(corpus, mode="hybrid")
    assert any("embedding_hnsw" in plan for plan in found)
    assert any("chunk_lexemes" in plan for plan in found)
    assert not [plan for plan in found if re.search(r"Seq Scan on kb_(chunk|embedding|document)\b", plan)]


@pytest.mark.parametrize(("mode", "trips"), [("semantic", 3), ("hybrid", 6), ("lexical", 6)])
def test_the_database_is_asked_a_few_times(corpus, many_rows, mode, trips):
    """For the collections and what is known of them; how common the words are; candidates of each search, and how near
    those with the words are, or more of them, twice at most; and the passages that are shown."""
    asked = replace(corpus.queries(1)[0], text="船只 KB-77/7")  # a language without stop words, which are asked for too
    with measure.answering(corpus, [asked]):
        retrieval.search(corpus.user, Query(asked.text, mode=mode))  # means are fetched once
        with transaction.atomic(), CaptureQueriesContext(connection) as captured:
            assert retrieval.search(corpus.user, Query(asked.text, mode=mode)).hits
    assert len(captured) <= trips


@pytest.mark.parametrize("mode", measure.MODES)
def test_what_filters_leave_is_planned_anew(corpus, many_rows, mode):
    """What is found fastest depends on how much that is: only the collections are asked for in the same way."""
    [asked] = corpus.queries(1)
    query = Query(f'{asked.text} "KB-77/7"', mode=mode, media_types=("text/markdown",))
    known = replace(asked, text=query.text)
    with measure.answering(corpus, [known]), transaction.atomic(), CaptureQueriesContext(connection) as captured:
        retrieval.search(corpus.user, query)
    assert sum(one["sql"].count("EXECUTE") for one in captured) == 1


def test_passages_that_are_shown_are_fetched_by_their_ids(corpus, many_rows):
    """Also where they have to have a phrase that many others have."""
    phrase = corpus.queries(1)[0].text.split()[0]
    [shown] = [plan for plan in plans(corpus, mode="lexical", text=f'"{phrase}"') if "kb_revision" in plan]
    assert "kb_chunk_pkey" in shown
    assert "chunk_lexemes" not in shown


@pytest.mark.parametrize(("numbers", "breadth"), [(384, 600), (1_024, 500)])
def test_how_broadly_the_index_is_scanned(space, numbers, breadth):
    space.dimensions = numbers
    assert nearest.centred_breadth(space) == breadth


def test_rows_that_have_a_phrase_are_counted_as_far_as_a_plan_depends_on_it(corpus, monkeypatch):
    """And words are as rare as in all rows."""
    monkeypatch.setattr(lexical, "FEW_ROWS", 100)
    phrase = corpus.queries(1)[0].text.split()[0]
    with transaction.atomic(), CaptureQueriesContext(connection) as captured:
        assert retrieval.search(corpus.user, Query(f'"{phrase}" pump', mode="lexical")).hits
    assert [one for one in captured if "LIMIT 101)" in one["sql"]]


def test_means_are_sent_once(corpus, many_rows):
    """Thousands of numbers each, which change seldom: they stand in the plans that are kept."""
    asked = corpus.queries(2)
    query, again = (Query(one.text, mode="hybrid") for one in asked)
    with measure.answering(corpus, asked), transaction.atomic():
        retrieval.search(corpus.user, query)
        with CaptureQueriesContext(connection) as captured:
            retrieval.search(corpus.user, again)
    embeddings = [len(re.findall(r"'\[[-.\d]", one["sql"])) for one in captured]
    assert max(embeddings) == 1  # that of the query


def test_few_rows_are_all_compared(corpus):
    found = plans(corpus, collections=(corpus.collections["1 %"].slug,))
    assert not any("embedding_hnsw" in plan for plan in found)
    assert not [plan for plan in found if re.search(r"Seq Scan on kb_(chunk|embedding)\b", plan)]


@pytest.mark.parametrize("share", ["10 %", "1 %", "the rest", None])
def test_every_page_is_full_however_little_is_in_scope(corpus, many_rows, share):
    inside = (corpus.collections[share].slug,) if share else ()
    asked = corpus.queries(3)
    rows = Embedding.objects.filter(space=corpus.space)
    there = (rows.filter(collection=corpus.collections[share]) if share else rows).count()
    with measure.answering(corpus, asked):
        for one in asked:
            hits = retrieval.search(
                corpus.user, Query(one.text, inside, limit=100, mode="semantic", folding=False)
            ).hits
            assert len(hits) == min(100, there)


@pytest.mark.parametrize("mode", measure.MODES)
def test_ten_pages_are_of_one_ranking(corpus, many_rows, mode):
    asked = corpus.queries(5)
    with measure.answering(corpus, asked):
        for one in asked:
            whole = retrieval.search(corpus.user, Query(one.text, mode=mode, limit=100)).hits
            by_page = chain.from_iterable(_pages(corpus, Query(one.text, mode=mode), 10))
            assert [hit.citation.id for hit in by_page] == [hit.citation.id for hit in whole]


def _pages(corpus: Corpus, query: Query, count: int) -> Iterator[list[Hit]]:
    for _page in range(count):
        answer = retrieval.search(corpus.user, query)
        yield answer.hits
        if answer.next is None:
            return
        query = replace(query, after=answer.next)


def test_the_index_finds_what_an_exact_search_finds(corpus, monkeypatch):
    asked = corpus.queries(20)
    with measure.answering(corpus, asked):
        exact = [_found(corpus, one.text) for one in asked]
        monkeypatch.setattr(nearest, "ALWAYS_EXACT_ROWS", 0)
        monkeypatch.setattr(nearest, "EXACT_ROWS", 0)
        indexed = [_found(corpus, one.text) for one in asked]
    shared = sum(len({*a} & {*b}) for a, b in zip(exact, indexed, strict=True))
    assert shared >= 0.98 * sum(map(len, exact))


def _found(corpus: Corpus, text: str) -> list[UUID]:
    return [hit.citation.id for hit in retrieval.search(corpus.user, Query(text, mode="semantic", folding=False)).hits]
