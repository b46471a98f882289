"""The words of a text as lexical search sees them: in every script, without a dictionary.

Scripts that put spaces between words give words; Chinese, Japanese, Korean, Thai, Lao, Khmer and Burmese give
overlapping pairs of characters, so that any word of two characters or more is found wherever it stands, and the last
character by itself, so that each is the beginning of a lexeme and words of one character are found too. Codes and part
numbers (KB-2041/7) are kept whole beside their parts. Where a language has stems, those of its words stand beside them.
The same functions serve passages and queries, so the two agree.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, pairwise
from operator import add
from typing import Any

import regex

from kb import stems

LEXEME_LIMIT = 60
"""Characters of one lexeme: longer ones (hashes, base64) are cut. Postgres allows 2,046 bytes."""

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー々〆"
_LETTERS = rf"[\p{{L}}\p{{M}}\p{{N}}--[{_UNSPACED}]]"
# Each character belongs to one token, whatever follows it: the time to find them grows with the text and no faster.
_TOKEN = regex.compile(
    rf"(?P<unspaced>[{_UNSPACED}][{_UNSPACED}\p{{M}}]*+)|(?P<run>{_LETTERS}++(?:[-/._]{_LETTERS}++)*+)", regex.V1
)
# In a text of Latin letters alone this finds the same, in a quarter of the time.
_LATIN_TOKEN = re.compile(r"(?P<unspaced>(?!))?(?P<run>[^\W_]++(?:[-/._][^\W_]++)*+)")
_BEYOND_LATIN = re.compile("[^\0-\u02ff\u2000-\u206f]")  # besides Latin, punctuation
_PART = regex.compile(r"[\p{L}\p{M}\p{N}]++")
_QUOTED = regex.compile(r"'([^']*)'")
_ONE_UNSPACED = regex.compile(rf"[{_UNSPACED}]", regex.V1)
_DIGIT = regex.compile(r"\p{Nd}")
_CODE = regex.compile(r"(?:^|[-/._])[\p{Latin}\p{Greek}\p{Cyrillic}].*\p{Nd}|(?:\p{Nd}++[^\p{L}\p{N}]++){2}\p{Nd}")
_NO_CODE = regex.compile(
    r"\p{L}{3,}-(?:1[5-9]|20)\p{Nd}\p{Nd}\p{L}*|\p{Nd}{1,3}(?:\.\p{Nd}{3})+"
)  # mid-1990s, 1.000.000
# What a language glues to a code: an article in front in Arabic and Hebrew, a word or an ending behind it elsewhere.
_GLUED = regex.compile(r"^[\p{Arabic}\p{Hebrew}]++-?(?=\p{Latin})|(?<=\p{Nd})(?:[-/._]\p{L}{2,}+)++$")


def normalize(text: str) -> str:
    """Compatibility forms and case folded, accents and Arabic vowel marks dropped: é as e, Ａ as a, ﬁ as fi."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    for character in set(decomposed):  # some hundred different ones, in a text of thousands
        if unicodedata.combining(character) and _droppable(character):
            decomposed = decomposed.replace(character, "")
    return unicodedata.normalize("NFC", decomposed)


def lexemes(text: str) -> list[str]:
    """The lexemes of a text, in order, repeated as often as they occur."""
    found: list[str] = []
    folded = normalize(text)
    for unspaced, run in _tokens(folded).findall(folded):
        if unspaced:
            found += _pairs(unspaced)
        elif run.isalnum():
            found.append(run[:LEXEME_LIMIT])
        else:
            found += _parts(run)
    return found


def query_lexemes(query: str, *, limit: int = 32) -> list[str]:
    """The different lexemes of a query, in order; the first `limit` of them, codes before all others, and each code
    also without what is glued to it. Of an unspaced run only its pairs: what stands behind its last character in a
    passage is not known."""
    found = list(dict.fromkeys(chain.from_iterable(_and_bare(lexeme) for _position, lexeme in _positioned(query))))
    kept = set(found if len(found) <= limit else sorted(found, key=is_code, reverse=True)[:limit])
    return [lexeme for lexeme in found if lexeme in kept]


def stemmed(text: str, language: str) -> dict[str, str]:
    """The stem of each word of a text in this language, by the word's lexeme."""
    folded = stems.fold(text)
    runs = [run for unspaced, run in _tokens(folded).findall(folded) if not unspaced]
    words = dict.fromkeys(part for run in runs for part in ((run,) if run.isalnum() else _PART.findall(run)))
    found = stems.of(words, language)
    return {normalize(word)[:LEXEME_LIMIT]: normalize(stem)[:LEXEME_LIMIT] for word, stem in found.items()}


def is_code(lexeme: str) -> bool:
    """Whether it is a code, a part number, a version, the number of a paragraph: letters with a digit behind them
    (KB-2041/7, A380, x.25), or three numbers (5.3.2). 1990s, mid-1990s, 20th, 2.5 and 1.000.000 are none."""
    return _CODE.search(lexeme) is not None and _NO_CODE.fullmatch(lexeme) is None


def tsquery(lexeme: str) -> str:
    """What finds a lexeme of a query: one character of an unspaced script also where others follow."""
    return f"{quote(lexeme)}:*" if len(lexeme) == 1 and _ONE_UNSPACED.match(lexeme) else quote(lexeme)


