"""The stems of words: "installation" and "installing" are found by "installed".

By the Snowball algorithms (https://snowballstem.org), those that PostgreSQL's text search configurations have, and a
few more. A stem is a lexeme of its own beside the word's, marked so that no word is like it: the word itself always
outranks its stem, and phrases, exclusions and codes know nothing of stems.
"""

import threading
import unicodedata
from collections.abc import Iterable

import regex
import Stemmer

MARK = "~"
"""What a stem begins with, and no word has in it."""

_SHORTEST, _LONGEST = 3, 60
"""Characters of a word that has other forms worth looking for."""

_ALGORITHMS = {
    "ar": "arabic",
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "eo": "esperanto",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "nn": "norwegian",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}

LANGUAGES = frozenset(_ALGORITHMS)
"""Those whose words have stems."""

_FOREIGN = regex.compile(r"[\p{N}\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]")


def of(words: Iterable[str], language: str) -> dict[str, str]:
    """The marked stem of each of these words that can have other forms, in this language; none where there is no
    algorithm for it. Words are given folded (`fold`), their accents still there, as the algorithms want them."""
    algorithm = _ALGORITHMS.get(language)
    if algorithm is None:
        return {}
    fit = [word for word in words if _SHORTEST <= len(word) <= _LONGEST and not _FOREIGN.search(word)]
    return {word: f"{MARK}{stem}" for word, stem in zip(fit, _stemmer(algorithm).stemWords(fit), strict=True)}


def fold(text: str) -> str:
    """Compatibility forms and case folded, accents kept."""
    if text.isascii():
        return text.lower()
    # A dotted capital i of Turkish folds to an i and the dot.
    return unicodedata.normalize("NFKC", text).casefold().replace("i\u0307", "i")


_of_thread = threading.local()
"""A stemmer remembers the words it has seen, and must not be shared by threads."""


def _stemmer(algorithm: str) -> Stemmer.Stemmer:
    known: dict[str, Stemmer.Stemmer] = _of_thread.__dict__
    return known.get(algorithm) or known.setdefault(algorithm, Stemmer.Stemmer(algorithm))
