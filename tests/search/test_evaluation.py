"""`manage.py evaluate --dataset`: a dataset through the product's own ingestion and search, and nothing left of it."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from kb.models import Collection, User
from tests.embeddings import rerankers

pytestmark = pytest.mark.django_db

PARAGRAPHS = {
    "en": [("The moon pulls the sea.", "moon sea"), ("The dinghy has an engine.", "dinghy engine")],
    "de": [("Der Mond zieht das Meer an.", "Mond Meer"), ("Das Boot hat einen Motor.", "Boot Motor")],
}


@pytest.fixture
def dataset(tmp_path: Path, space) -> Path:
    """Two paragraphs in two languages, with a question each that shares words with its own language only."""
    for language, paragraphs in PARAGRAPHS.items():
        contexts = [
            {"context": context, "qas": [{"id": str(key), "question": question}]}
            for key, (context, question) in enumerate(paragraphs)
        ]
        written = {"data": [{"paragraphs": [context]} for context in contexts]}
        (tmp_path / f"xquad.{language}.json").write_text(json.dumps(written), "utf-8")
    return tmp_path


def evaluate(folder: Path, *options: str) -> dict[str, Any]:
    out = StringIO()
    call_command("evaluate", "--dataset", "xquad", str(folder), "--languages", "en,de", *options, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())["results"]
    return found


def test_pairs_are_measured_apart(dataset):
    found = evaluate(dataset, "--pool", "pairs", "--modes", "lexical")["lexical"]["pairs"]
    assert {pair: measured["recall@1"] for pair, measured in found.items()} == {
        "en>en": 1, "de>de": 1, "en>de": 0, "de>en": 0,
    }  # fmt: skip


def test_in_a_parallel_pool_every_language_answers(dataset):
    found = evaluate(dataset, "--pool", "parallel", "--modes", "semantic", "--exact")
    assert set(found) == {"semantic", "exact in memory"}
    for measured in found.values():
        assert set(measured["pairs"]) == {"en>all", "de>all"}
        assert measured["all"]["recall@1"] == 0.5  # one of the two that answer stands first
        assert measured["all"]["recall@5"] == 1
        assert measured["all"]["map"] > 0.5


def test_nothing_is_left_of_it(dataset):
    evaluate(dataset, "--pool", "each", "--modes", "hybrid")
    assert not Collection.objects.exists()
    assert not User.objects.exists()


@pytest.mark.parametrize("asked", [("squad", "."), ("xquad", "/nowhere")])
def test_what_is_not_there_is_said(space, asked):
    with pytest.raises(CommandError):
        call_command("evaluate", "--dataset", *asked)


def test_a_way_that_is_not_known_is_refused_before_anything_is_loaded(space):
    with pytest.raises(CommandError, match=r"'hybird'; there are hybrid, semantic, lexical"):
        call_command("evaluate", "--dataset", "xquad", "/nowhere", "--modes", "semantic,hybird")


def test_classes_of_query_are_compared(dataset):
    named = {"data": [{"paragraphs": [{"context": "They met Ada Lovelace there.", "qas": []}]}]}
    for language in PARAGRAPHS:
        path = dataset / f"xquad.{language}.json"
        data = json.loads(path.read_text("utf-8"))["data"]
        path.write_text(json.dumps({"data": data + named["data"]}), "utf-8")
    found = evaluate(dataset, "--classes", "--questions", "3")
    assert set(found) == {"same language", "across languages", "codes", "names"}
    assert found["names"]["queries"] == 1
    assert found["names"]["lexical"] == found["codes"]["lexical"] == found["same language"]["hybrid"] == 1
    assert found["codes"]["hybrid / semantic"] >= 1


def test_a_class_without_a_query_is_left_out(dataset):
    assert set(evaluate(dataset, "--classes", "--languages", "en")) == {"same language", "codes"}


def test_a_class_in_which_meaning_finds_nothing_is_compared_with_nothing(tmp_path, space):
    contexts = [{"context": f"The moon and the sea: {name}.", "qas": []} for name in "abcdefghijk"]
    unlike = {"context": "Boats are in the harbour.", "qas": [{"id": "0", "question": "the moon and the sea"}]}
    written = {"data": [{"paragraphs": [context]} for context in (*contexts, unlike)]}
    (tmp_path / "xquad.en.json").write_text(json.dumps(written), "utf-8")
    found = evaluate(tmp_path, "--classes", "--languages", "en")["same language"]
    assert found == {"queries": 1, "hybrid": 0, "semantic": 0, "lexical": 0}


def test_no_question_is_refused(dataset):
    with pytest.raises(CommandError, match="one question"):
        evaluate(dataset, "--questions", "0")


def test_classes_are_of_a_dataset(space):
    with pytest.raises(CommandError):
        call_command("evaluate", "--classes", "--collection", "any")


def test_with_a_reranker_both_orders_are_measured(dataset, settings, tmp_path):
    settings.RERANKER_MODEL = str(rerankers.write_bert(tmp_path / "reranker"))
    found = evaluate(dataset, "--pool", "parallel", "--modes", "hybrid", "--rerank")
    assert set(found) == {"hybrid", "hybrid, reranked"}
    assert found["hybrid"]["all"]["recall@5"] == found["hybrid, reranked"]["all"]["recall@5"] == 1


def test_without_one_there_is_no_such_order(dataset):
    with pytest.raises(CommandError, match="no reranker"):
        evaluate(dataset, "--rerank")
