"""The half of a search that looks for words: what each is worth, which passages have the telling ones, and how much of
the query's weight a passage covers.

A word weighs by how rare it is in scope (Robertson and Sparck Jones' inverse document frequency); one that occurs
nowhere weighs most and is covered by nobody, so that across languages, where hardly a word of the query occurs, nobody
covers much and meaning decides.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from kb import language, lexemes
from kb.models.lexeme import COMMON
from search import scope, statements, stopwords, syntax
from search.hits import Query
from search.statements import Statement

FEW_ROWS = 2_000
"""Up to so many passages in scope each is looked at: 7 microseconds a passage, all words of a query together."""

DRIVERS = 500
"""Above, passages are found by the rarest words of the query, as many as together stand in so many passages: whoever
has only common ones covers little and would not come near the top."""

STEM = 0.8
"""What another form of a word is worth beside the word itself (measured: docs/decisions.md)."""

_TELLING = 0.4
"""What a word weighs at least, beside the heaviest, to be highlighted."""


@dataclass(frozen=True)
class Term:
    """What a word or phrase of the query is looked for by: `tsquery`; `passages` is the number it stands in. Where a
    word has other forms there are two: one for the word in any form, and one for itself, with what is left of its
    weight."""

    lexemes: tuple[str, ...]
    tsquery: str
    weight: float
    passages: int


@dataclass(frozen=True)
class Words:
    """How much of the query's weight in words a passage covers, 0 to 1; the telling lexemes it matched by; and how near
    they stand to each other, where words alone decide."""

    coverage: float
    matched: tuple[str, ...]
    nearness: float = 0.0


NOTHING = Words(0.0, ())
"""A passage with none of the words."""


@dataclass(frozen=True)
class Asked:
    """The words of a query that occur in scope, and the weight of all that were asked for. Where they decide `alone`,
    those that stand nearer together win among equals; to know it takes as long as to find them."""

    terms: tuple[Term, ...]
    total: float
    alone: bool

    def anything(self) -> str:
        return " | ".join(_bracketed(self.terms))


@dataclass(frozen=True)
class Found:
    """The words that were asked for, and the passages that cover most of their weight."""

    asked: Asked
    best: Mapping[UUID, Words]


def find(where: scope.Scope, query: Query, *, rows: int, limit: int, alone: bool) -> Found:
    """Weigh the words of a query in a scope of so many rows, and find the passages that have most of them. Asked for
    how near they stand to each other only where words `alone` decide."""
    asked = _ask(where, query, rows, alone=alone)
    if not asked.terms:
        return Found(asked, {})
    [found] = statements.together([_best_of(where, asked, rows=rows, limit=limit)])
    return Found(asked, words(asked, found))


def completed(where: scope.Scope, found: Found, *, rows: int, limit: int) -> Mapping[UUID, Words]:
    """The best and, where they are fewer than `limit`, those that cover little: first by the rarest words, as many as
    there are passages for, as to collect all that any word stands in takes ten times as long where the words are
    common; then, as filters may leave none of those, by all."""
    asked, covered, last = found.asked, dict(found.best), len(found.best)
    looked_for = len(_drivers(asked.terms))
    for terms in (_rarest(asked.terms), asked.terms):
        if rows > FEW_ROWS and last < limit and len(terms) > looked_for:
            [more] = statements.together([_best_with(where, asked, terms, limit)])
            covered, last, looked_for = {**words(asked, more), **covered}, len(more), len(terms)
    return covered


def _ask(where: scope.Scope, query: Query, rows: int, *, alone: bool) -> Asked:
    wanted = _wanted(query.text)
    tsqueries = list(dict.fromkeys(tsquery for one in wanted for tsquery in (one.in_any_form, one.itself)))
    counts, rows = _counts(where, tsqueries, rows)
    terms = [term for one in wanted for term in _terms(one, counts, rows)]
    return Asked(tuple(term for term in terms if term.passages), sum(term.weight for term in terms), alone)


def _best_of(where: scope.Scope, asked: Asked, *, rows: int, limit: int) -> Statement:
    """The passages that cover most of the query's weight, best first, as `words` reads them."""
    if rows <= FEW_ROWS:
        matching = f"{where.chunks()} AND c.lexemes @@ %s::tsquery"
        return _best(asked, matching, [*where.params, asked.anything()], limit)
    drivers = _drivers(asked.terms)
    if not drivers:
        return _with_all(where, asked, limit)
    return _best_with(where, asked, drivers, limit)


