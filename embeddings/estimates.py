"""A careful estimate of tokens, for an encoder elsewhere whose tokenizer is not at hand.

Rates are tokens a character, by script, above what the tokenizers of XLM-RoBERTa (e5, bge-m3), Qwen and OpenAI
(cl100k_base) take of ordinary text in it, so that what is cut by the estimate fits the encoder. It errs on the large
side: passages come out smaller than asked for, by a third in English and Chinese, by more in scripts that only some
tokenizers know well. docs/decisions.md has the figures.
"""

import math
from collections.abc import Iterator, Sequence

import regex

NAME = "estimate"
"""What the settings call it."""

SPECIAL_TOKENS = 4
"""Room for what encoders put around a text."""

_RATES = {
    "[a-zA-Z]": 0.28,
    "[\\p{Latin}\\p{M}]": 0.8,
    "[А-яЁё]": 0.42,
    "\\p{Cyrillic}": 2.0,
    "[\\p{Han}々〆]": 1.2,
    "[\\p{Hiragana}\\p{Katakana}ー]": 1.0,
    "\\p{Hangul}": 1.3,
    "[\\p{Thai}\\p{Lao}]": 1.1,
    "\\p{Arabic}": 1.0,
    "[\\p{Hebrew}\\p{Greek}]": 1.2,
    "\\p{N}": 1.0,
    "\n": 1.0,
    "\\s": 0.0,
    "[^\\p{L}\\p{M}]": 1.0,
    "[\\p{L}\\p{M}]": 2.3,
}
"""Kinds of characters, and tokens a character of a run of them; the first kind that fits."""

_RUN = regex.compile("|".join(f"(?P<r{number}>{kind}++)" for number, kind in enumerate(_RATES)), regex.DOTALL)
_OF_GROUP = {f"r{number}": rate for number, rate in enumerate(_RATES.values())}


class EstimatingTokenizer:
    """See encoder.Tokenizer. `passage_prompt` is what the encoder puts in front of each passage."""

    def __init__(self, passage_prompt: str = "") -> None:
        self._extra = SPECIAL_TOKENS + _tokens_in(passage_prompt)

    def offsets(self, text: str) -> Iterator[tuple[int, int]]:
        """See encoder.Tokenizer. Each run of characters is cut evenly."""
        for run in _RUN.finditer(text):
            count, start, length = _tokens_of(run), run.start(), run.end() - run.start()
            for number in range(count):
                at = number * length // count
                yield start + at, start + max(at + 1, (number + 1) * length // count)

    def count(self, texts: Sequence[str]) -> list[int]:
        """See encoder.Tokenizer."""
        return [self._extra + _tokens_in(text) for text in texts]


def _tokens_in(text: str) -> int:
    return sum(_tokens_of(run) for run in _RUN.finditer(text))


def _tokens_of(run: regex.Match[str]) -> int:
    return math.ceil((run.end() - run.start()) * _OF_GROUP[run.lastgroup or ""])
