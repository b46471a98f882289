"""Which language a text is in, by its script first and by its words where a script has several languages."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import cache, lru_cache
from types import MappingProxyType

import py3langid
import regex

UNKNOWN = "und"
"""ISO 639-2 for "undetermined": no letters, or a script we do not know."""

_SAMPLE = 400
"""Characters that are looked at; more make no answer better (docs/decisions.md)."""

_OF_SCRIPT = {
    "Thai": "th",
    "Lao": "lo",
    "Khmer": "km",
    "Myanmar": "my",
    "Tibetan": "bo",
    "Hangul": "ko",
    "Greek": "el",
    "Hebrew": "he",
    "Armenian": "hy",
    "Georgian": "ka",
    "Bengali": "bn",
    "Tamil": "ta",
    "Telugu": "te",
    "Kannada": "kn",
    "Malayalam": "ml",
    "Gujarati": "gu",
    "Gurmukhi": "pa",
    "Oriya": "or",
    "Sinhala": "si",
    "Ethiopic": "am",
}
_SHARED = {
    "Cyrillic": frozenset(("ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "mn", "tg", "tt", "ba")),
    "Arabic": frozenset(("ar", "fa", "ur", "ps", "ug", "sdh")),
    "Devanagari": frozenset(("hi", "mr", "ne", "sa")),
}
# fmt: off
# Rare relatives of these win on short texts and are seldom right, so they are not asked for.
LATIN = frozenset((
    "en", "de", "es", "fr", "it", "pt", "nl", "sv", "no", "nn", "da", "fi", "is", "et", "lv", "lt",
    "pl", "cs", "sk", "sl", "hr", "bs", "sq", "ro", "hu", "tr", "az", "uz", "ca", "gl", "eu", "ga",
    "cy", "br", "mt", "la", "eo", "af", "sw", "zu", "xh", "so", "id", "ms", "jv", "tl", "vi", "ht",
    "lb", "fy", "fo", "rw", "yo", "ig", "ha", "mg",
))
# fmt: on

_OWN_LETTERS = {
    "sr": "јљњћђџ",
    "mk": "јљњџѓќѕ",
    "uk": "іїєґ",
    "be": "ўі",
    "kk": "әғқңөұүһі",
    "ky": "ңөү",
    "mn": "өү",
    "tg": "ғӣқӯҳҷ",
    "tt": "әөүҗңһ",
    "ba": "ҙҡңҫүһәө",
}
"""A text with none of these is not in that language, whatever its words resemble: they are among its commonest."""

# How many letters make a word, about, where no spaces say so.
_LETTERS_A_WORD = {"Han": 2, "Hiragana": 2, "Katakana": 2, "Thai": 4, "Lao": 4, "Khmer": 4, "Myanmar": 4, "Tibetan": 4}

_UNCERTAIN = 4
"""So many languages a text may be in at once."""

_UNLIKELY = 0.1
"""What a language is at least beside the likeliest."""

# What most people write in, of the languages that share a script.
# fmt: off
_WIDE = frozenset((
    "en", "es", "pt", "fr", "de", "it", "nl", "pl", "tr", "ro", "sv", "cs", "hu", "id", "vi", "da", "fi", "no",
    "ru", "uk", "ar", "fa", "hi",
))
# fmt: on
_CAUTION, _WIDE_ADVANTAGE = 1.5, 2.0
"""Of few words the identifier is surer than it is right; and it knows nothing of how rare a language is. So its
likelihoods are drawn together, and those of widely written languages raised (measured: docs/decisions.md)."""

_A_PART = 0.4
"""The share of the words of a text that a script has at least for its languages to count: fewer are names."""

_LATIN_TOKEN = regex.compile(r"[\p{Latin}\p{Nd}/._-]++")
_DIGIT = regex.compile(r"\p{Nd}")

_LETTERS_LEAST = 0.3
_KANA_SHARE = 0.1
"""Japanese has this much kana among its letters at least; Chinese that quotes some has less."""

_NAMES = 0.5
"""What a Latin word counts beside those of another script: it is mostly the name of a product."""

_SCRIPTS = ("Latin", "Han", "Hiragana", "Katakana", *_OF_SCRIPT, *_SHARED)
_LENGTH_MARKS = {"Katakana": "ー", "Han": "々〆"}  # letters that Unicode counts to no script
_RUN = "|".join(
    rf"(?P<{script}>[[\p{{{script}}}&&[\p{{L}}\p{{M}}]]{_LENGTH_MARKS.get(script, '')}]+)" for script in _SCRIPTS
)
_RUNS = regex.compile(rf"(?=[\p{{L}}\p{{M}}])(?:{_RUN})", regex.V1)
"""Looking ahead for a letter spares what stands between them a trial of each script: a third of the time."""

_LATIN_WORD = re.compile("[A-Za-z]+")
"""The only runs in ASCII."""


def primary(code: str) -> str:
    """The code of a language without its region: `pt` of `pt-BR`, `zh` of `zh_CN`."""
    return code.lower().replace("_", "-").partition("-")[0]


def identify(text: str) -> str:
    """The primary language code of a text ("en", "zh", "ja"), or "und".

    In a mixed text the language of most words wins, so that names of products do not make a Chinese sentence English.
    """
    runs = _runs(text[:_SAMPLE])
    if not runs:
        return UNKNOWN
    words, kana = _words_of(runs)
    script = max(words, key=lambda name: words[name])
    if script == "Han":
        is_japanese = kana >= _KANA_SHARE * words["Han"] if kana else _is_japanese("".join(runs["Han"]))
        return "ja" if is_japanese else "zh"
    if script == "Latin" and _is_figures(text[:_SAMPLE], runs[script]):
        return UNKNOWN
    return _OF_SCRIPT.get(script) or _by_words(" ".join(runs[script]), _SHARED.get(script, LATIN))


@lru_cache(maxsize=64)  # one query is asked for by its embedding, its stems and its stop words
def chances(text: str) -> Mapping[str, float]:
    """The languages a text of few words may be in with their chances, which add up to 1; the less likely ones are left
    out. Few words of a script with many languages are often several languages at once, and a text in two scripts may
    be in a language of each. Codes are in none."""
    runs = _runs(_LATIN_TOKEN.sub(lambda token: " " if _DIGIT.search(token[0]) else token[0], text[:_SAMPLE]))
    words, kana = _words_of(runs)
    told = {script: count for script, count in words.items() if count >= _A_PART * sum(words.values())}
    found: dict[str, float] = {}
    for script, count in told.items():
        for language, chance in _chances_of(script, runs, kana / count).items():
            found[language] = found.get(language, 0.0) + chance * count / sum(told.values())
    return MappingProxyType(found or {UNKNOWN: 1.0})


def _runs(text: str) -> dict[str, list[str]]:
    """The letters of each script in it, in runs of those that stand together."""
    if text.isascii():
        words = _LATIN_WORD.findall(text)
        return {"Latin": words} if words else {}
    runs: dict[str, list[str]] = {}
    for run in _RUNS.finditer(text):
        runs.setdefault(run.lastgroup or "", []).append(run.group())
    return runs


def _words_of(runs: dict[str, list[str]]) -> tuple[dict[str, float], float]:
    """How many words there are of each script, kana counted as Han; and how many are kana."""
    words = {script: _words(script, found) for script, found in runs.items()}
    kana = words.pop("Hiragana", 0) + words.pop("Katakana", 0)
    if kana:
        words["Han"] = words.get("Han", 0) + kana
    return words, kana


def _chances_of(script: str, runs: dict[str, list[str]], kana: float) -> dict[str, float]:
    """The languages that the words of this script may be in. `kana` is their share of them."""
    if script in _OF_SCRIPT:
        return {_OF_SCRIPT[script]: 1.0}
    if script == "Han":
        return {"ja" if kana >= _KANA_SHARE else "zh": 1.0} if kana else _of_characters("".join(runs["Han"]))
    scores = [
        (score / _CAUTION + (_WIDE_ADVANTAGE if language in _WIDE else 0.0), language)
        for language, score in _ranked(" ".join(runs[script]), _SHARED.get(script, LATIN))
    ]
    likely = sorted(scores, reverse=True)[:_UNCERTAIN]
    weights = {language: math.exp(score - likely[0][0]) for score, language in likely}
    weights = {language: weight for language, weight in weights.items() if weight >= _UNLIKELY}
    return {language: weight / sum(weights.values()) for language, weight in weights.items()} or {UNKNOWN: 1.0}


def _of_characters(characters: str) -> dict[str, float]:
    """Chinese, Japanese, or both where the standards of both countries have all of these characters."""
    have_all = frozenset.intersection(*map(_written_in, characters))
    if "shift_jis" in have_all and len(have_all) > 1:
        return {"zh": 0.5, "ja": 0.5}
    is_japanese = have_all == {"shift_jis"} or _is_japanese(characters)
    return {"ja" if is_japanese else "zh": 1.0}


def _is_figures(text: str, runs: list[str]) -> bool:
    """Whether it is a table of figures and codes: the few letters in it are in no language."""
    return sum(map(len, runs)) < _LETTERS_LEAST * len("".join(text.split()))


def _words(script: str, runs: list[str]) -> float:
    if script == "Latin":
        return _NAMES * len(runs)
    letters = _LETTERS_A_WORD.get(script)
    return len(runs) if letters is None else sum(map(len, runs)) / letters


def _is_japanese(characters: str) -> bool:
    """Whether more of these characters are written in Japan alone (気, 験, 庁) than in China alone."""
    standards: Counter[frozenset[str]] = Counter()
    for character, times in Counter(characters).items():
        standards[_written_in(character)] += times
    in_china_alone = sum(count for found, count in standards.items() if found and "shift_jis" not in found)
    return standards[frozenset(("shift_jis",))] > in_china_alone


@cache
def _written_in(character: str) -> frozenset[str]:
    """The national standards that have a character: Japan's, China's, Taiwan's."""
    return frozenset(name for name in ("shift_jis", "gb2312", "big5") if character.encode(name, "ignore"))


def _by_words(text: str, choices: frozenset[str]) -> str:
    """The likeliest language. To ask for it alone takes two thirds of the time of ranking all, and mostly it may be."""
    letters = set(text.lower())
    likeliest = str(py3langid.classify(text)[0])
    if _may_be(likeliest, letters, choices):
        return likeliest
    return next((language for language, _score in _ranked(text, choices)), UNKNOWN)


def _ranked(text: str, choices: frozenset[str]) -> Iterator[tuple[str, float]]:
    """The languages it may be in, the likeliest first, each with the logarithm of its likelihood."""
    letters = set(text.lower())
    for language, score in py3langid.rank(text):
        if _may_be(str(language), letters, choices):
            yield str(language), float(score)


def _may_be(language: str, letters: AbstractSet[str], choices: frozenset[str]) -> bool:
    own = _OWN_LETTERS.get(language)
    return language in choices and (own is None or not letters.isdisjoint(own))
