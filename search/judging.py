"""What a ranking is worth by the judgements of its golden query."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from kb.models import Collection
from search import statements
from search.evaluation import Judged
from search.hits import Hit
from search.models import GoldenQuery


@dataclass(frozen=True)
class Target:
    """What should be found, as it stands today: a document, or characters [start, end) of its live revision."""

    id: int
    document_id: UUID
    chars: tuple[int, int] | None
    grade: int
    language: str


def targets(collection: Collection) -> dict[UUID, list[Target]]:
    """What answers each golden query of a collection, of all that is searchable now, best first.

    A passage of an earlier revision is looked for by its words in the live one; where they are gone its document
    stands for it.
    """
    found: dict[UUID, dict[object, Target]] = {}
    for query, judgement, document, grade, start, end, language in statements.rows(_TARGETS, [collection.pk]):
        target = Target(judgement, document, None if start is None else (start, end), grade, language)
        # Two passages of one document that are both gone are one document; the better grade comes first.
        found.setdefault(query, {}).setdefault((document, target.chars), target)
    return {query: list(places.values()) for query, places in found.items()}


def judge(query: GoldenQuery, hits: Sequence[Hit], wanted: Sequence[Target]) -> list[Judged]:
    """The ranking as a whole, then once for each language that answers: there the answers in others are left out, so
    that none is in the way of another. Nothing when nothing is wanted."""
    if not wanted:
        return []
    ranking = list(dict.fromkeys(_ranked(hits, wanted)))
    languages = sorted({one.language for one in wanted})
    return [
        _judged(query, "all", ranking, wanted),
        *(
            _judged(
                query,
                language,
                [item for item in ranking if not isinstance(item, Target) or item.language == language],
                [one for one in wanted if one.language == language],
            )
            for language in languages
        ),
    ]


_Item = Target | UUID
"""What stands at a rank: something wanted, or the id of a document or passage that nobody wanted."""


def _ranked(hits: Sequence[Hit], wanted: Sequence[Target]) -> Iterator[_Item]:
    """What the hits are, in their order. Documents are ranked where documents were judged, passages where a passage
    was; a hit that holds two passages is both, one after the other."""
    by_passage = any(one.chars for one in wanted)
    for hit in hits:
        of_document = [one for one in wanted if one.document_id == hit.citation.document_id]
        held = [one for one in of_document if one.chars and _holds(hit.citation.chars, one.chars)]
        met = held or [one for one in of_document if not one.chars]
        if met:
            yield from met
        else:
            yield hit.citation.id if by_passage else hit.citation.document_id


def _holds(found: tuple[int, int], wanted: tuple[int, int]) -> bool:
    """Whether the two have half of the shorter in common: passages are cut elsewhere when a document is split anew."""
    shared = min(found[1], wanted[1]) - max(found[0], wanted[0])
    return 2 * shared >= min(found[1] - found[0], wanted[1] - wanted[0])


def _judged(query: GoldenQuery, language: str, ranking: Sequence[_Item], wanted: Sequence[Target]) -> Judged:
    return Judged(
        query.language,
        language,
        tuple(item.grade if isinstance(item, Target) else 0 for item in ranking),
        tuple(sorted((one.grade for one in wanted), reverse=True)),
    )


_TARGETS = """
SELECT j.golden_query_id, j.id, j.document_id, j.grade, place.start, place.start + j."end" - j.start,
  COALESCE(c.language, r.language)
FROM search_judgement j
JOIN search_goldenquery g ON g.id = j.golden_query_id
JOIN kb_document d ON d.id = j.document_id AND d.collection_id = g.collection_id
JOIN kb_revision r ON r.id = d.live_revision_id
LEFT JOIN kb_revisiontext judged ON judged.revision_id = j.revision_id AND j.revision_id <> r.id
LEFT JOIN kb_revisiontext live ON live.revision_id = r.id AND judged.revision_id IS NOT NULL
CROSS JOIN LATERAL (SELECT CASE WHEN j.revision_id = r.id THEN j.start
  ELSE NULLIF(strpos(live.text, substr(judged.text, j.start + 1, j."end" - j.start)), 0) - 1 END AS start) place
LEFT JOIN LATERAL (SELECT language FROM kb_chunk
  WHERE revision_id = r.id AND start <= place.start + (j."end" - j.start) / 2
    AND "end" > place.start + (j."end" - j.start) / 2 ORDER BY ordinal LIMIT 1) c ON true
WHERE g.collection_id = %s AND j.grade > 0
ORDER BY j.grade DESC, j.id
"""