def of_tsquery(phrase: str) -> list[str]:
    """The lexemes of a tsquery that `phrase` or `tsquery` made. None of them holds a quote."""
    return _QUOTED.findall(phrase)


def phrase(text: str) -> str:
    """A tsquery for these words in this order, side by side; empty where there are none."""
    found = list(_positioned(text))
    steps = [f"<{after - before}>" for (before, _), (after, _) in pairwise(found)]
    return " ".join(f"{step} {tsquery(lexeme)}" for step, (_, lexeme) in zip(["", *steps], found, strict=False)).strip()


def tsvector(text: str, language: str) -> str:
    """The lexemes of a text with their positions and the stems of its words without, as Postgres writes a tsvector. It
    has none with a character that would have to be quoted; positions beyond what a tsvector can hold Postgres brings
    within its limits itself. A bare mark says that stems were looked for."""
    positions: dict[str, str] = {}
    for position, lexeme in enumerate(lexemes(text), start=1):
        before = positions.get(lexeme)
        positions[lexeme] = f"{before},{position}" if before else f"'{lexeme}':{position}"
    found = {stems.MARK, *stemmed(text, language).values()} if language in stems.LANGUAGES else ()
    return " ".join([*positions.values(), *(f"'{stem}'" for stem in found)])


def spans(text: str, wanted: set[str], language: str) -> list[tuple[int, int]]:
    """The character ranges of `text`, which is in this language, in which one of the wanted lexemes stands, or a word
    with a wanted stem, joined where they touch."""
    by_stem = language if any(lexeme.startswith(stems.MARK) for lexeme in wanted) else ""
    found: list[tuple[int, int]] = []
    for start, end in _matches(text, wanted, by_stem):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def quote(lexeme: str) -> str:
    """A lexeme as it stands in the text form of a tsvector or tsquery."""
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"


def _tokens(text: str) -> Any:
    """What finds the tokens of this text."""
    return _TOKEN if _BEYOND_LATIN.search(text) else _LATIN_TOKEN


def _pairs(run: str) -> Iterator[str]:
    """Each character with the one behind it; the last one alone."""
    return chain(map(add, run, run[1:]), (run[-1],))


def _positioned(query: str) -> Iterator[tuple[int, str]]:
    """The lexemes of a query with their positions, without those of last characters that belong to a pair."""
    position = 0
    for token in _TOKEN.finditer(normalize(query)):
        found = lexemes(token[0])
        is_run = token["unspaced"] is not None and len(found) > 1
        yield from enumerate(found[:-1] if is_run else found, start=position)
        position += len(found)


def _droppable(mark: str) -> bool:
    """Latin, Greek and Cyrillic accents and Arabic and Hebrew points; not the vowel signs of Thai or Devanagari, nor
    the voicing marks of kana, which make other words."""
    return not 0x0900 <= ord(mark) <= 0x0FFF and ord(mark) not in (0x3099, 0x309A)


def _parts(run: str) -> list[str]:
    """What is found of words with marks, or with signs between them: each part, a code as a whole too."""
    parts = [part[:LEXEME_LIMIT] for part in _PART.findall(run)]
    return [run[:LEXEME_LIMIT], *parts] if _is_one_name(run) else parts


def _and_bare(lexeme: str) -> tuple[str, ...]:
    bare = _GLUED.sub("", lexeme)
    return (lexeme, bare) if bare != lexeme and is_code(bare) else (lexeme,)


def _is_one_name(run: str) -> bool:
    """Whether parts joined by - / . or _ are one name: they are when there is a digit among them, as in KB-2041/7."""
    return len(run) > 1 and not run.isalnum() and _DIGIT.search(run) is not None and len(_PART.findall(run)) > 1


def _matches(text: str, wanted: set[str], language: str) -> Iterator[tuple[int, int]]:
    """Whole tokens, and pairs of characters in unspaced scripts, on the text as it is: folding may change lengths."""
    if not wanted:
        return
    for token in _tokens(text).finditer(text):
        start, end = token.span()
        if token["unspaced"]:
            yield from _matching_pairs(text, start, end, wanted)
        elif not wanted.isdisjoint(_names(token[0], language)):
            yield start, end
        elif not (token[0].isascii() and token[0].isalnum()):  # such a word has no parts
            parts = _PART.finditer(text, start, end)
            yield from (part.span() for part in parts if not wanted.isdisjoint(_names_of_part(part[0], language)))


def _matching_pairs(text: str, start: int, end: int, wanted: set[str]) -> Iterator[tuple[int, int]]:
    for at in range(start, end):
        if at + 1 < end and _folded(text[at : at + 2]) in wanted:
            yield at, at + 2
        elif _folded(text[at]) in wanted:
            yield at, at + 1


# The same few thousand words make up most of what is shown: to fold and stem them each time took half of all
# highlighting.
_folded = lru_cache(maxsize=16_384)(normalize)


@lru_cache(maxsize=32_768)
def _names(token: str, language: str) -> tuple[str, ...]:
    """What a token of a passage is found by as a whole: its lexeme, and its stem where it is one word."""
    return _folded(token)[:LEXEME_LIMIT], *(stemmed(token, language).values() if token.isalnum() else ())


@lru_cache(maxsize=16_384)
def _names_of_part(part: str, language: str) -> tuple[str, ...]:
    return *lexemes(part), *stemmed(part, language).values()
