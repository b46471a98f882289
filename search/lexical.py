"""The half of a search that looks for words: what each is worth, which passages have the telling ones, and how much of
the query's weight a passage covers.

A word weighs by how rare it is in scope (Robertson and Sparck Jones' inverse document frequency); one that occurs
nowhere weighs most and is covered by nobody, so that across languages, where hardly a word of the query occurs, nobody
covers much and meaning decides.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import repeat
from typing import Any, TypeVar
from uuid import UUID

from kb import language, lexemes
from kb.models.lexeme import COMMON
from search import scope, statements, stopwords, syntax
from search.statements import Statement

FEW_ROWS = 2_000
"""Up to so many passages in scope each is looked at: 7 microseconds a passage, all words of a query together."""

FILTERED_ROWS = 3_000
"""The same where filters leave them: what is known of whole collections says nothing of a part of them, and to count a
word there by the index may take it through all that has the word elsewhere."""

DRIVERS = 500
"""Above, passages are found by the rarest words of the query, as many as together stand in so many passages: whoever
has only common ones covers little and would not come near the top."""

EQUALS = (200, 1_000)
"""Of so many passages that have all words, where each is common and words alone decide, it is asked how near to each
other they stand: on the first pages, and on all others. A thousand take 20 ms; nobody pages deeper."""

TOGETHER = 8
"""Of so many words, the rarest, it is asked: of the thirty that a sentence in Chinese has it takes four times as long
for each passage, and nobody sees the difference."""

STEM = 0.8
"""What another form of a word is worth beside the word itself (measured: docs/decisions.md)."""

_TELLING = 0.4
"""What a word weighs at least, beside the heaviest, to be highlighted."""


Filled = TypeVar("Filled", str, float)


@dataclass(frozen=True)
class Wanted:
    """A word or phrase asked for: its lexemes, and the tsqueries that find it in any of its forms and by itself."""

    names: tuple[str, ...]
    in_any_form: str
    itself: str


@dataclass(frozen=True)
class Term:
    """What a word or phrase of the query is looked for by: `tsquery`; `passages` is the number it stands in. Where a
    word has other forms there are two: one for the word in any form, and one for itself, with what is left of its
    weight. Where a word stands in a passage is known, not where its other forms do (`placed`)."""

    lexemes: tuple[str, ...]
    tsquery: str
    weight: float
    passages: int
    placed: bool = True
    is_code: bool = False


@dataclass(frozen=True)
class Words:
    """How much of the query's weight in words a passage covers, 0 to 1; the telling lexemes it matched by; which share
    of the query's codes it has, the rarer the more, and as far as they are rare; and how near its words stand to each
    other, where words alone decide."""

    coverage: float
    matched: tuple[str, ...]
    coded: float = 0.0
    nearness: float = 0.0


@dataclass(frozen=True)
class Asked:
    """The words of a query as they are looked for (`lookups`), each with its weight in a scope of so many `rows`; there
    are those that occur in it."""

    terms: tuple[Term, ...]
    rows: int

    @cached_property
    def there(self) -> tuple[Term, ...]:
        return tuple(term for term in self.terms if term.passages)

    @cached_property
    def total(self) -> float:
        return sum(term.weight for term in self.terms)

    @cached_property
    def codes(self) -> dict[Term, float]:
        """The codes that occur, and how rare each is: 1 where one passage has it, hardly anything where a whole manual
        does. Parts of other codes are left out."""
        codes = [term for term in self.there if term.is_code]
        parts = {one for one in codes for other in codes if one is not other and one.lexemes[0] in other.lexemes[0]}
        return {one: _rarity(one.passages, self.rows) for one in codes if one not in parts}

    def anything(self) -> str:
        return " | ".join(_bracketed(self.there))


def wanted(query: str) -> list[Wanted]:
    """The words asked for, and the phrases. A word's other forms are those it has in the languages that the query may
    be in; a phrase has none."""
    if not query:
        return []
    parsed = syntax.parse(query)
    forms = [lexemes.stemmed(parsed.wanted, one) for one in language.chances(parsed.wanted)]
    found = []
    for one in stopwords.without(parsed.wanted):
        names = (one, *dict.fromkeys(of_language[one] for of_language in forms if one in of_language))
        found.append(Wanted(names, " | ".join(map(lexemes.tsquery, names)), lexemes.tsquery(one)))
    phrases = [(tuple(lexemes.of_tsquery(phrase)), phrase) for phrase in parsed.phrases]
    return found + [Wanted(names, phrase, phrase) for names, phrase in phrases if len(names) > 1]


def lookups(wanted: Sequence[Wanted]) -> list[str]:
    """What passages are asked for: each word in any of its forms, and by itself where it has others."""
    return [tsquery for one in wanted for tsquery in dict.fromkeys((one.in_any_form, one.itself))]


def ask(where: scope.Scope, wanted: Sequence[Wanted], rows: int, held: int) -> Asked:
    """Weigh the words of a query in a scope of so many rows, of collections that hold so many passages. Where filters
    leave more rows than each is looked at, words are as rare as in the whole collections."""
    if where.filtered and not _is_each_looked_at(where, rows):
        rows = max(rows, held)
    counts, counted = _counts(where, list(dict.fromkeys(lookups(wanted))), rows)
    return Asked(tuple(term for one in wanted for term in _terms(one, counts, counted)), rows)


def _is_each_looked_at(where: scope.Scope, rows: int) -> bool:
    return rows <= (FILTERED_ROWS if where.filtered else FEW_ROWS)


def best(where: scope.Scope, asked: Asked, limit: int) -> dict[UUID, Words]:
    """The passages that cover most of the query's weight."""
    return _found(asked, _best_of(where, asked, limit)) if asked.there else {}


