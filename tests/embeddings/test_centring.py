"""Centring by language."""

import numpy as np
import pytest

from embeddings import centring


def means_of(counted: list[tuple[str, int, np.ndarray]]) -> centring.Means:
    found = centring.means([(language, n, mean.astype(np.float32)) for language, n, mean in counted])
    assert found is not None
    return found


def centred(means: centring.Means, embeddings: np.ndarray, languages: list[str]) -> np.ndarray:
    return np.stack([means.centre(one, {spoken: 1.0}) for one, spoken in zip(embeddings, languages, strict=True)])


def unit(*numbers: float) -> np.ndarray:
    vector = np.array(numbers, dtype=np.float32)
    return vector / np.linalg.norm(vector)


def corpus(offset: np.ndarray, topics: np.ndarray) -> np.ndarray:
    """Passages on some topics in one language: the topic, and what all texts of the language have in common."""
    passages = topics + offset
    return passages / np.linalg.norm(passages, axis=1, keepdims=True)


def test_it_finds_the_same_topic_in_the_other_language():
    rng = np.random.default_rng(7)
    topics = rng.normal(size=(40, 32)).astype(np.float32)
    topics /= np.linalg.norm(topics, axis=1, keepdims=True)
    english, chinese = (corpus(1.7 * unit(*rng.normal(size=32)), topics) for _language in range(2))
    means = means_of([("en", 20, english[:20].mean(axis=0)), ("zh", 20, chinese[20:].mean(axis=0))])
    passages, languages = np.vstack([english[:20], chinese[20:]]), ["en"] * 20 + ["zh"] * 20

    def first(queries: np.ndarray, against: np.ndarray) -> list[int]:
        return (queries @ against.T).argmax(axis=1).tolist()

    asked = english[20:]  # asked in English, answered in Chinese
    raw = first(asked, passages)
    balanced = first(centred(means, asked, ["en"] * 20), centred(means, passages, languages))
    right = list(range(20, 40))
    assert sum(a == b for a, b in zip(raw, right, strict=True)) <= 2
    assert sum(a == b for a, b in zip(balanced, right, strict=True)) >= 18


def test_what_is_centred_has_unit_length():
    means = means_of([("en", 5, unit(1, 0, 0) * 0.8), ("de", 5, unit(0, 1, 0) * 0.8)])
    moved = centred(means, np.stack([unit(1, 1, 1), unit(1, 0, 0)]), ["en", "xx"])
    assert np.linalg.norm(moved, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_single_passage_is_not_subtracted_from_itself():
    only = unit(0, 0, 1)
    means = means_of([("en", 100, unit(1, 0, 0) * 0.8), ("th", 1, only)])
    assert float(means.centre(only, {"th": 1.0}) @ only) > 0.5


def test_parts_of_a_scope_weigh_by_their_passages():
    means = means_of([("en", 3, unit(1, 0)), ("en", 1, unit(0, 1)), ("de", 4, unit(0, 1))])
    assert means.overall == pytest.approx([centring.SHARE * 3 / 8, centring.SHARE * 5 / 8])


def test_a_text_that_may_be_in_several_languages_lies_between_their_means():
    means = means_of([("en", 1000, unit(1, 0)), ("de", 1000, unit(0, 1))])
    between = (means.of_language["en"] + means.of_language["de"]) / 2
    assert means.of({"en": 0.4, "de": 0.4, "fr": 0.2}) == pytest.approx(between)
    assert means.of({"fr": 1.0}) == pytest.approx(means.overall)


def test_of_one_language_the_mean_is_that_of_all():
    means = means_of([("en", 3, unit(1, 0)), ("en", 2, unit(0, 1))])
    assert means.of_language["en"] == pytest.approx(means.overall)
    assert centring.means([]) is None