def cover(where: scope.Scope, asked: Asked, chunk_ids: Collection[UUID]) -> Statement:
    """Those of these passages in scope that have a word of the query."""
    flagged, of_flags = _flagged(asked)
    statement = f"""SELECT id, {flagged}, 0::float4 FROM (
        SELECT c.id, {_UNPACKED} AS l {where.chunks()} AND c.id = ANY(%s) OFFSET 0) chunks WHERE l @@ %s::tsquery"""
    return Statement(statement, [*of_flags, *where.params, statements.array(chunk_ids), asked.anything()])


def words(asked: Asked, found: Sequence[statements.Row]) -> dict[UUID, Words]:
    """How much of the query each passage covers that one of the statements above found."""
    known: dict[tuple[bool, ...], Words] = {}  # most have the same few words
    covered = {}
    for chunk_id, has, near in found:
        same = known.get(tuple(has)) or known.setdefault(tuple(has), _words(asked, has))
        covered[chunk_id] = replace(same, nearness=near) if near else same
    return covered


def uncovered(asked: Asked, best: Mapping[UUID, Words], *, rows: int, limit: int) -> float:
    """How much a passage covers at most that is not among the `best`, of which so many were asked for."""
    drivers = asked.terms if rows <= FEW_ROWS else _drivers(asked.terms)
    without = [term.weight for term in asked.terms if term not in drivers]
    if not drivers:
        without.remove(min(without))
    if rows > FEW_ROWS and any(term.passages >= COMMON for term in drivers):  # not all that have one were looked at
        return sum(term.weight for term in asked.terms) / asked.total
    least = min(words.coverage for words in best.values()) if len(best) >= limit else 0.0
    return max(sum(without) / asked.total, least)


@dataclass(frozen=True)
class _Wanted:
    """A word or phrase asked for: its lexemes, and the tsqueries that find it in any of its forms and by itself."""

    names: tuple[str, ...]
    in_any_form: str
    itself: str


def _wanted(query: str) -> list[_Wanted]:
    """The words asked for, and the phrases. A word's other forms are those it has in the languages that the query may
    be in; a phrase has none."""
    parsed = syntax.parse(query)
    forms = [lexemes.stemmed(parsed.wanted, one) for one in language.chances(parsed.wanted)]
    words = []
    for one in stopwords.without(parsed.wanted):
        names = (one, *dict.fromkeys(of_language[one] for of_language in forms if one in of_language))
        words.append(_Wanted(names, " | ".join(map(lexemes.tsquery, names)), lexemes.tsquery(one)))
    phrases = [(tuple(lexemes.of_tsquery(phrase)), phrase) for phrase in parsed.phrases]
    return words + [_Wanted(names, phrase, phrase) for names, phrase in phrases if len(names) > 1]


def _terms(wanted: _Wanted, passages: Mapping[str, int], rows: int) -> Iterator[Term]:
    """What a word weighs, by how rare it is in any form; a fifth of it is left to the word itself."""
    n = passages[wanted.in_any_form]
    weight = math.log(1 + (max(rows - n, 0) + 0.5) / (n + 0.5))
    if wanted.in_any_form == wanted.itself:
        yield Term(wanted.names, wanted.itself, weight, n)
    else:
        yield Term(wanted.names, wanted.in_any_form, STEM * weight, n)
        yield Term(wanted.names[:1], wanted.itself, (1 - STEM) * weight, passages[wanted.itself])