def best_alone(where: scope.Scope, asked: Asked, limit: int) -> dict[UUID, Words]:
    """The same where words alone decide: those that cover little are better than none, and of those that cover as much
    the ones whose words stand together are the better ones.

    Where the best are fewer than `limit` it looks on, first by the rarest words, as many as there are passages for, as
    to collect all that any word stands in takes ten times as long where the words are common; then, as filters may
    leave none of those, by all."""
    if not asked.there:
        return {}
    found = _found(asked, _best_of(where, asked, limit, alone=True))
    last, looked_for = len(found), len(_drivers(asked.there))
    for terms in (_rarest(asked.there), asked.there):
        if not _is_each_looked_at(where, asked.rows) and last < limit and len(terms) > looked_for:
            more = _found(asked, _best_with(where, asked, terms, limit, alone=True))
            found, last, looked_for = {**more, **found}, len(more), len(terms)
    return found


def with_words(lookups: Sequence[str], found: Statement) -> Statement:
    """A statement that finds passages, by `chunk_id`, with one column more: which of these each has, as `words` reads
    it."""
    flagged, of_flags = _flagged(lookups)
    # Most that are near in meaning have none, across languages: those are not unpacked.
    sql = f"""SELECT found.*, coalesce((SELECT {flagged}::text FROM (SELECT {_UNPACKED} AS l OFFSET 0) unpacked
          WHERE c.lexemes @@ %s::tsquery), '{{}}')
        FROM ({found.sql}) found
        CROSS JOIN LATERAL (SELECT c.lexemes FROM kb_chunk c WHERE c.id = found.chunk_id OFFSET 0) c"""
    anything = " | ".join(f"({one})" for one in lookups)
    return replace(found, sql=sql, params=[*of_flags, anything, *found.params])


def words(asked: Asked, found: Iterable[tuple[UUID, str | None]]) -> dict[UUID, Words]:
    """How much of the query's weight each passage covers that has these of its words: {t,f,t}, {}, or all there are."""
    known: dict[str | None, Words] = {}  # most have the same few words
    return {chunk_id: known.get(has) or known.setdefault(has, _words(asked, has)) for chunk_id, has in found}


def _found(asked: Asked, looking: Statement) -> dict[UUID, Words]:
    [found] = statements.together([looking])
    covered = words(asked, ((chunk_id, has) for chunk_id, has, _near in found))
    nearness = {chunk_id: near for chunk_id, _has, near in found if near}
    return covered | {chunk_id: replace(covered[chunk_id], nearness=near) for chunk_id, near in nearness.items()}


def _best_of(where: scope.Scope, asked: Asked, limit: int, *, alone: bool = False) -> Statement:
    if _is_each_looked_at(where, asked.rows):
        matching = f"{where.chunks()} AND c.lexemes @@ %s::tsquery"
        # Planned for these words: blindly, all that have them would be collected for each document anew.
        return _best(asked, matching, [*where.params, asked.anything()], limit, alone=alone)
    drivers = _drivers(asked.there)
    if not drivers:
        return _with_all(where, asked, limit, alone=alone)
    return _best_with(where, asked, drivers, limit, alone=alone)


