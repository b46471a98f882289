"""What a ranking is worth by the judgements of its golden query."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from kb import counterparts
from kb.models import Chunk
from search import statements
from search.evaluation import Judged
from search.hits import Hit, Twin
from search.models import GoldenQuery


@dataclass(frozen=True)
class Target:
    """What should be found, as it stands today: a document, or characters [start, end) of its live revision."""

    id: int
    document_id: UUID
    chars: tuple[int, int] | None
    grade: int
    language: str


@dataclass(frozen=True)
class Changes:
    """Judgements whose words are not in the live revision as they were: gone from it, or there with small changes."""

    gone: frozenset[int]
    small: frozenset[int]


def targets(query: GoldenQuery) -> list[Target]:
    """What answers a golden query, of all that is searchable now, best first.

    A passage of an earlier revision is looked for by its words in the live one. Where they are gone it answers no more,
    and its document does not stand for it: it would be found for whatever it says now.
    """
    found: dict[object, Target] = {}
    for one in _standing(query):
        if one.grade and not one.is_gone:
            # A passage that was judged in two revisions is one place; the better grade comes first.
            found.setdefault((one.document_id, one.chars), _target(one))
    return list(found.values())


def changes(query: GoldenQuery) -> Changes:
    """What has become of the words that a golden query was judged by."""
    changed = [one for one in _standing(query) if one.is_changed]
    gone = frozenset(one.id for one in changed if one.is_gone)
    return Changes(gone, frozenset(one.id for one in changed) - gone)


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
    was; a hit that holds two passages is both, one after the other, and so is one that stands for another that says
    the same."""
    by_passage = any(one.chars for one in wanted)
    for hit in hits:
        own = Twin(hit.citation.document_id, hit.citation.chars)
        met = [one for place in (own, *hit.twins) for one in _met(place, wanted)]
        if met:
            yield from met
        else:
            yield hit.citation.id if by_passage else hit.citation.document_id


def _met(place: Twin, wanted: Sequence[Target]) -> list[Target]:
    of_document = [one for one in wanted if one.document_id == place.document_id]
    held = [one for one in of_document if one.chars and _holds(place.chars, one.chars)]
    return held or [one for one in of_document if not one.chars]


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


# --- Where judgements stand today ---


@dataclass(frozen=True)
class _Standing:
    """A judgement by the live revision of its document: the whole, characters of it, or words that are gone."""

    id: int
    document_id: UUID
    grade: int
    revision_id: UUID
    language: str
    chars: tuple[int, int] | None
    is_changed: bool

    @property
    def is_gone(self) -> bool:
        return self.is_changed and self.chars is None


def _standing(query: GoldenQuery) -> list[_Standing]:
    return [_stand(*row) for row in statements.rows(_JUDGED, [query.pk])]


def _stand(
    judgement: int, document: UUID, grade: int, live: UUID, language: str, judged: UUID | None, start: int, end: int,
    found: int | None,
) -> _Standing:  # fmt: skip
    """`found` is where the words stand in the live revision as they were."""
    if judged is None:
        return _Standing(judgement, document, grade, live, language, None, is_changed=False)
    if found is not None:
        return _Standing(judgement, document, grade, live, language, (found, found + end - start), is_changed=False)
    chars = counterparts.with_changes(judged, (start, end), live)
    return _Standing(judgement, document, grade, live, language, chars, is_changed=True)


def _target(one: _Standing) -> Target:
    """In the language of the passage in which its middle is."""
    language = one.language
    if one.chars:
        middle = sum(one.chars) // 2
        held = Chunk.objects.filter(revision=one.revision_id, start__lte=middle, end__gt=middle).order_by("ordinal")
        language = held.values_list("language", flat=True).first() or language
    return Target(one.id, one.document_id, one.chars, one.grade, language)


_JUDGED = """
SELECT j.id, j.document_id, j.grade, r.id, r.language, j.revision_id, j.start, j."end", CASE WHEN j.revision_id = r.id
  THEN j.start ELSE NULLIF(strpos(live.text, substr(judged.text, j.start + 1, j."end" - j.start)), 0) - 1 END
FROM search_judgement j
JOIN search_goldenquery g ON g.id = j.golden_query_id
JOIN kb_document d ON d.id = j.document_id AND d.collection_id = g.collection_id
JOIN kb_revision r ON r.id = d.live_revision_id
LEFT JOIN kb_revisiontext judged ON judged.revision_id = j.revision_id AND j.revision_id <> r.id
LEFT JOIN kb_revisiontext live ON live.revision_id = r.id AND judged.revision_id IS NOT NULL
WHERE j.golden_query_id = %s
ORDER BY j.grade DESC, j.id
"""
