"""Who is scored by both searches: everybody who may come to stand among the first, however the scores turn out."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.models.lexeme import COMMON
from search import lexical, ranking
from search.lexical import Asked, Term, Words
from search.ranking import Candidate

CHANCES = st.floats(0, 1)
BOTH, MEANING, WORDS = "both", "by meaning", "by words"
FOUND = st.lists(st.tuples(st.floats(-1, 1), CHANCES, st.sampled_from([BOTH, MEANING, WORDS])), max_size=40)


@given(FOUND, st.integers(1, 20))
def test_whoever_comes_first_was_scored(found, count):
    whole = [Candidate(uuid.UUID(int=n), semantic, lexical) for n, (semantic, lexical, _by) in enumerate(found)]
    known = [
        Candidate(one.chunk_id, one.semantic if by != WORDS else None, one.lexical if by != MEANING else None)
        for one, (_semantic, _lexical, by) in zip(whole, found, strict=True)
    ]
    chosen = ranking.contenders(
        known,
        count,
        farther=max((semantic for semantic, _lexical, by in found if by == WORDS), default=0.0),
        uncovered=max((lexical for _semantic, lexical, by in found if by == MEANING), default=0.0),
    )
    ranked = ranking.fuse(whole, ranking.RAW)
    # Equals may stand either way.
    ahead = [one for one in ranked if len(ranked) > count and one.fused > ranked[count].fused]
    assert {one.chunk_id for one in ahead} <= {one.chunk_id for one in chosen}


@pytest.mark.parametrize(
    ("passages", "found", "rows", "most"),
    [
        ((30, 900), 30, 9_000, 0.25),  # all that have the rare word were looked at
        ((30, 900), 40, 9_000, 0.75),  # so they were, and the last of the best has it alone
        ((COMMON, 900), 30, 9_000, 1.0),  # counted up to so many: there may be more
        ((COMMON, 900), 30, 1_500, 0.0),  # of few passages each is looked at
        ((900, 900), 30, 9_000, 0.75),  # all that have both
    ],
)
def test_how_much_others_cover_at_most(passages, found, rows, most):
    rare, frequent = (
        Term((name,), name, weight, n) for name, weight, n in zip("ab", (3.0, 1.0), passages, strict=True)
    )
    best = {uuid.UUID(int=n): Words(0.75, ("a",)) for n in range(found)}
    asked = Asked((rare, frequent), 4.0, alone=False)
    assert lexical.uncovered(asked, best, rows=rows, limit=40) == most


@pytest.mark.parametrize(
    ("uncovered", "chosen"),
    [(0.0, [1, 2]), (0.5, [1, 2]), (1.0, [1, 2, 3])],
)
def test_whoever_cannot_is_left_out(uncovered, chosen):
    scores = {1: 0.9, 2: 0.8, 3: 0.75, 4: 0.1}
    near = [Candidate(uuid.UUID(int=n), score) for n, score in scores.items()]
    found = ranking.contenders(near, 2, farther=0.0, uncovered=uncovered)
    assert [one.chunk_id.int for one in found] == chosen