def _terms(wanted: Wanted, passages: Mapping[str, int], rows: int) -> Iterator[Term]:
    """What a word weighs, by how rare it is in any form; a fifth of it is left to the word itself."""
    n = passages[wanted.in_any_form]
    weight = _weight(n, rows)
    if wanted.in_any_form == wanted.itself:
        is_code = len(wanted.names) == 1 and lexemes.is_code(wanted.names[0])
        yield Term(wanted.names, wanted.itself, weight, n, is_code=is_code)
    else:
        yield Term(wanted.names, wanted.in_any_form, STEM * weight, n, placed=False)
        yield Term(wanted.names[:1], wanted.itself, (1 - STEM) * weight, passages[wanted.itself])


def _weight(passages: int, rows: int) -> float:
    return math.log(1 + (max(rows - passages, 0) + 0.5) / (passages + 0.5))


def _rarity(passages: int, rows: int) -> float:
    return min(1.0, _weight(passages, rows) / _weight(1, rows)) ** 3


def _counts(where: scope.Scope, tsqueries: Sequence[str], rows: int) -> tuple[dict[str, int], int]:
    """In how many passages each of these stands, and of how many. Where there are many rows it is known of the common
    ones, and the others are counted up to COMMON. A word in any form stands in at least as many as its commonest
    form; one character of an unspaced script, in as many as the commonest pair that begins with it: to collect them all
    takes as long as the rest of a search."""
    if not tsqueries:
        return {}, rows
    if _is_each_looked_at(where, rows):
        asked = _filled(list(tsqueries), "")
        each = ", ".join(["count(*) FILTER (WHERE l @@ %s::tsquery)"] * len(asked))
        statement = f"SELECT count(*), {each} FROM (SELECT {_UNPACKED} AS l {where.chunks()} OFFSET 0) chunks"
        [[[few, *counts]]] = statements.together([Statement(statement, [*asked, *where.params], kept=where.kept)])
        return dict(zip(tsqueries, counts, strict=False)), few
    matching = where.chunks_by_index("asked.tsquery")
    statement = f"""SELECT asked.tsquery, coalesce(
          {_known(where, "k.lexeme = ANY(string_to_array(asked.tsquery, ' | '))")},
          CASE WHEN asked.tsquery LIKE '{_ONE_CHARACTER}'
            THEN {_known(where, "k.lexeme ^@ left(asked.tsquery, 2)")} END,
          (SELECT count(*)::int FROM (SELECT {matching} LIMIT {COMMON}) counted))
        FROM unnest(%s::text[]) asked (tsquery)"""
    params = [*where.collection_params, *where.collection_params, *where.params, list(tsqueries)]
    [counted] = statements.together([Statement(statement, params, kept=where.kept)])
    return dict(counted), rows


_ONE_CHARACTER = "''_'':*"
"""A tsquery of one character that is found wherever others follow (`lexemes.tsquery`), as LIKE wants it."""


def _known(where: scope.Scope, forms: str) -> str:
    """In how many passages the commonest of these forms stands, of the words whose number is known."""
    return f"""(SELECT max(of_form.passages) FROM (SELECT sum(k.passages)::int AS passages FROM kb_commonlexeme k
            WHERE k.collection_id = ANY(ARRAY({where.collections})) AND {forms} GROUP BY k.lexeme) of_form)"""


def _drivers(terms: Sequence[Term]) -> list[Term]:
    """The rarest words, as many as together stand in DRIVERS passages; none where even the rarest is more common."""
    chosen: list[Term] = []
    for term in sorted(terms, key=lambda one: one.passages):
        if sum(one.passages for one in chosen) + term.passages > DRIVERS:
            break
        chosen.append(term)
    return chosen


def _rarest(terms: Sequence[Term]) -> list[Term]:
    """The rarest words, so many that DRIVERS passages have one of them; all, if they are fewer."""
    chosen: list[Term] = []
    for term in sorted(terms, key=lambda one: one.passages):
        chosen.append(term)
        if term.passages >= DRIVERS:
            break
    return chosen


def _bracketed(terms: Sequence[Term]) -> list[str]:
    return [f"({term.tsquery})" for term in terms]


