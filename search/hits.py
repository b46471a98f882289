"""What a search gives: hits, each with its scores and a citation of its exact place."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

Mode = Literal["hybrid", "semantic", "lexical"]
MODES: tuple[Mode, ...] = ("hybrid", "semantic", "lexical")


@dataclass(frozen=True)
class Query:
    """What the person typed, and what narrows it. Empty filters narrow nothing. `collections` holds ids or slugs."""

    text: str
    collections: tuple[str, ...] = ()
    limit: int = 10
    offset: int = 0
    mode: Mode = "hybrid"
    languages: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()
    created_after: datetime | None = None
    created_before: datetime | None = None
    balance_languages: bool | None = None
    min_score: float | None = None


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
    query's words found in the passage, rare words counting more, 0 to 1; `fused`: what the order is made by."""

    semantic: float | None
    lexical: float | None
    fused: float
    rerank: float | None = None


@dataclass(frozen=True)
class Hit:
    """A chunk found for a query. `score` is 0 to 1, higher is better. `highlights` are ranges of `text`."""

    rank: int
    score: float
    scores: Scores
    text: str
    highlights: list[tuple[int, int]]
    language: str
    citation: Citation


@dataclass(frozen=True)
class Answer:
    """The hits of a query. `degraded` says, when not empty, why this is less than what was asked for."""

    query: Query
    hits: list[Hit]
    mode: Mode
    degraded: str
    has_more: bool
    timings_ms: dict[str, float] = field(default_factory=dict)
    took_ms: float = 0.0
