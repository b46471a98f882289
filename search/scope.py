"""What a search may look at: the rows this person may see, narrowed by the filters of the query, as one piece of SQL.

Every statement of `retrieval` and `lexical` is built on it, so permission and filters stand in the same statement as
the search, and there is no second path to a chunk.
"""

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from embeddings import prompts
from embeddings.models import Space
from kb.models import Collection, User
from search import syntax
from search.hits import Query


@dataclass(frozen=True)
class Scope:
    """Which rows may be found, as SQL with its parameters. `narrowed` says that more than permission and collections
    decide: the number of rows is not known from the collections alone."""

    documents: str
    passages: str
    words: str
    params: tuple[Any, ...]
    narrowed: bool

    def embeddings(self, space_id: uuid.UUID, collections: Sequence[uuid.UUID]) -> str:
        """FROM and WHERE of the embeddings e of these collections in a space: every row in scope, found through its
        document."""
        return f"""FROM kb_document d JOIN kb_embedding e ON e.revision_id = d.live_revision_id
            WHERE {_of_space(space_id, collections)} AND {self.documents}{self._of_embeddings()}"""

    def embeddings_by_index(self, space_id: uuid.UUID, collections: Sequence[uuid.UUID]) -> str:
        """The same rows, tested one by one as an index brings them. OFFSET 0 keeps the planner from turning the tests
        into joins, whose order would be its own."""
        return f"""FROM kb_embedding e WHERE {_of_space(space_id, collections)} AND EXISTS (SELECT FROM kb_document d
            WHERE d.live_revision_id = e.revision_id AND {self.documents} OFFSET 0){self._of_embeddings()}"""

    def chunks(self) -> str:
        """FROM and WHERE of the chunks c: every row in scope, found through its document."""
        return f"""FROM kb_document d JOIN kb_chunk c ON c.revision_id = d.live_revision_id
            WHERE {self.documents}{self._of_chunks()}"""

    def chunks_by_index(self) -> str:
        """The same rows that match a tsquery, which is the first parameter, tested as the index brings them."""
        return f"""FROM kb_chunk c WHERE c.lexemes @@ %s::tsquery AND EXISTS (SELECT FROM kb_document d
            WHERE d.live_revision_id = c.revision_id AND {self.documents} OFFSET 0){self._of_chunks()}"""

    def _of_chunks(self) -> str:
        return self.passages.format(table="c") + self.words

    def _of_embeddings(self) -> str:
        of_chunk = f" AND EXISTS (SELECT FROM kb_chunk c WHERE c.id = e.chunk_id{self.words} OFFSET 0)"
        return self.passages.format(table="e") + (of_chunk if self.words else "")


def _of_space(space_id: uuid.UUID, collections: Sequence[uuid.UUID]) -> str:
    return f"e.space_id = '{space_id}' AND e.collection_id = ANY('{{{','.join(map(str, collections))}}}')"


def collections(user: User | AnonymousUser, query: Query) -> QuerySet[Collection]:
    """The collections in scope: visible to this person, and named in the query if it names any."""
    visible = Collection.objects.visible_to(user)
    if not query.collections:
        return visible
    ids = [name for name in query.collections if is_uuid(name)]
    return visible.filter(Q(pk__in=ids) | Q(slug__in=query.collections))


@dataclass(frozen=True)
class Inside:
    """The collections in scope, for what is known of whole collections (means, numbers); rows themselves are asked for
    through `Scope`, which has the permission in its SQL. Read once: it holds to the end of the search, also when one of
    them is switched to another space meanwhile."""

    ids: tuple[uuid.UUID, ...]
    alike: dict[tuple[Space, str], tuple[uuid.UUID, ...]]
    """Those that ask for the same, by the space they are searched in and the instruction of their queries."""
    balance: dict[uuid.UUID, str]
    """What each says about balancing languages."""

    @classmethod
    def of(cls, user: User | AnonymousUser, query: Query, space_id: uuid.UUID | None = None) -> "Inside":
        """With `space_id` all are searched in that space."""
        asked = Space.objects.get(pk=space_id) if space_id else None
        found = list(collections(user, query).order_by("pk").select_related("active_space"))
        alike: dict[tuple[Space, str], tuple[uuid.UUID, ...]] = {}
        for one in found:
            space = asked or one.active_space
            # One encoding serves them all where the encoder takes no instruction.
            wants = space, one.instruction if prompts.names_task(space.query_prompt) else ""
            alike[wants] = (*alike.get(wants, ()), one.pk)
        return cls(tuple(one.pk for one in found), alike, {one.pk: one.balance_languages for one in found})


def of(user: User | AnonymousUser, query: Query) -> Scope | None:
    """The scope of a query, or None when it is empty from the outset."""
    inside = collections(user, query).order_by().values("pk").query
    if inside.is_empty():
        return None
    compiled, params = inside.sql_with_params()
    documents, passages, words = _of_documents(query), _of_passages(query), _of_words(query)
    return Scope(
        " AND ".join([f"d.collection_id IN ({compiled})", *(condition for condition, _value in documents)]),
        "".join(f" AND {condition}" for condition, _value in passages),
        "".join(f" AND {condition}" for condition, _value in words),
        (*params, *(value for _condition, value in (*documents, *passages, *words))),
        narrowed=bool(documents or passages or words),
    )


def _of_documents(query: Query) -> list[tuple[str, Any]]:
    of_type = "EXISTS (SELECT FROM kb_revision r WHERE r.id = d.live_revision_id AND r.media_type = ANY(%s))"
    ids = [name for name in query.documents if is_uuid(name)]
    asked = [
        (query.documents, "d.id = ANY(%s::uuid[])", ids),
        (query.tags, "d.tags @> %s::varchar[]", list(query.tags)),
        (query.metadata, "d.metadata @> %s::jsonb", json.dumps(query.metadata)),
        (query.media_types, of_type, list(query.media_types)),
        (query.created_after, "d.created_at >= %s", query.created_after),
        (query.created_before, "d.created_at <= %s", query.created_before),
    ]
    return [(condition, value) for narrows, condition, value in asked if narrows]


def _of_passages(query: Query) -> list[tuple[str, Any]]:
    return [("{table}.language = ANY(%s)", list(query.languages))] if query.languages else []


def _of_words(query: Query) -> list[tuple[str, Any]]:
    """What is excluded; and what is quoted, where a literal search was asked for."""
    parsed = syntax.parse(query.text)
    literal = query.mode == "lexical" or (query.mode == "hybrid" and not parsed.words)
    required = parsed.phrases if literal else ()
    return [
        *(("c.lexemes @@ %s::tsquery", phrase) for phrase in required),
        *(("NOT c.lexemes @@ %s::tsquery", excluded) for excluded in parsed.excluded),
    ]


def is_uuid(name: str) -> bool:
    """Whether a name is an id."""
    try:
        uuid.UUID(name)
    except ValueError:
        return False
    return True


@contextmanager
def indexes_only() -> Iterator[None]:
    """Statements inside read through the index that their order or their condition names. Left to itself the planner
    chose otherwise for two tables of the same data (docs/decisions.md)."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        yield
        cursor.execute("SET LOCAL enable_seqscan = on; SET LOCAL enable_sort = on")


def rows(statement: str, params: list[Any]) -> list[tuple[Any, ...]]:
    """All rows of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return list(cursor.fetchall())
