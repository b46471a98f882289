"""What a search gives: hits, each with its scores and a citation of its exact place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from embeddings.encoder import Embeddings

Mode = Literal["hybrid", "semantic", "lexical"]
MODES: tuple[Mode, ...] = ("hybrid", "semantic", "lexical")

Group = Literal["passage", "document"]
GROUPS: tuple[Group, ...] = ("passage", "document")


class BadQuery(ValueError):
    """The query cannot be searched for; the message says why, `about` which part of it is meant."""

    def __init__(self, message: str, about: str = "query") -> None:
        super().__init__(message)
        self.about = about


@dataclass(frozen=True)
class Cursor:
    """Where a page ended: the rank of its last hit, and what that hit was sorted by (`Candidate.key`). The next page
    holds what stands below, whatever came or went above meanwhile. `reranked`: in the order of a reranker."""

    rank: int
    order: float
    fused: float
    chunk_id: UUID
    reranked: bool

    @property
    def key(self) -> tuple[float, float, int]:
        return -self.order, -self.fused, self.chunk_id.int


@dataclass(frozen=True)
class Query:
    """What the person typed, and what narrows it. Empty filters narrow nothing. `collections` holds ids or slugs,
    `documents` ids, `metadata` what a document's metadata must contain. `like` is a passage instead of words: what
    says something similar is looked for. `context` asks for so many passages on either side of each hit. Without
    `folding` near-identical passages stand beside each other. `rerank` is None for the default: where there is a
    reranker, and words alone do not decide."""

    text: str
    collections: tuple[str, ...] = ()
    limit: int = 10
    offset: int = 0
    mode: Mode = "hybrid"
    languages: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    created_after: datetime | None = None
    created_before: datetime | None = None
    balance_languages: bool | None = None
    rerank: bool | None = None
    min_score: float | None = None
    like: UUID | None = None
    group: Group = "passage"
    context: int = 0
    folding: bool = True
    after: Cursor | None = None

    @property
    def reach(self) -> int:
        """The rank of the last hit of the page asked for."""
        return (self.after.rank if self.after else self.offset) + self.limit


@dataclass(frozen=True)
class Citation:
    """A permanent pointer to characters [start, end) of one revision of a document, with how people name the place."""

    id: UUID
    label: str
    document_id: UUID
    document_title: str
    filename: str
    media_type: str
    collection_id: UUID
    collection_slug: str
    collection_name: str
    revision: int
    heading_path: list[str]
    pages: list[int] | None
    boxes: list[dict[str, Any]]
    slides: list[int] | None
    sheets: list[int] | None
    rows: list[int] | None
    chapters: list[int] | None
    chars: tuple[int, int]
    url: str


@dataclass(frozen=True)
class Scores:
    """Why a hit stands where it stands. `semantic`: inner product of the embeddings, centred by
    language where the query is balanced; `lexical`: the share of the
    query's words found in the passage, rare words counting more, 0 to 1; `fused`: what the order is made by, unless the
    passage has been reranked; `rerank`: the chance that it answers as the reranker sees it, 0 to 1."""

    semantic: float | None
    lexical: float | None
    fused: float
    rerank: float | None = None


@dataclass(frozen=True)
class Neighbour:
    """A passage beside a hit in its document."""

    id: UUID
    text: str
    chars: tuple[int, int]


@dataclass(frozen=True)
class Twin:
    """Where a passage stands that says the same as a hit: the document, and characters [start, end) of it."""

    document_id: UUID
    chars: tuple[int, int]


@dataclass(frozen=True)
class Hit:
    """A chunk found for a query. `score` is the chance that it answers, 0 to 1: calibrated (`ranking.Scale`), or the
    reranker's where there is one.
    `highlights` are ranges of `text`. `twins` are where the same was said and left out. `more` are further hits in the
    same document, where hits are grouped."""

    rank: int
    score: float
    scores: Scores
    text: str
    highlights: list[tuple[int, int]]
    language: str
    citation: Citation
    twins: tuple[Twin, ...] = ()
    before: tuple[Neighbour, ...] = ()
    after: tuple[Neighbour, ...] = ()
    more: tuple["Hit", ...] = ()

    @property
    def folded(self) -> int:
        """How many passages said the same and were left out."""
        return len(self.twins)


@dataclass(frozen=True)
class Seen:
    """A query as it was encoded (float32 [dimensions]), in the one language it is surely in."""

    space_id: UUID
    instruction: str
    language: str
    embedding: Embeddings


@dataclass(frozen=True)
class Answer:
    """The hits of a query. `degraded` says, when not empty, why this is less than what was asked for; `not_reranked`
    why the order is not the reranker's although it was to be, `reranker_away` that it may be soon; `nothing_good` that
    no passage is likely to answer; `next` where the next page begins; `seen` is for means of queries."""

    query: Query
    hits: list[Hit]
    mode: Mode
    degraded: str
    has_more: bool
    nothing_good: bool = False
    next: Cursor | None = None
    seen: tuple[Seen, ...] = ()
    reranked: bool = False
    not_reranked: str = ""
    reranker_away: bool = False
    timings_ms: dict[str, float] = field(default_factory=dict)
    took_ms: float = 0.0