def _best_with(where: scope.Scope, asked: Asked, terms: Sequence[Term], limit: int, *, alone: bool) -> Statement:
    """The best of some that have one of these words."""
    matching = f"{where.chunks_by_index()} LIMIT {DRIVERS}"
    found = _best(asked, matching, [" | ".join(_bracketed(terms)), *where.params], limit, alone=alone)
    return replace(found, kept=where.kept)


def _best(asked: Asked, matching: str, params: Sequence[Any], limit: int, *, alone: bool) -> Statement:
    weights = _filled([term.weight for term in asked.terms], 0.0)
    score = " + ".join(f"%s::float8 * has[{place}]::int" for place in range(1, len(weights) + 1))
    flagged, of_flags = _flagged([term.tsquery for term in asked.terms])
    near, of_near = (_near("l", _THOSE_IT_HAS), [_placed(asked.terms)]) if alone else _NOT_ASKED
    # Alone, all that cover as much as the last: of equals those win whose words stand together, which is known later.
    cut = f"FETCH FIRST {limit} ROWS WITH TIES" if alone else f", id LIMIT {limit}"
    statement = f"""SELECT id, has::text, {near} FROM (SELECT id, l, has FROM (SELECT id, l, {flagged} AS has
        FROM (SELECT c.id, {_UNPACKED} AS l {matching} OFFSET 0) chunks OFFSET 0) flagged
        ORDER BY {score} DESC {cut}) best"""
    return Statement(statement, [*of_near, *of_flags, *params, *weights])


def _with_all(where: scope.Scope, asked: Asked, limit: int, *, alone: bool) -> Statement:
    """Some of the passages that have every word; none covers more than another. Alone, the same ones for page after
    page, so that none is passed over."""
    limit = next((many for many in EQUALS if many >= limit), EQUALS[-1]) if alone else limit
    words = " & ".join(_bracketed(asked.there))
    placed = " & ".join(filter(None, _placed(asked.there)))
    near, of_near = (_near("c.lexemes", "%s"), [placed]) if alone else _NOT_ASKED
    statement = f"SELECT c.id, NULL, {near} {where.chunks_by_index()} LIMIT {limit}"
    return Statement(statement, [*of_near, words, *where.params], kept=where.kept)


def _flagged(lookups: Sequence[str]) -> tuple[str, list[str]]:
    """Which of the words a passage has; more are said of it than were asked for."""
    tsqueries = _filled(list(lookups), "")
    return f"ARRAY[{', '.join(['l @@ %s::tsquery'] * len(tsqueries))}]", tsqueries


def _filled(values: list[Filled], empty: Filled) -> list[Filled]:
    """As many as in other queries, so that few statements differ."""
    many = next((many for many in _NUMBERS if many >= len(values)), len(values))
    return values + [empty] * (many - len(values))


_NUMBERS = (4, 8, 12, 16, 24, 32, 48, 64)


def _near(vector: str, words: str) -> str:
    """How near to each other these words of a passage stand. To know it takes as long as to find the passage."""
    return f"ts_rank_cd({vector}, {words}::tsquery, 1)"


def _placed(terms: Sequence[Term]) -> list[str | None]:
    """Those that are asked for where they stand: the rarest of those that occur."""
    there = (term for term in terms if term.placed and term.passages)
    rarest = sorted(there, key=lambda one: one.passages)[:TOGETHER]
    return [f"({term.tsquery})" if term in rarest else None for term in terms]


_THOSE_IT_HAS = "(SELECT string_agg(term, ' & ') FROM unnest(%s::text[], has) AS of_term (term, has) WHERE of_term.has)"
_NOT_ASKED: tuple[str, list[Any]] = ("0::float4", [])

_UNPACKED = "c.lexemes || ''::tsvector"
"""Unpacked once, not for each word it is asked for."""


def _words(asked: Asked, has: str | None) -> Words:
    flags = has[1:-1:2] if has else repeat("t")
    found = [term for term, is_there in zip(asked.terms, flags, strict=False) if is_there == "t" and term.passages]
    heaviest = max(term.weight for term in asked.there)
    telling = (name for term in found if term.weight >= _TELLING * heaviest for name in term.lexemes)
    coded = sum(asked.codes.get(term, 0.0) ** 2 for term in found) / (sum(asked.codes.values()) or 1.0)
    return Words(sum(term.weight for term in found) / asked.total, tuple(telling), coded)
