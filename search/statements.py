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


Names = OrderedDict[bytes, str]
"""Plans by what is known of their SQL, which may be long (`_digest`), the one used last at the end."""

_names: "WeakKeyDictionary[Connection[Any], Names]" = WeakKeyDictionary()
"""The plans that each connection keeps."""

_pooled = threading.Event()
"""Whether a plan was gone that this process had made."""


def _run_with_plans(cursor: Any, on: "Connection[Any]", statements: Sequence[Statement]) -> list[list[Row]]:
    """What failed may have left plans behind that nobody knows: they go first with the next message."""
    known = _names.pop(on, None)
    names = known or Names()
    anew = [] if known is not None else ["DEALLOCATE ALL"]
    found = _run(cursor, [*anew, *_by_plan(statements, names)], statements)
    _names[on] = names
    return found


def _as_they_are(statements: Sequence[Statement]) -> list[str]:
    return [part for one in statements for part in (_set(one.settings), one.sql)]


def _by_plan(statements: Sequence[Statement], names: Names) -> Iterator[str]:
    for one in statements:
        yield _set(one.settings)
        if not one.kept:
            yield one.sql
            continue
        digest = _digest(one.sql)
        if digest not in names:
            names[digest] = f"search_{uuid.uuid4().hex}"
            yield f"PREPARE {names[digest]} AS {_numbered(one.sql)}"
        names.move_to_end(digest)
        yield f"EXECUTE {names[digest]}({', '.join(['%s'] * len(one.params))})"
    while len(names) > MOST_KEPT:
        _digest_of_it, name = names.popitem(last=False)
        yield f"DEALLOCATE {name}"


def _digest(sql: str) -> bytes:
    return hashlib.blake2b(sql.encode(), digest_size=16).digest()


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
