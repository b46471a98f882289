"""The measures are those of trec_eval, which pytrec_eval carries."""

import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from search import evaluation
from search.evaluation import Judged

OF_TREC = {
    "recall@1": "recall_1",
    "recall@5": "recall_5",
    "recall@10": "recall_10",
    "ndcg@10": "ndcg_cut_10",
    "mrr": "recip_rank",
    "map": "map",
}

Ranking = tuple[list[str], dict[str, int]]


@st.composite
def rankings(draw: st.DrawFn) -> Ranking:
    """What was found, in order, and the grade of each document; one at least is an answer."""
    documents = [f"d{n}" for n in range(draw(st.integers(1, 40)))]
    found = draw(st.permutations(documents))[: draw(st.integers(1, 40))]
    grades = draw(st.lists(st.integers(0, 3), min_size=len(documents), max_size=len(documents)))
    answer = draw(st.integers(0, len(documents) - 1))
    grades[answer] = max(1, grades[answer])
    return list(found), dict(zip(documents, grades, strict=True))


def judged(ranking: Ranking, asked: str = "en", written: str = "en") -> Judged:
    found, grades = ranking
    ideal = sorted((grade for grade in grades.values() if grade), reverse=True)
    return Judged(asked, written, tuple(grades[document] for document in found), tuple(ideal))


@given(rankings())
def test_they_are_those_of_trec_eval(ranking):
    found, grades = ranking
    evaluator = pytrec_eval.RelevanceEvaluator({"q": grades}, {"recall.1,5,10", "ndcg_cut.10", "recip_rank", "map"})
    theirs = evaluator.evaluate({"q": {document: -float(rank) for rank, document in enumerate(found)}})["q"]
    ours = {name: measure(judged(ranking)) for name, measure in evaluation.MEASURES.items()}
    assert ours == pytest.approx({name: theirs[OF_TREC[name]] for name in ours})


@given(st.lists(rankings(), min_size=1, max_size=6))
def test_a_summary_is_the_mean_of_all(found):
    measured = evaluation.summary([judged(one) for one in found])
    each = [evaluation.ndcg(judged(one)) for one in found]
    assert measured["queries"] == len(found)
    assert measured["ndcg@10"] == pytest.approx(sum(each) / len(each), abs=1e-4)


def test_pairs_are_kept_apart():
    first, second = Judged("en", "zh", (3,), (3,)), Judged("zh", "zh", (0,), (3,))
    measured = evaluation.by_pair([first, first, second])
    assert {pair: (one["queries"], one["recall@1"]) for pair, one in measured.items()} == {
        "en>zh": (2, 1.0),
        "zh>zh": (1, 0.0),
    }