def _counts(where: scope.Scope, tsqueries: Sequence[str], rows: int) -> tuple[dict[str, int], int]:
    """In how many passages each of these stands, and of how many. Where there are many rows it is known of the common
    ones, and the others are counted up to COMMON. A word in any form stands in at least as many as its commonest
    form."""
    if not tsqueries:
        return {}, rows
    if rows <= FEW_ROWS:
        each = ", ".join(["count(*) FILTER (WHERE l @@ %s::tsquery)"] * len(tsqueries))
        statement = f"SELECT count(*), {each} FROM (SELECT {_UNPACKED} AS l {where.chunks()} OFFSET 0) chunks"
        [[[few, *counts]]] = statements.together([Statement(statement, [*tsqueries, *where.params])])
        return dict(zip(tsqueries, counts, strict=True)), few
    matching = where.chunks_by_index("asked.tsquery")
    statement = f"""SELECT asked.tsquery, coalesce(
          (SELECT max(of_form.passages) FROM (SELECT sum(k.passages)::int AS passages FROM kb_commonlexeme k
            WHERE k.collection_id = ANY(ARRAY({where.collections}))
              AND k.lexeme = ANY(string_to_array(asked.tsquery, ' | '))
            GROUP BY k.lexeme) of_form),
          (SELECT count(*)::int FROM (SELECT {matching} LIMIT {COMMON}) counted))
        FROM unnest(%s::text[]) asked (tsquery)"""
    [counted] = statements.together([Statement(statement, [*where.collection_params, *where.params, list(tsqueries)])])
    return dict(counted), rows


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


def _best_with(where: scope.Scope, asked: Asked, terms: Sequence[Term], limit: int) -> Statement:
    """The best of some that have one of these words."""
    matching = f"{where.chunks_by_index()} LIMIT {DRIVERS}"
    return _best(asked, matching, [" | ".join(_bracketed(terms)), *where.params], limit)


def _best(asked: Asked, matching: str, params: Sequence[Any], limit: int) -> Statement:
    score = " + ".join(f"%s::float8 * has[{place}]::int" for place in range(1, len(asked.terms) + 1))
    flagged, of_flags = _flagged(asked)
    near, of_near = _near(asked, "l", _THOSE_IT_HAS, _bracketed(asked.terms))
    statement = f"""SELECT id, has, {near} FROM (SELECT id, l, has FROM (SELECT id, l, {flagged} AS has
        FROM (SELECT c.id, {_UNPACKED} AS l {matching} OFFSET 0) chunks OFFSET 0) flagged
        ORDER BY {score} DESC, id LIMIT {limit}) best"""
    weights = [term.weight for term in asked.terms]
    return Statement(statement, [*of_near, *of_flags, *params, *weights])


def _with_all(where: scope.Scope, asked: Asked, limit: int) -> Statement:
    """Some of the passages that have every word; none is better than another."""
    every = ", ".join(["TRUE"] * len(asked.terms))
    words = " & ".join(_bracketed(asked.terms))
    near, of_near = _near(asked, "c.lexemes", "%s", words)
    statement = f"SELECT c.id, ARRAY[{every}], {near} {where.chunks_by_index()} LIMIT {limit}"
    return Statement(statement, [*of_near, words, *where.params])


def _flagged(asked: Asked) -> tuple[str, list[str]]:
    """Which of the words a passage has."""
    flags = ", ".join(["l @@ %s::tsquery"] * len(asked.terms))
    return f"ARRAY[{flags}]", [term.tsquery for term in asked.terms]


_THOSE_IT_HAS = "(SELECT string_agg(term, ' & ') FROM unnest(%s::text[], has) AS of_term (term, has) WHERE of_term.has)"


def _near(asked: Asked, vector: str, words: str, named: object) -> tuple[str, list[object]]:
    """How near to each other these words of a passage stand, which the parameter names."""
    return (f"ts_rank_cd({vector}, {words}::tsquery, 1)", [named]) if asked.alone else ("0::float4", [])


_UNPACKED = "c.lexemes || ''::tsvector"
"""Unpacked once, not for each word it is asked for."""


def _words(asked: Asked, has: Sequence[bool]) -> Words:
    found = [term for term, is_there in zip(asked.terms, has, strict=True) if is_there]
    coverage = sum(term.weight for term in found) / asked.total
    heaviest = max(term.weight for term in asked.terms)
    return Words(coverage, tuple(name for term in found if term.weight >= _TELLING * heaviest for name in term.lexemes))
