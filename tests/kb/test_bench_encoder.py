"""The benchmarks of the encoder's part run, print what they measure and keep nothing; how fast it was is nobody's to
assert."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from embeddings import inference, queries, spaces
from embeddings.models import Space
from kb import ingestion
from kb.benchmarks import goals, texts
from kb.models import Collection, Embedding, EmbeddingWork, User


def bench(*arguments: object) -> str:
    out = StringIO()
    call_command("bench", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_texts_are_of_all_lengths_and_none_is_there_twice():
    tokenizer = spaces.tokenizer()
    found = texts.mixed(200, tokenizer, least=16, most=400)
    assert found == texts.mixed(200, tokenizer, least=16, most=400)
    assert len(set(found)) == 200
    lengths = sorted(tokenizer.count(found))
    assert lengths[20] < 40 < 150 < lengths[-20] <= 400


def test_encode(monkeypatch):
    compile_layers = inference.Model._compile
    # Code of its own would take a minute to make.
    monkeypatch.setattr(inference.Model, "_compile", lambda model, _by, alike: compile_layers(model, "eager", alike))
    figures = json.loads(bench("encode", "--shape", "tiny", "--compiled", "--count", 12, "--rounds", 1, "--json"))
    assert (figures["model"], figures["texts"]) == ("tiny", 12)
    # Four projections of attention, three of the feed-forward part, and the norms: two a layer, two of its heads, one.
    assert figures["flop"] == 2 * (2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128 + 2 * 64 + 2 * 16) + 64)
    assert figures["cosine"] >= 0.9999
    for name in ("seconds", "tokens_a_second", "utilisation"):
        assert set(figures[name]) == {"ours", "compiled", "default", "best"}
    assert set(figures["ratios"]) == set(figures["query"]) == {"ours", "compiled"}
    assert all(ratio > 0 for of_one in figures["ratios"].values() for ratio in of_one.values())
    assert figures["goals"] == {"times_default": 1.3}
    printed = bench("encode", "--shape", "tiny", "--count", 4, "--rounds", 1)
    assert "(goal: 1.3 or more) times the default" in printed
    assert "compiled" not in printed


@pytest.mark.parametrize(
    ("value", "goal", "shown"),
    [(0.712, None, "0.71"), (0.712, 0.7, "0.71 (goal: 0.7 or more)"), (31, 30, "31.00 (goal: 30 or more)")],
)
def test_a_goal_stands_beside_its_figure(value, goal, shown):
    assert goals.at_least(value, goal) == shown
    assert goals.at_most(value, goal) == shown.replace("more", "less")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("measure", "count"), [("pipeline", ("--rounds", 1)), ("query-under-load", ("--asked", 3))])
def test_a_shape_has_a_space_for_as_long_as_it_is_measured(measure, count, space, settings, monkeypatch):
    settings.EMBEDDING_DTYPE = "float32"
    figures = json.loads(bench(measure, "--shape", "tiny", "--count", 12, *count, "--json"))
    assert "goals" in figures
    assert list(Space.objects.all()) == [space]
    assert spaces.configured().pk == space.pk


@pytest.mark.django_db(transaction=True)
def test_pipeline(space, monkeypatch):
    # Other tests leave their thread that answers queries; it takes no passages.
    monkeypatch.setattr(queries, "is_answering", lambda _space_id: False)
    figures = json.loads(bench("pipeline", "--count", 30, "--rounds", 2, "--json"))
    assert (figures["chunks"], set(figures["seconds"])) == (30, {"pipeline", "bare"})
    assert [len(taken) for taken in figures["seconds"].values()] == [2, 2]
    assert figures["of_bare"] > 0
    for model in (User, Collection, Embedding, EmbeddingWork):
        assert not model.objects.exists()


@pytest.mark.django_db
def test_pipeline_is_not_measured_beside_other_work(upload):
    upload("tides.md", "# Tides\n\nThe tide turns.")
    ingestion.read_next()
    with pytest.raises(CommandError, match="nothing wait"):
        bench("pipeline", "--count", 4)


@pytest.mark.django_db
def test_write():
    figures = json.loads(bench("write", "--count", 40, "--dimensions", 64, "--rounds", 1, "--json"))
    assert (figures["rows"], figures["dimensions"]) == (40, 64)
    assert set(figures["seconds"]) == {"ours", "copy", "bulk_create"}
    assert figures["of_copy"] > 0 < figures["times_bulk_create"]
    for model in (User, Collection, Embedding, EmbeddingWork, Space):
        assert not model.objects.exists()


@pytest.mark.django_db
def test_query_under_load(space):
    figures = json.loads(bench("query-under-load", "--count", 20, "--asked", 3, "--json"))
    assert len(figures["under_load"]) == 3
    assert {"micro_batch", "idle", "p50", "p95", "waited"} < set(figures)
