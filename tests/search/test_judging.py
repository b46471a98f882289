"""What a ranking is worth by the judgements of its golden query."""

from dataclasses import replace

import pytest
from django.core.files.base import ContentFile

from kb import ingestion
from kb.models import Chunk, Document, RevisionText
from search import citations, judging
from search.hits import Hit, Scores, Twin
from search.judging import Target
from search.models.golden import Grade
from tests.search.conftest import chunk_with

pytestmark = pytest.mark.django_db


def hit(chunk: Chunk, *, chars: tuple[int, int] | None = None) -> Hit:
    cited = citations.of(chunk)
    cited = replace(cited, chars=chars, id=cited.document_id) if chars else cited
    return Hit(1, 0.5, Scores(0.5, None, 0.5), chunk.text, [], chunk.language, cited)


def gains(query, hits) -> dict[str, tuple[int, ...]]:
    wanted = judging.targets(query)
    return {one.document_language: one.gains for one in judging.judge(query, hits, wanted)}


def test_documents_are_ranked_once_each(notes, golden):
    query = golden("tides", notes["tides"])
    moon, turns, boats = (hit(chunk_with(words)) for words in ("moon pulls", "turns twice", "outboard"))
    assert gains(query, [boats, boats, moon, turns])["all"] == (0, 3)


def test_passages_are_ranked_where_one_was_judged(notes, golden):
    query = golden("what pulls", chunk_with("moon pulls"))
    moon, turns = hit(chunk_with("moon pulls")), hit(chunk_with("turns twice"))
    assert gains(query, [turns, moon])["all"] == (0, 3)


def test_what_does_not_answer_is_no_answer(notes, golden):
    query = golden("what pulls", chunk_with("moon pulls"))
    not_boats = golden("boats?", notes["boats"], grade=Grade.NOT)
    assert len(judging.targets(query)) == 1
    assert judging.targets(not_boats) == []


@pytest.mark.parametrize(
    ("found", "holds"),
    [((100, 200), True), ((150, 250), True), ((151, 251), False), ((120, 130), True), ((0, 1000), True),
     ((200, 300), False)],
)  # fmt: skip
def test_a_passage_is_held_when_half_of_the_shorter_is(notes, golden, found, holds):
    chunk = chunk_with("moon pulls")
    query = golden("x")
    target = Target(1, chunk.revision.document_id, (100, 200), 3, "en")
    [whole, *_] = judging.judge(query, [hit(chunk, chars=found)], [target])
    assert whole.gains == ((3,) if holds else (0,))


def test_a_hit_that_holds_two_passages_is_both(notes, golden):
    chunk = chunk_with("moon pulls")
    document = chunk.revision.document_id
    wanted = [Target(1, document, (100, 200), 3, "en"), Target(2, document, (200, 300), 1, "en")]
    [whole, *_] = judging.judge(golden("x"), [hit(chunk, chars=(100, 300))], wanted)
    assert (whole.gains, whole.ideal) == ((3, 1), (3, 1))


def test_a_hit_stands_for_those_that_say_the_same(notes, golden):
    turns, moon = chunk_with("turns twice"), chunk_with("moon pulls")
    folded = Twin(moon.revision.document_id, (moon.start, moon.end))
    found = [replace(hit(turns), twins=(folded,)), hit(chunk_with("outboard"))]
    assert gains(golden("what pulls", moon), found)["all"] == (3, 0)
    assert gains(golden("tides", notes["tides"]), found)["all"] == (3, 0)


def test_languages_are_not_in_each_others_way(notes, golden):
    query = golden("holidays", notes["tides"], notes["leave"])
    found = gains(query, [hit(chunk_with(words)) for words in ("outboard", "turns", "年假")])
    assert found == {"all": (0, 3, 3), "en": (0, 3), "zh": (0, 3)}


class TestAfterANewRevision:
    def revise(self, document: Document, alice, work, text: str) -> None:
        ingestion.receive_revision(document, ContentFile(text.encode()), "tides.md", user=alice)
        work()

    def test_a_passage_is_found_by_its_words(self, notes, golden, alice, work):
        judged = chunk_with("moon pulls")
        query = golden("what pulls", judged)
        self.revise(notes["tides"], alice, work, f"# 潮汐\n\n新的一段，在前面。\n\n{judged.text}\n")
        [target] = judging.targets(query)
        start, end = target.chars or (0, 0)
        live = RevisionText.objects.get(revision=chunk_with("moon pulls").revision)
        assert start != judged.start
        assert live.text[start:end] == judged.text

    def test_it_is_found_by_most_of_its_words(self, notes, golden, alice, work):
        query = golden("what pulls", chunk_with("moon pulls"))
        self.revise(
            notes["tides"], alice, work, "# Tides\n\nNew.\n\n## The moon\n\nThe moon  pulls the seas towards it.\n"
        )
        assert gains(query, [hit(chunk_with("seas"))])["all"] == (3,)
        assert judging.changes(query) == judging.Changes(frozenset(), frozenset({query.judgements.get().pk}))

    def test_what_is_gone_answers_no_more(self, notes, golden, alice, work):
        query = golden("what pulls", chunk_with("moon pulls"), chunk_with("turns twice"))
        self.revise(notes["tides"], alice, work, "# Tides\n\nAll is new.\n")
        assert judging.targets(query) == []
        assert judging.changes(query).gone == {one.pk for one in query.judgements.all()}

    def test_what_was_judged_besides_answers_still(self, notes, golden, alice, work):
        query = golden("what pulls", chunk_with("moon pulls"), notes["tides"], chunk_with("outboard"))
        self.revise(notes["tides"], alice, work, "# Tides\n\nAll is new.\n")
        wanted = {(one.document_id, one.chars) for one in judging.targets(query)}
        boats = chunk_with("outboard")
        assert wanted == {(notes["tides"].pk, None), (notes["boats"].pk, (boats.start, boats.end))}

    def test_split_anew_it_is_the_same_place(self, notes, golden, collection, work):
        query = golden("what pulls", chunk_with("moon pulls"))
        [before] = judging.targets(query)
        type(collection).objects.filter(pk=collection.pk).update(chunk_target=32, chunk_maximum=32)
        ingestion.reindex(notes["tides"])
        work()
        [after] = judging.targets(query)
        assert after.chars == before.chars


def test_a_deleted_document_takes_its_judgements_along(notes, golden):
    query = golden("tides", notes["tides"], chunk_with("outboard"))
    ingestion.remove(Document.objects.filter(pk=notes["tides"].pk))
    assert [one.document_id for one in query.judgements.all()] == [notes["boats"].pk]
