"""What a search may look at: the rows this person may see, narrowed by the filters of the query, as one piece of SQL.

Every statement of `retrieval` is built on it, so permission and filters stand in the same statement as the search, and
there is no second path to a chunk.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.models import Q, QuerySet

from kb.models import Collection, User
from search.hits import Query


@dataclass(frozen=True)
class Scope:
    """SQL conditions on the tables d (kb_document) and r (kb_revision, the live one), with their parameters.
    `language` is a condition on the column of that name in the table that is searched."""

    documents: str
    language: str
    params: tuple[Any, ...]


def collections(user: User | AnonymousUser, query: Query) -> QuerySet[Collection]:
    """The collections in scope: visible to this person, and named in the query if it names any."""
    visible = Collection.objects.visible_to(user)
    if not query.collections:
        return visible
    ids = [name for name in query.collections if is_uuid(name)]
    return visible.filter(Q(pk__in=ids) | Q(slug__in=query.collections))


def of(user: User | AnonymousUser, query: Query) -> Scope | None:
    """The scope of a query, or None when it is empty from the outset."""
    inside = collections(user, query).order_by().values("pk").query
    if inside.is_empty():
        return None
    compiled, params = inside.sql_with_params()
    conditions, values = [f"d.collection_id IN ({compiled})"], list(params)
    for condition, value in _filters(query):
        conditions.append(condition)
        values.append(value)
    if not query.languages:
        return Scope(" AND ".join(conditions), "", tuple(values))
    return Scope(" AND ".join(conditions), " AND {table}.language = ANY(%s)", (*values, list(query.languages)))


def _filters(query: Query) -> list[tuple[str, Any]]:
    asked = [
        ("d.tags @> %s::varchar[]", list(query.tags)),
        ("r.media_type = ANY(%s)", list(query.media_types)),
        ("d.created_at >= %s", query.created_after),
        ("d.created_at <= %s", query.created_before),
    ]
    return [(condition, value) for condition, value in asked if value]


def is_uuid(name: str) -> bool:
    """Whether a name is an id."""
    try:
        uuid.UUID(name)
    except ValueError:
        return False
    return True


def rows(statement: str, params: list[Any]) -> list[tuple[Any, ...]]:
    """All rows of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return list(cursor.fetchall())
