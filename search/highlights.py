"""The sentences of a passage that answer: a second look at hits, by the encoder, so across languages too."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from django.contrib.auth.models import AnonymousUser

from embeddings import queries
from embeddings.models import Space
from kb import boundaries
from kb.models import Chunk, User
from search import citations, syntax

Ranges = dict[UUID, list[tuple[int, int]]]
"""By passage, characters [start, end) of its text."""

MOST_PASSAGES = 20
"""Passages of one call: a page of hits."""

_MOST_SENTENCES = 24
"""Sentences of a passage that are compared; a passage has about ten, and a part of a table some twenty rows."""

_BETWEEN_CELLS = " | "

_SHORTEST = 8
"""Characters of a sentence: shorter ones are numbers of lists."""

_NEAR = 0.02
"""How far below the best sentence of a passage another may be and still be shown with it."""


@dataclass(frozen=True)
class _Sentence:
    chunk_id: UUID
    start: int
    end: int
    text: str


def answering(
    user: User | AnonymousUser, query_text: str, chunk_ids: Sequence[UUID], *, timeout: float = 1.0
) -> Ranges:
    """The sentences and rows nearest to the query in each of these passages, as far as this person may see them.

    One or two of a passage; none of a passage with a single sentence, as it would be highlighted whole. Passages that
    the encoder has not read within `timeout` seconds are left out, the last ones first.
    """
    wanted = syntax.parse(query_text).wanted
    if not wanted:
        return {}
    deadline = time.monotonic() + timeout
    asked = list(chunk_ids)[:MOST_PASSAGES]
    visible = citations.chunks(user, asked)
    chunks = [visible[chunk_id] for chunk_id in asked if chunk_id in visible]
    found: Ranges = {}
    for space_id in dict.fromkeys(chunk.revision.document.collection.active_space_id for chunk in chunks):
        of_space = [c for c in chunks if c.revision.document.collection.active_space_id == space_id]
        try:
            found |= _nearest(wanted, of_space, space_id, deadline)
        except queries.EncoderAway:
            continue
    return found


def _nearest(query: str, chunks: Sequence[Chunk], space_id: UUID, deadline: float) -> Ranges:
    sentences = [sentence for chunk in chunks for sentence in _sentences(chunk)]
    if not sentences or not Space.objects.filter(pk=space_id).exists():
        return {}
    embeddings = queries.encode_together([query, *(one.text for one in sentences)], space_id=space_id, until=deadline)
    scores = embeddings[1:] @ embeddings[0]
    scored = list(zip(sentences, scores, strict=False))
    unread = {one.chunk_id for one in sentences[len(scores) :]}
    read = [chunk.pk for chunk in chunks if chunk.pk not in unread]
    return {chunk_id: _best([(one, score) for one, score in scored if one.chunk_id == chunk_id]) for chunk_id in read}


def _sentences(chunk: Chunk) -> list[_Sentence]:
    text = chunk.text
    found = boundaries.sentences(text, 0, len(text), language=chunk.language)
    trimmed = (boundaries.trim(text, *one) for sentence in found for one in _rows(text, *sentence))
    long_enough = [(start, end) for start, end in trimmed if end - start >= _SHORTEST]
    if len(long_enough) < 2:
        return []
    return [_Sentence(chunk.pk, start, end, text[start:end]) for start, end in long_enough[:_MOST_SENTENCES]]


def _rows(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Each row of a table by itself: it has no end of a sentence. Anything else as it is."""
    return boundaries.lines(text, start, end) if _BETWEEN_CELLS in text[start:end] else iter([(start, end)])


def _best(scored: Sequence[tuple[_Sentence, np.float32]]) -> list[tuple[int, int]]:
    ordered = sorted(scored, key=lambda pair: -pair[1])[:2]
    return sorted((one.start, one.end) for one, score in ordered if score >= ordered[0][1] - _NEAR)
