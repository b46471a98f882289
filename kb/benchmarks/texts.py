"""Texts to measure encoders with: of many lengths, in six languages, no two alike."""

import math
import random
from collections.abc import Sequence
from pathlib import Path

from embeddings.encoder import Tokenizer

_CORPUS = Path(__file__).resolve().parents[1] / "demo"


def mixed(count: int, tokenizer: Tokenizer, *, least: int, most: int) -> list[str]:
    """As many texts, the same ones each time, of `least` to `most` tokens: short ones are more frequent, as in
    collections. Made of the demonstration's sentences; each begins with its number, so that none is known before."""
    chance = random.Random(1)  # noqa: S311 - the same texts for everybody are wanted
    sentences = [_sentences(file) for file in sorted(_CORPUS.glob("*.md"))]
    counted = [list(zip(found, tokenizer.count(found), strict=True)) for found in sentences]
    return [
        _text(number, counted[number % len(counted)], _tokens(chance, least, most), chance) for number in range(count)
    ]


def _tokens(chance: random.Random, least: int, most: int) -> float:
    return math.exp(chance.uniform(math.log(least), math.log(most)))


def _sentences(file: Path) -> list[str]:
    return [line for line in file.read_text("utf-8").splitlines() if len(line) > 20]


def _text(number: int, sentences: Sequence[tuple[str, int]], wanted: float, chance: random.Random) -> str:
    """A little shorter than wanted, as a passage is: sentences stay whole where they fit."""
    text, tokens = f"{number}.", 2
    while True:
        sentence, length = chance.choice(sentences)
        if tokens + length > wanted:
            return f"{text} {sentence[: max(1, int(len(sentence) * (wanted - tokens) / length))]}"
        text, tokens = f"{text} {sentence}", tokens + length
