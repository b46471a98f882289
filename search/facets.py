"""The filters of a search and how much each would leave: documents this person may see, under the other filters."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kb import wording
from kb.models import Collection, User
from kb.templatetags.languages import language_name
from search import scope, statements
from search.addresses import FOUND, PERIODS, Address
from search.hits import Query

MOST = 40
"""Values of a filter that are offered, the most frequent ones. What is chosen is among them always."""

FIRST = 8
"""Of them are seen at once; the others are folded away."""


@dataclass(frozen=True)
class Choice:
    """A value of a filter; `count` documents would be searched with it."""

    value: str
    label: str | Promise
    count: int
    chosen: bool


@dataclass(frozen=True)
class Facet:
    """A filter: its name in the address, what people call it, and what can be chosen. `single`: one value at most."""

    name: str
    title: str | Promise
    choices: list[Choice]
    single: bool = False

    @property
    def rest(self) -> list[Choice]:
        """The choices that are folded away."""
        return self.choices[FIRST:]

    @property
    def unfolded(self) -> bool:
        """What is chosen is seen."""
        return any(choice.chosen for choice in self.rest)

    @property
    def worth_showing(self) -> bool:
        """A filter that leaves everything as it is says nothing."""
        return self.single or len(self.choices) > 1 or any(choice.chosen for choice in self.choices)


_TITLES = {
    "collection": _("Collection"),
    "language": _("Language of the passage"),
    "kind": _("Kind of file"),
    "tag": _("Tags"),
    "added": _("Added"),
}
_PERIODS = {"week": _("In the last 7 days"), "month": _("In the last 30 days"), "year": _("In the last 365 days")}


MODES = {
    "hybrid": _("Meaning and words"),
    "semantic": _("Meaning only"),
    "lexical": _("Words only"),
}


ORDERS = {
    "": _("The reranker's"),
    FOUND: _("As found"),
}


def of(user: User | AnonymousUser, address: Address) -> list[Facet]:
    """Every filter that is worth showing, each counted in one statement under all the others."""
    # What is searched, not what is found: words have no part in it.
    query = replace(address.query(), text="")
    counted = {
        "collection": _collections(user, replace(query, collections=())),
        "language": _languages(user, replace(query, languages=())),
        "kind": _kinds(user, replace(query, media_types=())),
        # A document must have all the tags that are asked for: each further one is counted beside those.
        "tag": _tags(user, query),
    }
    facets = [_facet(name, rows, address.values(name)) for name, rows in counted.items()]
    facets.append(_added(user, query, address))
    return [facet for facet in facets if facet.worth_showing]


Row = tuple[str, str | Promise, int]
"""A value, what people call it, and how many documents have it."""


def _facet(name: str, rows: Iterable[Row], chosen: tuple[str, ...]) -> Facet:
    choices = [Choice(value, label, count, value in chosen) for value, label, count in rows]
    offered = {choice.value for choice in choices}
    missing = [Choice(value, _label(name, value), 0, True) for value in chosen if value not in offered]
    ordered = sorted(choices, key=lambda choice: (-choice.count, str(choice.label)))
    shown = [choice for at, choice in enumerate(ordered) if choice.chosen or (choice.count and at < MOST)]
    return Facet(name, _TITLES[name], [*shown, *missing])


def _label(name: str, value: str) -> str | Promise:
    named = {"language": language_name, "kind": wording.kind}
    return named[name](value) if name in named else value


_ROWS = "FROM kb_document d JOIN kb_revision r ON r.id = d.live_revision_id"


def _counted(user: User | AnonymousUser, query: Query, sql: str, *, before: tuple[Any, ...] = ()) -> list[Any]:
    """The rows of a statement with `{where}` in it: documents in scope, those with a passage in the languages asked
    for. Its own parameters come `before` those of the scope."""
    where = scope.of(user, query)
    if where is None:
        return []
    spoken = where.passages.format(table="c")
    held = f" AND EXISTS (SELECT FROM kb_chunk c WHERE c.revision_id = r.id{spoken})" if spoken else ""
    return statements.rows(sql.format(where=where.documents + held), [*before, *where.params])


def _collections(user: User | AnonymousUser, query: Query) -> list[Row]:
    """Also those that nothing is left in: who chose one sees its name. Those of one name are told apart by their
    addresses."""
    sql = f"SELECT d.collection_id, count(*) {_ROWS} WHERE {{where}} GROUP BY 1"
    counts = dict(_counted(user, query, sql))
    known = list(Collection.objects.visible_to(user).values_list("pk", "slug", "name"))
    named = Counter(name for _pk, _slug, name in known)
    return [(slug, name if named[name] == 1 else f"{name} ({slug})", counts.get(pk, 0)) for pk, slug, name in known]


def _languages(user: User | AnonymousUser, query: Query) -> list[Row]:
    """Of each document the languages first, then together: half the time of one count over all passages."""
    sql = f"""SELECT spoken.language, count(*) {_ROWS} CROSS JOIN LATERAL (
        SELECT DISTINCT c.language FROM kb_chunk c WHERE c.revision_id = r.id
        ) spoken WHERE {{where}} GROUP BY spoken.language"""
    return [(code, language_name(code), count) for code, count in _counted(user, query, sql)]


def _kinds(user: User | AnonymousUser, query: Query) -> list[Row]:
    """Media types that people call the same are one kind."""
    counts: Counter[str] = Counter()
    sql = f"SELECT r.media_type, count(*) {_ROWS} WHERE {{where}} GROUP BY 1"
    for media_type, count in _counted(user, query, sql):
        counts[min(wording.alike(media_type))] += count
    return [(media_type, wording.kind(media_type), count) for media_type, count in counts.items()]


def _tags(user: User | AnonymousUser, query: Query) -> list[Row]:
    sql = f"SELECT tag, tag, count(*) {_ROWS}, unnest(d.tags) tag WHERE {{where}} GROUP BY tag"
    return _counted(user, query, sql)


def _added(user: User | AnonymousUser, query: Query, address: Address) -> Facet:
    """Everything, and what came in the last days; a period that leaves everything or nothing is not offered."""
    now = timezone.now()
    since = ", ".join(["count(*) FILTER (WHERE d.created_at >= %s)"] * len(PERIODS))
    sql = f"SELECT count(*), {since} {_ROWS} WHERE {{where}}"
    dateless = replace(query, created_after=None, created_before=None)
    before = tuple(now - length for length in PERIODS.values())
    [[everything, *recent]] = _counted(user, dateless, sql, before=before) or [[0] * (1 + len(before))]
    chosen = address.values("added")
    offered = [
        Choice(name, _PERIODS[name], count, name in chosen)
        for name, count in zip(PERIODS, recent, strict=True)
        if name in chosen or 0 < count < everything
    ]
    return Facet("added", _TITLES["added"], offered, single=True)


@dataclass(frozen=True)
class Chip:
    """A filter in force, in words, and the address of the search without it."""

    label: str | Promise
    without: Address


def chips(address: Address, facets: Iterable[Facet]) -> list[Chip]:
    """Every filter in force, in the order of the address."""
    labels = {(facet.name, choice.value): choice.label for facet in facets for choice in facet.choices}
    return [Chip(labels.get(pair) or _chip_label(*pair), address.without(pair)) for pair in address.filters]


def _chip_label(name: str, value: str) -> str | Promise:
    if name == "mode":
        return MODES[value]
    if name == "since":
        return _("From %(day)s") % {"day": date_format(date.fromisoformat(value))}
    if name == "until":
        return _("Until %(day)s") % {"day": date_format(date.fromisoformat(value))}
    return _label(name, value)
