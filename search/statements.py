"""Statements as they are run: several in one round trip, and each that comes with every search planned once.

To parse and plan one takes the database a millisecond, as long as many of them run (docs/decisions.md).
"""

import hashlib
import logging
import re
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from django.db import NotSupportedError, ProgrammingError, connection
from psycopg import Connection
from psycopg.errors import FeatureNotSupported, InvalidSqlStatementName

log = logging.getLogger(__name__)

Row = tuple[Any, ...]

MOST_KEPT = 32
"""Plans of one connection: those used last. A plan takes the server some 200 KB."""

MOST_CHARACTERS = 2_000_000
"""Of their SQL together: one that holds the means of five languages has 150,000, and takes the server 800 KB. They move
while documents come in, and each scope has its own."""


@dataclass(frozen=True)
class Statement:
    """SQL with its parameters, and the settings that it wants. Where the best plan does not depend on the parameters
    its plan is `kept`; the type of each parameter must then be plain from where it stands."""

    sql: str
    params: Sequence[Any]
    settings: Mapping[str, object] = field(default_factory=dict)
    kept: bool = False


def array(ids: Iterable[uuid.UUID]) -> str:
    """Ids as an array is written. The driver takes four times as long for some hundred of them."""
    return f"{{{','.join(map(str, ids))}}}"


def rows(statement: str, params: Sequence[Any]) -> list[Row]:
    """All rows of a statement, read however the planner thinks best."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return list(cursor.fetchall())


def together(statements: Sequence[Statement]) -> list[list[Row]]:
    """The rows of each of these statements, asked for in one round trip, read through the index that their order or
    condition names: left to itself the planner chose otherwise for two tables of the same data (docs/decisions.md).
    Nothing stays set behind them. Several in one message is what Postgres takes where the parameters are bound here, as
    Django does it."""
    if not statements:
        return []
    with connection.cursor() as cursor:  # of a new connection, perhaps
        if _pooled.is_set():
            return _run(cursor, _as_they_are(statements), statements)
        try:
            return _run_with_plans(cursor, connection.connection, statements)
        except (ProgrammingError, NotSupportedError) as error:
            if isinstance(error.__cause__, InvalidSqlStatementName):
                log.warning("The database forgets plans between statements, as behind a pooler: none is kept any more.")
                _pooled.set()
            elif not isinstance(error.__cause__, FeatureNotSupported):  # a migration has changed what a plan gives
                raise
            if connection.in_atomic_block:
                raise
            return _run(cursor, _as_they_are(statements), statements)


class _Plans:
    """The plans that a connection keeps, the one used last at the end: their names and how long their SQL is, by a
    digest of it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, tuple[str, int]] = OrderedDict()

    def of(self, sql: str) -> tuple[str, bool]:
        """The name of its plan, and whether that is new."""
        digest = hashlib.blake2b(sql.encode(), digest_size=16).digest()
        is_new = digest not in self._kept
        if is_new:
            self._kept[digest] = f"search_{uuid.uuid4().hex}", len(sql)
        self._kept.move_to_end(digest)
        return self._kept[digest][0], is_new

    def surplus(self) -> Iterator[str]:
        """The names of those that are given up."""
        characters = sum(length for _name, length in self._kept.values())
        while len(self._kept) > MOST_KEPT or (characters > MOST_CHARACTERS and len(self._kept) > 1):
            _digest, (name, length) = self._kept.popitem(last=False)
            characters -= length
            yield name


_plans: "WeakKeyDictionary[Connection[Any], _Plans]" = WeakKeyDictionary()

_pooled = threading.Event()
"""Whether a plan was gone that this process had made."""


def _run_with_plans(cursor: Any, on: "Connection[Any]", statements: Sequence[Statement]) -> list[list[Row]]:
    """What failed may have left plans behind that nobody knows: they go first with the next message."""
    known = _plans.pop(on, None)
    plans = known or _Plans()
    anew = [] if known else ["DEALLOCATE ALL"]
    found = _run(cursor, [*anew, *_by_plan(statements, plans)], statements)
    _plans[on] = plans
    return found


def _as_they_are(statements: Sequence[Statement]) -> list[str]:
    return [part for one in statements for part in (_set(one.settings), one.sql)]


def _by_plan(statements: Sequence[Statement], plans: _Plans) -> Iterator[str]:
    for one in statements:
        yield _set(one.settings)
        if not one.kept:
            yield one.sql
            continue
        name, is_new = plans.of(one.sql)
        if is_new:
            yield f"PREPARE {name} AS {_numbered(one.sql)}"
        yield f"EXECUTE {name}({', '.join(['%s'] * len(one.params))})"
    yield from (f"DEALLOCATE {name}" for name in plans.surplus())


def _numbered(sql: str) -> str:
    """Parameters as PREPARE names them."""
    places = count(1)
    return re.sub("%s", lambda _place: f"${next(places)}", sql)


_SETTINGS = {"enable_seqscan": "off", "enable_sort": "off", "plan_cache_mode": "force_generic_plan"}


def _run(cursor: Any, parts: Sequence[str], statements: Sequence[Statement]) -> list[list[Row]]:
    used: dict[str, object] = {}
    if connection.in_atomic_block:  # otherwise they end with the message
        used = dict.fromkeys([*_SETTINGS, *(name for one in statements for name in one.settings)], "DEFAULT")
    asked = ";".join(filter(None, [_set(_SETTINGS), *parts, _set(used)]))
    cursor.execute(asked, [value for one in statements for value in one.params])
    return list(_found(cursor))


def _set(settings: Mapping[str, object]) -> str:
    return ";".join(f"SET LOCAL {name} TO {value}" for name, value in settings.items())


def _found(cursor: Any) -> Iterator[list[Row]]:
    """What gives rows, of all that was executed."""
    more = True
    while more:
        if cursor.description:
            yield list(cursor.fetchall())
        more = cursor.nextset()
