"""What is special in the way a query is written: "words in quotes" stand together, -words are not wanted."""

from dataclasses import dataclass
from functools import lru_cache

import regex

from kb import lexemes

# Quotes of several languages: what one keyboard writes is another's.
_QUOTED = r'(?:"[^"]+"|“[^”“]+”|„[^“”„]+[“”]|«[^»]+»|「[^」]+」|『[^』]+』)'
_SPECIAL = regex.compile(
    rf"""(?<!\S)[-－−](?P<excluded>{_QUOTED}|\p{{L}}\S*)  # a number behind it is a number below zero
    | (?P<phrase>{_QUOTED})""",
    regex.VERBOSE,
)
_MOST = 10
"""Phrases, and exclusions, of one query."""


@dataclass(frozen=True)
class Parsed:
    """A query taken apart. `wanted` is all but what is excluded; `words` what stands outside quotes too. `phrases` and
    `excluded` are tsqueries."""

    wanted: str
    words: str
    phrases: tuple[str, ...]
    excluded: tuple[str, ...]


@lru_cache(maxsize=64)  # one query is asked for by scope, encoder and word search
def parse(query: str) -> Parsed:
    """The parts of a query."""
    phrases: list[str] = []
    excluded: list[str] = []
    for found in _SPECIAL.finditer(query):
        given = found["excluded"] or found["phrase"]
        (excluded if found["excluded"] else phrases).append(lexemes.phrase(given))
    wanted = _SPECIAL.sub(lambda found: "" if found["excluded"] else found[0], query).strip()
    words = " ".join(_SPECIAL.sub(" ", query).split())
    return Parsed(wanted, words, _distinct(phrases), _distinct(excluded))


def _distinct(tsqueries: list[str]) -> tuple[str, ...]:
    return tuple(tsquery for tsquery in dict.fromkeys(tsqueries) if tsquery)[:_MOST]
