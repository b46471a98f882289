"""What a search may look at: the rows this person may see, narrowed by the filters of the query, as one piece of SQL.

Every statement of `nearest`, `lexical` and `passages` is built on it, so permission and filters stand in the same
statement as the search, and there is no second path to a chunk.
"""

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.models import Q, QuerySet

from embeddings import instructions, prompts
from embeddings.models import Space
from kb import language
from kb.models import Collection, Grantee, User
from kb.models.collection import Balance
from search import statements, syntax
from search.hits import Query
from search.statements import Row, Statement, together


@dataclass(frozen=True)
class Scope:
    """Which rows may be found, as SQL with its parameters. `collections` gives the ids of those this person may see;
    its parameters are the first ones. `filtered` says that besides permission and collections a filter decides."""

    collections: str
    collection_params: tuple[Any, ...]
    documents: str
    passages: str
    words: str
    params: tuple[Any, ...]
    filtered: bool

    @property
    def narrowed(self) -> bool:
        """Whether filters or words decide: how many rows there are is not known from the collections alone."""
        return self.filtered or bool(self.words)

    @property
    def kept(self) -> bool:
        """Whether statements on it are planned once for all: how many rows a filter leaves decides how they are best
        found."""
        return not self.narrowed

    def without(self, documents: Iterable[uuid.UUID]) -> "Scope":
        """The rows that are in none of these documents."""
        left_out = f"d.id <> ALL('{statements.array(documents)}'::uuid[])"
        return replace(self, documents=f"{self.documents} AND {left_out}", filtered=True)

    def embeddings(self, space_id: uuid.UUID) -> str:
        """FROM and WHERE of the embeddings e in a space, of the collections whose ids are the first parameter: every
        row in scope, found through its document."""
        return f"""FROM kb_document d JOIN kb_embedding e ON e.revision_id = d.live_revision_id
            WHERE {_of_space(space_id)} AND {self.documents}{self._of_embeddings()}"""

    def embeddings_by_index(self, space_id: uuid.UUID) -> str:
        """The same rows, tested one by one as an index brings them. OFFSET 0 keeps the planner from turning the tests
        into joins, whose order would be its own."""
        return f"""FROM kb_embedding e WHERE {_of_space(space_id)} AND EXISTS (SELECT FROM kb_document d
            WHERE d.live_revision_id = e.revision_id AND {self.documents} OFFSET 0){self._of_embeddings()}"""

    def chunks(self) -> str:
        """FROM and WHERE of the chunks c: every row in scope, found through its document."""
        return f"""FROM kb_document d JOIN kb_chunk c ON c.revision_id = d.live_revision_id
            WHERE {self.documents}{self._of_chunks()}"""

    def among(self) -> str:
        """FROM and WHERE of given chunks c in scope, by their ids, which are the first parameter; with their revision
        r, document d and collection k. OFFSET 0 has them fetched before they are asked for words: the index of words
        would collect whatever has those."""
        return f"""FROM (SELECT * FROM kb_chunk WHERE id = ANY(%s::uuid[]) OFFSET 0) c
            JOIN kb_document d ON d.live_revision_id = c.revision_id
            JOIN kb_revision r ON r.id = c.revision_id JOIN kb_collection k ON k.id = d.collection_id
            WHERE {self.documents}{self._of_chunks()}"""

    def chunks_by_index(self, tsquery: str = "%s") -> str:
        """The same rows that match a tsquery, by default the first parameter, tested as the index brings them."""
        return f"""FROM kb_chunk c WHERE c.lexemes @@ {tsquery}::tsquery AND EXISTS (SELECT FROM kb_document d
            WHERE d.live_revision_id = c.revision_id AND {self.documents} OFFSET 0){self._of_chunks()}"""

    def _of_chunks(self) -> str:
        return self.passages.format(table="c") + self.words

    def _of_embeddings(self) -> str:
        of_chunk = f" AND EXISTS (SELECT FROM kb_chunk c WHERE c.id = e.chunk_id{self.words} OFFSET 0)"
        return self.passages.format(table="e") + (of_chunk if self.words else "")


def _of_space(space_id: uuid.UUID) -> str:
    """The space stands written out, as in the condition of its index."""
    return f"e.space_id = '{space_id}' AND e.collection_id = ANY(%s::uuid[])"


def collections(user: User | AnonymousUser, query: Query) -> QuerySet[Collection]:
    """The collections in scope: visible to this person, and named in the query if it names any."""
    return _named(Grantee.of(user), query.collections)


def _named(grantee: Grantee | None, names: Sequence[str]) -> QuerySet[Collection]:
    visible = Collection.objects.granted_to(grantee)
    if not names:
        return visible
    ids = [name for name in names if is_uuid(name)]
    return visible.filter(Q(pk__in=ids) | Q(slug__in=names))


