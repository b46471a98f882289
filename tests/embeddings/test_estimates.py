"""The estimate of tokens, beside the tokenizer of the encoder that comes with the install."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embeddings import estimates, spaces, tokens
from embeddings.encoder import EncoderError
from embeddings.estimates import EstimatingTokenizer
from tests.embeddings import sentences

DEMO = Path(__file__).parents[2] / "kb" / "demo"
WINDOW = 400


def _passages(text: str) -> list[str]:
    return [text[start : start + WINDOW] for start in range(0, len(text) - WINDOW, WINDOW)]


@pytest.mark.parametrize("language", sorted(sentences.SENTENCES))
def test_no_passage_is_larger_than_its_estimate(bundled_folder: Path, language: str) -> None:
    passage = " ".join(sentences.SENTENCES[language])
    assert EstimatingTokenizer("passage: ").count([passage]) >= tokens.load(bundled_folder).count([passage])


def test_no_passage_of_the_demonstration_is(bundled_folder: Path) -> None:
    passages = [passage for path in sorted(DEMO.glob("*.md")) for passage in _passages(path.read_text("utf-8"))]
    estimated = EstimatingTokenizer("passage: ").count(passages)
    counted = tokens.load(bundled_folder).count(passages)
    assert len(passages) > 20
    assert all(about >= exactly for about, exactly in zip(estimated, counted, strict=True))


def test_a_letter_of_a_rarer_script_says_nothing_of_what_follows() -> None:
    english = " the tides of the northern pier are measured every ten minutes"
    rarer, plain, both = EstimatingTokenizer().count(["नमस्ते", english, f"नमस्ते{english}"])
    assert both == rarer + plain - estimates.SPECIAL_TOKENS


@given(st.text(max_size=200))
def test_offsets_are_in_order_and_as_many_as_counted(text: str) -> None:
    tokenizer = EstimatingTokenizer()
    offsets = list(tokenizer.offsets(text))
    assert offsets == sorted(offsets)
    assert all(0 <= start < end <= len(text) for start, end in offsets)
    assert tokenizer.count([text]) == [len(offsets) + estimates.SPECIAL_TOKENS]
    assert {at for start, end in offsets for at in range(start, end)} >= {
        at for at, character in enumerate(text) if not character.isspace()
    }


def test_the_settings_choose_it(settings, bundled_folder: Path, tmp_path: Path) -> None:
    choose = spaces.tokenizer.__wrapped__
    settings.EMBEDDING_TOKENIZER = "estimate"
    assert isinstance(choose(), EstimatingTokenizer)
    settings.EMBEDDING_TOKENIZER = str(bundled_folder)
    assert choose().count(["Hello"]) == [3]
    settings.EMBEDDING_TOKENIZER = str(tmp_path)
    with pytest.raises(EncoderError, match=r"no tokenizer\.json"):
        choose()
