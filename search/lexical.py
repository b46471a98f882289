"""The half of a search that looks for words: what each is worth, which passages have the telling ones, and how much of
the query's weight a passage covers.

A word weighs by how rare it is in scope (Robertson and Sparck Jones' inverse document frequency); one that occurs
nowhere weighs most and is covered by nobody, so that across languages, where hardly a word of the query occurs, nobody
covers much and meaning decides.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Sum

from kb import language, lexemes
from kb.models import CommonLexeme
from kb.models.lexeme import COMMON
from search import scope, stopwords, syntax
from search.hits import Query

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
    they stand to each other, where that was asked for."""

    coverage: float
    matched: tuple[str, ...]
    nearness: float = 0.0


@dataclass(frozen=True)
class Asked:
    """The words of a query that occur in scope, and the weight of all that were asked for."""

    terms: tuple[Term, ...]
    total: float

    def anything(self) -> str:
        return " | ".join(_bracketed(self.terms))


def ask(where: scope.Scope, inside: scope.Inside, query: Query, rows: int) -> Asked:
    """Weigh the words of a query in a scope of so many rows."""
    wanted = _wanted(query.text)
    tsqueries = list(dict.fromkeys(tsquery for one in wanted for tsquery in (one.in_any_form, one.itself)))
    common = {} if rows <= FEW_ROWS else _common(inside, tsqueries)
    counts = _counts(where, [tsquery for tsquery in tsqueries if tsquery not in common], rows)
    terms = [term for one in wanted for term in _terms(one, {**counts, **common}, rows)]
    return Asked(tuple(term for term in terms if term.passages), sum(term.weight for term in terms))


def find(where: scope.Scope, asked: Asked, *, rows: int, limit: int, fill: bool) -> list[UUID]:
    """The passages that cover most of the query's weight, best first; with `fill` also those that cover little, where
    there are not enough others."""
    if not asked.terms:
        return []
    if rows <= FEW_ROWS:
        return _matching(
            asked, where.chunks() + " AND c.lexemes @@ %s::tsquery", [*where.params, asked.anything()], limit
        )
    found = _matching(asked, _first(where), [_drivers(asked.terms), *where.params], limit)
    if fill and len(found) < limit:
        more = _matching(asked, _first(where), [asked.anything(), *where.params], limit)
        found = list(dict.fromkeys([*found, *more]))[:limit]
    return found


def cover(where: scope.Scope, asked: Asked, chunk_ids: Sequence[UUID], *, nearness: bool) -> dict[UUID, Words]:
    """For each of these passages in scope how much of the query it covers; with `nearness` also how near its words
    stand to each other."""
    if not asked.terms or not chunk_ids:
        return {}
    flags = ", ".join(["l @@ %s::tsquery"] * len(asked.terms))
    near = "ts_rank_cd(l, %s::tsquery, 1)" if nearness else "0.0"
    statement = f"""SELECT id, ARRAY[{flags}], {near}
        FROM (SELECT c.id, {_UNPACKED} AS l {where.chunks()} AND c.id = ANY(%s) OFFSET 0) chunks"""
    near_what = [asked.anything()] if nearness else []
    params = [*(term.tsquery for term in asked.terms), *near_what, *where.params, list(chunk_ids)]
    heaviest = max(term.weight for term in asked.terms)
    return {chunk_id: _words(asked, has, heaviest, near) for chunk_id, has, near in scope.rows(statement, params)}


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


def _common(inside: scope.Inside, tsqueries: Sequence[str]) -> Mapping[str, int]:
    """Those of these that are known to be common in scope, and in how many passages they stand: a word in any form in
    at least as many as its commonest form."""
    parts = {tsquery: tsquery.split(" | ") for tsquery in tsqueries}
    known = CommonLexeme.objects.filter(
        collection__in=inside.ids, lexeme__in={one for of in parts.values() for one in of}
    )
    counted = dict(known.values_list("lexeme").annotate(n=Sum("passages")))
    return {
        tsquery: max(found)
        for tsquery, of in parts.items()
        if (found := [counted[one] for one in of if one in counted])
    }


def _counts(where: scope.Scope, tsqueries: Sequence[str], rows: int) -> dict[str, int]:
    """In how many passages each of these stands; up to COMMON where there are many rows."""
    if not tsqueries:
        return {}
    if rows <= FEW_ROWS:
        each = ", ".join(["count(*) FILTER (WHERE l @@ %s::tsquery)"] * len(tsqueries))
        statement = f"SELECT {each} FROM (SELECT {_UNPACKED} AS l {where.chunks()} OFFSET 0) chunks"
        [counts] = scope.rows(statement, [*tsqueries, *where.params])
    else:
        counted = f"(SELECT count(*) FROM (SELECT {where.chunks_by_index()} LIMIT {COMMON}) counted)"
        params = [value for tsquery in tsqueries for value in (tsquery, *where.params)]
        [counts] = scope.rows(f"SELECT {', '.join([counted] * len(tsqueries))}", params)
    return dict(zip(tsqueries, counts, strict=True))


def _drivers(terms: Sequence[Term]) -> str:
    """The rarest words, as many as together stand in DRIVERS passages; where even the rarest is more common, all of
    them in one passage."""
    chosen: list[Term] = []
    for term in sorted(terms, key=lambda one: one.passages):
        if sum(one.passages for one in chosen) + term.passages > DRIVERS:
            break
        chosen.append(term)
    return " | ".join(_bracketed(chosen)) or " & ".join(_bracketed(terms))


def _bracketed(terms: Sequence[Term]) -> list[str]:
    return [f"({term.tsquery})" for term in terms]


def _first(where: scope.Scope) -> str:
    return f"{where.chunks_by_index()} LIMIT {DRIVERS}"


def _matching(asked: Asked, rows: str, params: Sequence[Any], limit: int) -> list[UUID]:
    score = " + ".join(["%s * (l @@ %s::tsquery)::int"] * len(asked.terms))
    statement = f"""SELECT id FROM (SELECT c.id, {_UNPACKED} AS l {rows} OFFSET 0) chunks
        ORDER BY {score} DESC, id LIMIT {limit}"""
    weights = [value for term in asked.terms for value in (term.weight, term.tsquery)]
    return [chunk_id for (chunk_id,) in scope.rows(statement, [*params, *weights])]


_UNPACKED = "c.lexemes || ''::tsvector"
"""Unpacked once, not for each word it is asked for."""


def _words(asked: Asked, has: Sequence[bool], heaviest: float, nearness: float) -> Words:
    found = [term for term, is_there in zip(asked.terms, has, strict=True) if is_there]
    coverage = sum(term.weight for term in found) / asked.total
    telling = [name for term in found if term.weight >= _TELLING * heaviest for name in term.lexemes]
    return Words(coverage, tuple(telling), nearness)