@lru_cache(maxsize=1_024)
def _ids(grantee: Grantee, names: tuple[str, ...]) -> tuple[str, tuple[Any, ...]]:
    """The statement that gives their ids, with its parameters; what it gives is asked for in every search anew. Kept,
    as it takes longer to put together than to run, and is made of nothing but this."""
    return _named(grantee, names).order_by().values("pk").query.sql_with_params()


@dataclass(frozen=True)
class Alike:
    """Collections in scope that ask for the same: the space they are searched in, and the instruction of their queries.
    `passages` is how many they have, about; `means` changes whenever their means do; `balanced` says that one of them
    always has its languages balanced, `spoken` are the languages of those that do not refuse it. `asked` changes
    whenever the means of what this person asks do; empty where there are none."""

    space: Space
    instruction: str
    collections: tuple[uuid.UUID, ...]
    passages: int
    means: tuple[str, ...]
    balanced: bool
    spoken: frozenset[str]
    asked: str


@dataclass(frozen=True)
class Inside:
    """The collections in scope, for what is known of whole collections (means, numbers); rows themselves are asked for
    through `Scope`, which has the permission in its SQL. Read once: it holds to the end of the search, also when one of
    them is switched to another space meanwhile."""

    alike: tuple[Alike, ...]

    @property
    def passages(self) -> int:
        """How many they have, about."""
        return sum(one.passages for one in self.alike)

    @classmethod
    def of(cls, user: User | AnonymousUser, where: Scope, space_id: uuid.UUID | None = None) -> "Inside":
        """With `space_id` all are searched in that space. Who measures a space, and a program with a person's token,
        find what anybody would: nothing is known of what they ask."""
        asker = None if space_id or (isinstance(user, User) and user.access_token) else user.pk
        spaces: dict[uuid.UUID, Space] = {}
        held: dict[tuple[uuid.UUID, str], list[Row]] = {}
        statement = _INSIDE.format(collections=where.collections)
        [found] = together([Statement(statement, [asker, space_id, *where.collection_params], kept=True)])
        for one in found:
            domain, own, *described = one[6:]
            space = spaces.get(described[0]) or Space.from_db(connection.alias, _OF_SPACE, described)
            spaces[space.pk] = space
            # One encoding serves them all where the encoder takes no instruction.
            names_task = prompts.names_task(space.query_prompt)
            instruction = instructions.instruction_for(domain, own) if names_task else ""
            held.setdefault((space.pk, instruction), []).append(one)
        return cls(tuple(_alike(spaces[pk], instruction, same) for (pk, instruction), same in held.items()))


def _alike(space: Space, instruction: str, found: Sequence[Row]) -> Alike:
    ids, passages, means, languages, balance, asked = zip(*(row[:6] for row in found), strict=True)
    spoken = (of for of, said in zip(languages, balance, strict=True) if said != Balance.OFF)
    return Alike(
        space,
        instruction,
        ids,
        sum(passages),
        tuple(means),
        balanced=Balance.ON in balance,
        spoken=frozenset(chain.from_iterable(spoken)),
        asked=asked[0],
    )


_OF_SPACE = ("id", "fingerprint", "dimensions", "query_prompt", "storage", "indexed")
_INSIDE = f"""
SELECT c.id, m.passages, m.state, m.languages, c.balance_languages, (
    SELECT coalesce(max(q.updated_at)::text, '') FROM search_querymean q
    WHERE q.user_id = %s AND q.space_id = s.id AND q.mean IS NOT NULL),
  c.instruction_domain, c.own_instruction, {", ".join(f"s.{one}" for one in _OF_SPACE)}
FROM kb_collection c JOIN embeddings_space s ON s.id = coalesce(%s, c.active_space_id)
CROSS JOIN LATERAL (
  SELECT coalesce(sum(passages), 0)::int AS passages,
    coalesce(string_agg(id || ' ' || updated_at, ',' ORDER BY id), '') AS state,
    coalesce(array_agg(language), ARRAY[]::varchar[]) AS languages
  FROM kb_languagemean WHERE collection_id = c.id AND space_id = s.id) m
WHERE c.id = ANY(ARRAY({{collections}})) ORDER BY c.id
"""


def of(user: User | AnonymousUser, query: Query) -> Scope | None:
    """The scope of a query, or None when it is empty from the outset."""
    grantee = Grantee.of(user)
    if grantee is None:
        return None
    compiled, params = _ids(grantee, query.collections)
    held = f"d.collection_id = ANY(ARRAY({compiled}))"  # asked for once a statement, not for each row that is tested
    documents, passages, words = _of_documents(query), _of_passages(query), _of_words(query)
    return Scope(
        compiled,
        params,
        " AND ".join([held, *(condition for condition, _value in documents)]),
        "".join(f" AND {condition}" for condition, _value in passages),
        "".join(f" AND {condition}" for condition, _value in words),
        (*params, *(value for _condition, value in (*documents, *passages, *words))),
        filtered=bool(documents or passages),
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
    codes = [language.primary(one) for one in query.languages]
    return [("{table}.language = ANY(%s)", codes)] if codes else []


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
