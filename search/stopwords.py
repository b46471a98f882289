"""The words of a query that say nothing: Postgres' own lists, by the language the query is in, and of Chinese and
Japanese the characters that say nothing where they stand alone."""

import regex
from django.db import connection

from kb import language, lexemes

_CONFIGURATIONS = {
    "da": "danish",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
}
"""The text search configurations that have a list of stop words (PostgreSQL 15 and newer)."""

_PARTICLES = regex.compile(
    r"[\p{Hiragana}的了和与與及或在是有也就都而之于於着著被把从從向对對为為以等个個不]", regex.V1
)
"""Our own list: all single kana, and what holds a Chinese sentence together. As one character finds every pair that
begins with it, one of these takes longer to look for than all other words."""


def without(query: str) -> list[str]:
    """The lexemes of a query, its stop words left out; all of them when there is nothing else.

    A word's rarity in scope cannot tell: where few passages are in the language of the query, its commonest words
    are rare.
    """
    wanted = lexemes.query_lexemes(query)
    spoken = language.chances(query)
    configuration = _CONFIGURATIONS.get(max(spoken, key=lambda one: spoken[one]))
    stopped = {one for one in wanted if _PARTICLES.fullmatch(one)} if {"zh", "ja"} & spoken.keys() else set()
    if configuration is not None:
        stopped |= {lexemes.normalize(word) for word in _stopped(query.casefold().split(), configuration)}
    return [lexeme for lexeme in wanted if lexeme not in stopped] or wanted


def _stopped(words: list[str], configuration: str) -> set[str]:
    """The words Postgres leaves out. They are asked for as written: its lists have accents, our lexemes have none."""
    bare = {one for word in words if 0 < len(one := word.strip("¿?¡!.,;:()\"'«»„“”…")) <= _LONGEST}
    known = _known.setdefault(configuration, {})
    if unknown := sorted(bare - known.keys()):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT word, to_tsvector(%s::regconfig, word) = '' FROM unnest(%s::text[]) word",
                [configuration, unknown],
            )
            known |= dict(cursor.fetchall())
    found = {word for word in bare if known[word]}
    if len(known) > _MOST_KNOWN:
        _known.pop(configuration, None)
    return found


_known: dict[str, dict[str, bool]] = {}
"""By configuration, whether a word is one: each is asked for once."""

_MOST_KNOWN = 10_000

_LONGEST = 20
"""Characters: no list has a longer one."""
