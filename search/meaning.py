"""The query as the encoders see it: in the space of each collection, with its instruction, centred by language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext as _

from embeddings import centring, queries
from embeddings.encoder import Embeddings
from embeddings.models import Space
from kb import language
from kb.models import Chunk, Embedding, LanguageMean, User
from search import citations, scope, syntax
from search.clock import Clock
from search.hits import BadQuery, Query, Seen
from search.models import QueryMean

_SURELY = 0.9
"""The chance of a language from which on a query counts for its mean."""


@dataclass(frozen=True)
class Encoded:
    """The query as some collections want it: in the space they are searched in, with their instruction. Nothing else
    is compared with it. With `centres` it is centred, and so is what it is compared with; `raw` is as it was encoded,
    in one of these languages."""

    space: Space
    collections: tuple[UUID, ...]
    embedding: Embeddings
    centres: "Centres | None"
    instruction: str
    raw: Embeddings
    languages: Mapping[str, float]


def example_of(user: User | AnonymousUser, query: Query) -> Chunk | None:
    """The passage that others shall resemble. Raises BadQuery."""
    if query.like is None:
        return None
    try:
        return citations.find(user, query.like)
    except Chunk.DoesNotExist as error:
        raise BadQuery(_("There is no such passage."), about="like") from error


def encode(
    user: User | AnonymousUser, query: Query, example: Chunk | None, inside: scope.Inside, clock: Clock
) -> tuple[list[Encoded], str]:
    """The query as each of the collections in scope wants it, those that want the same together; and why one is
    missing, if one is."""
    if query.mode == "lexical" and example is None:
        return [], ""
    with clock.time("retrieve"):
        means = _means(query, inside)
    wanted = syntax.parse(query.text).wanted
    languages = {example.language: 1.0} if example else language.chances(wanted)
    encoded: list[Encoded] = []
    degraded = ""
    for one in inside.alike:
        try:
            with clock.time("encode"):
                embedding = _embedding(wanted, example, one.space, one.instruction)
        except queries.EncoderAway:
            degraded = _("Search by meaning is not available just now: only words were looked for.")
            continue
        centres = means.get(one)
        centred = embedding
        if centres:
            asked = {} if example or not one.asked else _asked(user.pk, one.space.pk, one.instruction, one.asked)
            centred = centres.means.centre(embedding, languages, asked)
        encoded.append(Encoded(one.space, one.collections, centred, centres, one.instruction, embedding, languages))
    if degraded and encoded:
        degraded = _("Search by meaning is not available just now in some of the collections: little is found in them.")
    return encoded, degraded


def seen(query: Query, encoded: Sequence[Encoded]) -> tuple[Seen, ...]:
    """The query as means of queries are made of it: a question, once and not with each page, in one language."""
    if query.like is not None or query.reach > query.limit:
        return ()
    surely = [(one, language) for one in encoded for language, chance in one.languages.items() if chance >= _SURELY]
    return tuple(Seen(one.space.pk, one.instruction, language, one.raw) for one, language in surely)


def _embedding(wanted: str, example: Chunk | None, space: Space, instruction: str) -> Embeddings:
    """The embedding of what is wanted, or of the passage that stands for it."""
    if example is None:
        return queries.encode_query(wanted, space=space, instruction=instruction)
    stored = Embedding.objects.filter(chunk=example, space=space).first()
    if stored is not None:
        return np.asarray(stored.embedding, dtype=np.float32)
    # A superseded revision has no embeddings any more, but it can still be cited.
    return queries.encode_query(example.text, space=space, instruction=instruction)


def _means(query: Query, inside: scope.Inside) -> dict[scope.Alike, "Centres"]:
    """The means per language, by the collections that ask for the same: of those in scope and of no other, so that
    nothing hidden moves an answer. Empty where languages are not balanced: where they are, all collections are centred,
    as a raw score stands far above a centred one, whatever the passage says."""
    if query.balance_languages is False:
        return {}
    spoken = frozenset[str]().union(*(one.spoken for one in inside.alike))
    wanted = query.balance_languages or len(spoken) > 1 or any(one.balanced for one in inside.alike)
    found = {one: _centres(one.space.pk, one.collections, one.means) for one in inside.alike} if wanted else {}
    # What has just come has no means yet: those of others in the same space are nearer the truth than none.
    others = {one.space: centres for one, centres in found.items() if centres}
    return {one: centres or others[one.space] for one, centres in found.items() if centres or one.space in others}


@dataclass(frozen=True)
class Centres:
    """Means, and the same as a statement takes them: the name of each language, its mean as a literal, and the square
    of its length. The mean of all stands under no name."""

    means: centring.Means
    names: tuple[str, ...]
    literals: tuple[str, ...]
    squares: tuple[float, ...]

    def along(self, embedding: Embeddings) -> list[float]:
        """The inner product of an embedding with each."""
        return [float(embedding @ mean) for mean in (*self.means.of_language.values(), self.means.overall)]


@lru_cache(maxsize=64)
def _centres(space_id: UUID, collections: tuple[UUID, ...], _as_of: tuple[str, ...]) -> Centres | None:
    """The means of these collections as they were then. Kept, because numbers by the thousand take longer to fetch and
    to write down than passages to find."""
    rows = LanguageMean.objects.filter(collection__in=collections, space=space_id).order_by("pk")
    means = centring.means(list(rows.values_list("language", "passages", "mean")))
    if means is None:
        return None
    named = {**means.of_language, "": means.overall}
    literals = tuple(literal(mean) for mean in named.values())
    return Centres(means, tuple(named), literals, tuple(float(mean @ mean) for mean in named.values()))


@lru_cache(maxsize=256)
def _asked(user_id: int, space_id: UUID, instruction: str, _as_of: str) -> Mapping[str, centring.Mean]:
    """The means of what a person asks, by language, as they were then."""
    return QueryMean.objects.in_use(user_id, space_id, instruction)


def literal(embedding: Embeddings) -> str:
    """An embedding as it is written in a statement. Five digits say all that half precision holds."""
    return ("[" + ",".join(["%.5g"] * len(embedding)) + "]") % tuple(embedding.tolist())
