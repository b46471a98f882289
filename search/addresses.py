"""The address of a search: all that it asks, cleaned, and the addresses that ask a little more or less."""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date

from kb import language, wording
from kb.reading import text
from search.hits import MODES, Mode, Query

PAGE_SIZE = 10

LAST_PAGE = 20
"""Whoever has not found it among two hundred does better to ask otherwise; programs go on by cursors."""

LONGEST = 4_000
"""Characters of a query, as in the API."""

MOST = 100
"""Values of one filter."""

FOUND = "found"
"""The order that asks for no reranker."""

PERIODS = {"week": timedelta(days=7), "month": timedelta(days=30), "year": timedelta(days=365)}

_YEARS = range(1900, 2200)

Pair = tuple[str, str]


@dataclass(frozen=True)
class Address:
    """What a search asks, as pairs of a name and a value: two addresses that ask the same have the same pairs.
    `shortened`: the query was longer than what is searched for."""

    pairs: tuple[Pair, ...] = ()
    page: int = 1
    shortened: bool = False

    @property
    def asked(self) -> str:
        """The pairs as they stand in an address, without the page: what is kept of a search."""
        return urlencode(self.pairs)

    @property
    def asked_on_page(self) -> str:
        """The pairs as they stand in an address, with the page."""
        page = [("page", self.page)] if self.page > 1 else []
        return urlencode([*self.pairs, *page])

    def __str__(self) -> str:
        asked = self.asked_on_page
        return f"{reverse('search')}?{asked}" if asked else reverse("search")

    @property
    def text(self) -> str:
        return next(iter(self.values("q")), "")

    @property
    def like(self) -> str:
        return next(iter(self.values("like")), "")

    @property
    def mode(self) -> Mode:
        return next((mode for mode in MODES if mode in self.values("mode")), "hybrid")

    @property
    def order(self) -> str:
        return next(iter(self.values("order")), "")

    @property
    def since(self) -> str:
        return next(iter(self.values("since")), "")

    @property
    def until(self) -> str:
        return next(iter(self.values("until")), "")

    @property
    def filters(self) -> tuple[Pair, ...]:
        """The pairs that narrow the search."""
        return tuple(pair for pair in self.pairs if pair[0] in _NARROWING)

    def values(self, name: str) -> tuple[str, ...]:
        return tuple(value for known, value in self.pairs if known == name)

    def without(self, *left_out: Pair) -> "Address":
        """The first page of the same search without these pairs."""
        return Address(tuple(pair for pair in self.pairs if pair not in left_out))

    def unfiltered(self) -> "Address":
        return self.without(*self.filters)

    def on_page(self, number: int) -> "Address":
        return replace(self, page=number)

    def first_page(self) -> "Address":
        return self.on_page(1)

    def as_found(self) -> "Address":
        """The same page without a reranker."""
        return replace(self, pairs=(*self.without(("order", FOUND)).pairs, ("order", FOUND)))

    def query(self) -> Query:
        kinds = (alike for value in self.values("kind") for alike in wording.alike(value))
        return Query(
            self.text,
            collections=self.values("collection"),
            limit=PAGE_SIZE,
            offset=(self.page - 1) * PAGE_SIZE,
            mode=self.mode,
            languages=self.values("language"),
            tags=self.values("tag"),
            media_types=tuple(dict.fromkeys(kinds)),
            created_after=self._after(),
            created_before=self._before(),
            like=uuid.UUID(self.like) if self.like else None,
            rerank=False if self.order == FOUND else None,
        )

    def _after(self) -> datetime | None:
        """Since when documents must have been added: within the last days, from a day on, or both."""
        lately = [timezone.now() - PERIODS[period] for period in self.values("added")]
        return max([*lately, *_moments(self.values("since"), time.min)], default=None)

    def _before(self) -> datetime | None:
        return next(iter(_moments(self.values("until"), time.max)), None)


def of(given: QueryDict) -> Address:
    """The search that an address asks for. What makes no sense in it asks nothing."""
    pairs: list[Pair] = []
    for name, clean in _CLEANED.items():
        values = [cleaned for value in given.getlist(name)[:MOST] if (cleaned := clean(value))]
        pairs += [(name, value) for value in (dict.fromkeys(values) if name in _SEVERAL else values[:1])]
    if any(name == "q" for name, _value in pairs):
        pairs = [pair for pair in pairs if pair[0] != "like"]  # a question is asked instead of "more like this"
    return Address(tuple(pairs), _page(given.get("page", "")), len(given.get("q", "").strip()) > LONGEST)


def kept(asked: str) -> Address:
    """The address of a search that was kept."""
    return of(QueryDict(asked))


def _text(value: str) -> str:
    return text.clean(value).strip()[:LONGEST].strip()


def _one_of(known: Iterable[str]) -> Callable[[str], str]:
    return lambda value: value if value in known else ""


def _language(value: str) -> str:
    return language.primary(text.one_line(value))


def _kind(value: str) -> str:
    """Media types that people call the same are one kind; the first of them stands for all."""
    return min(wording.alike(cleaned)) if (cleaned := text.one_line(value)) else ""


def _passage(value: str) -> str:
    """What is no id asks for a passage that is not there, so that the page says so."""
    try:
        return str(uuid.UUID(value)) if value else ""
    except ValueError:
        return str(uuid.UUID(int=0))


def _date(value: str) -> str:
    day = _day(value)
    return day.isoformat() if day and day.year in _YEARS else ""


_CLEANED: dict[str, Callable[[str], str]] = {
    "q": _text,
    "like": _passage,
    "collection": text.one_line,
    "language": _language,
    "kind": _kind,
    "tag": text.one_line,
    "added": _one_of(PERIODS),
    "since": _date,
    "until": _date,
    "mode": _one_of([mode for mode in MODES if mode != "hybrid"]),
    "order": _one_of([FOUND]),
}
_SEVERAL = {"collection", "language", "kind", "tag"}
_NARROWING = {*_CLEANED} - {"q", "like", "order"}


def _day(value: str) -> date | None:
    try:
        return parse_date(value)
    except ValueError:
        return None


def _moments(days: Iterable[str], at: time) -> list[datetime]:
    return [timezone.make_aware(datetime.combine(date.fromisoformat(day), at)) for day in days]


def _page(given: str) -> int:
    return min(max(int(given), 1), LAST_PAGE) if given.isascii() and given.isdigit() and len(given) < 4 else 1
