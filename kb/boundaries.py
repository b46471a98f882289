"""Where a text may be cut: between lines, sentences, words; never within a character as people see it."""

import heapq
from collections.abc import Iterator
from functools import cache
from itertools import takewhile

import budoux
import regex
import sentencex

_WINDOW = 4_000
"""Characters given to the sentence splitter at a time: without spaces its time grows with their square."""

_MISSED = regex.compile(
    r"""[。！？…؟۔।]++[」』”’"）》】]*+\s*+  # ends in scripts that put no space behind them, and what closes there
    | [.!?]++[)\]]++\s++(?=\p{Lu})
    | [!?]{2,}+\s++(?=\p{Lu})
    | (?<=\p{Thai})[ ]++(?=\p{Thai})  # in Thai a space is the only stop
    """,
    regex.VERBOSE,
)
"""Ends of sentences that the splitter misses."""

_WRONG = regex.compile(
    r"""(?=[—–-]?\s*+\p{Ll})  # a sentence does not begin with a small letter
    | (?<=\.)(?=\p{L})  # nor within a name: ASP.NET
    | (?<=(?:^|[\s("«„“])\p{L}\p{M}{0,4}\.\s{1,3})  # nor behind an initial: M. Dupont
    | (?<=[」』”"])(?=と|って|\p{Hangul})  # nor between what is quoted and who says it
    | (?<=。)(?=[^「『]{0,60}[」』](?:と|って))
    """,
    regex.VERBOSE,
)
"""Where the splitter finds an end and there is none."""

_ORDINAL = regex.compile(r"(?<=(?<!\p{N})\p{N}{1,2}\.\s{1,3})")
"""Behind an ordinal number: 19. Jahrhundert."""
_WITH_ORDINALS = frozenset(("de", "da", "no", "nn", "fi", "is", "et", "cs", "sk", "sl", "hr", "pl", "hu"))

_CONTEXT = 60
"""Characters on which the word splitter decides; more change nothing near the cut."""

_CHARACTER = regex.compile(r"\X")
_PLAIN = regex.compile(r"\p{GCB=Other}{2}")
"""Nothing joins two of these (Unicode Standard Annex 29, rule GB999): nearly all letters of all scripts are such."""

_CHARACTER_MOST = 64
"""How far back a character is looked for that the cut may lie in. Longer ones are stacks of accents nobody reads."""

# A cut after the punctuation of scripts without spaces, or at white space.
_PAUSE = regex.compile(r"(?<=[、，；：。！？…」』】》）])|(?=\s)")
_PARSERS = {
    "Thai": budoux.load_default_thai_parser,
    "Kana": budoux.load_default_japanese_parser,
    "Han": budoux.load_default_simplified_chinese_parser,
}
_UNSPACED = regex.compile(r"(?P<Thai>\p{Thai})|(?P<Kana>[\p{Hiragana}\p{Katakana}ー])|(?P<Han>\p{Han})")


def lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The lines of text[start:end], each with its end, covering it in order."""
    while start < end:
        at = text.find("\n", start, end)
        following = end if at < 0 else at + 1
        yield start, following
        start = following


def sentences(text: str, start: int, end: int, *, language: str) -> Iterator[tuple[int, int]]:
    """The sentences of text[start:end], white space behind them included, covering it in order."""
    begun = start
    missed = (found.end() for found in _MISSED.finditer(text, start, end))
    for cut in heapq.merge(missed, _sentence_ends(text, start, end, language=language)):
        if begun < cut < end and _is_sentence_end(text, cut, language) and is_between_characters(text, cut):
            yield begun, cut
            begun = cut
    if begun < end:
        yield begun, end


def cut_before(text: str, start: int, limit: int) -> int:
    """The best place in (start, limit] to cut a text that goes on behind `limit`: the last pause in its second half,
    else between words, else between characters."""
    middle = start + (limit - start) // 2
    for cut in _latest_first(_pauses(text, middle, limit), _word_ends(text, middle, limit)):
        if middle < cut <= limit and is_between_characters(text, cut):
            return cut
    return _character_before(text, start, limit)


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The range without white space at its ends, no character cut in two."""
    while start < end and text[start].isspace() and is_between_characters(text, start + 1):
        start += 1
    while start < end and text[end - 1].isspace() and is_between_characters(text, end - 1):
        end -= 1
    return start, end


def is_between_characters(text: str, at: int) -> bool:
    """Whether a cut here leaves every character whole: letter and accents, an emoji of several, a flag."""
    if at <= 0 or at >= len(text) or _PLAIN.fullmatch(text, at - 1, at + 1):
        return True
    return at in _character_ends(text, max(0, at - _CHARACTER_MOST), at)


def _sentence_ends(text: str, start: int, end: int, *, language: str) -> Iterator[int]:
    while start < end:
        limit = min(start + _WINDOW, end)
        found = sentencex.get_sentence_boundaries(language, text[start:limit])
        ends = [start + int(sentence["end_index"]) for sentence in found]
        if limit < end:
            ends = ends[:-1]  # the last one may go on behind the window
        yield from ends
        start = ends[-1] if ends and ends[-1] > start else limit


def _is_sentence_end(text: str, cut: int, language: str) -> bool:
    if _WRONG.match(text, cut):
        return False
    return language not in _WITH_ORDINALS or not _ORDINAL.match(text, cut)


def _latest_first(*cuts: list[int]) -> Iterator[int]:
    for found in cuts:
        yield from reversed(found)


def _pauses(text: str, middle: int, limit: int) -> list[int]:
    return [pause.start() for pause in _PAUSE.finditer(text, middle, limit + 1)]


def _word_ends(text: str, middle: int, limit: int) -> list[int]:
    """Ends of words near the limit in a script that has no spaces. Empty for others."""
    first = max(middle, limit - _CONTEXT)
    context = text[first : limit + _CONTEXT // 4]
    scripts = {found.lastgroup for found in _UNSPACED.finditer(context)}
    name = next((name for name in _PARSERS if name in scripts), None)
    if name is None:
        return []
    ends = []
    for word in _parser(name).parse(context):
        first += len(word)
        ends.append(first)
    return ends


@cache
def _parser(name: str) -> budoux.parser.Parser:
    return _PARSERS[name]()


def _character_before(text: str, start: int, limit: int) -> int:
    """The last end of a character in (start, limit]; `limit` where there is none: it has to be cut somewhere."""
    ends = _character_ends(text, max(start, limit - _CHARACTER_MOST), limit)
    return ends[-1] if ends else limit


def _character_ends(text: str, start: int, limit: int) -> list[int]:
    """The ends in (start, limit] of the characters from `start` on."""
    ends = (character.end() for character in _CHARACTER.finditer(text, start))
    return list(takewhile(lambda end: end <= limit, ends))
