"""Classes of query are made from the text itself: codes stand in their paragraph alone, names in few."""

import regex

from search import evaluation, query_classes
from search.evaluation import Paragraph, Question
from search.query_classes import ACROSS, CODES, NAMES, SAME

TEXTS = [
    ("en", "The observatory stands on a hill. It was founded by Maria Mitchell in 1850. The dome is green."),
    ("de", "Die Kuppel ist grün. Sie wurde von Maria Mitchell und Johann Palisa bezahlt."),
    ("zh", "天文台由玛丽亚·米切尔创建。圆顶是绿色的。"),
    ("en", "The Great Comet was seen by the Great Comet club, and the great comet came back."),
]
PARAGRAPHS = [Paragraph(key, language, text) for key, (language, text) in enumerate(TEXTS)]
QUESTIONS = [Question(f"{language}{key}", language, "Who?", key) for key in range(4) for language in ("en", "de")]


def test_a_code_stands_in_its_paragraph_alone_and_takes_nothing_away():
    marked, codes = query_classes.with_codes(PARAGRAPHS, count=3)
    assert len(codes) == 3
    for code, key in codes.items():
        assert [one.key for one in marked if code in one.text] == [key]
        assert marked[key].text.replace(f" ({code})", "") == PARAGRAPHS[key].text


def test_codes_come_in_pairs_that_differ_in_one_digit():
    many = [Paragraph(key, "en", "A sentence. Another one.") for key in range(100)]
    _marked, codes = query_classes.with_codes(many, count=100)
    written = list(codes)
    assert len(set(written)) == 100
    for one, sibling in zip(written[::2], written[1::2], strict=True):
        assert one[:-1] == sibling[:-1]
        assert regex.search(r"\d$", one)


def test_the_classes():
    marked, codes = query_classes.with_codes(PARAGRAPHS, count=4)
    made = query_classes.of(marked, QUESTIONS, codes, count=100)
    of_kind = {kind: [one for one in made if one.kind == kind] for kind in query_classes.CLASSES}
    assert {one.language for one in of_kind[SAME] if 1 in one.answers} == {"de"}
    assert {one.language for one in of_kind[ACROSS] if 1 in one.answers} == {"en"}
    assert {next(iter(one.answers)) for one in of_kind[CODES]} == {0, 1, 2, 3}
    assert {one.text: one.answers for one in of_kind[NAMES]} == {
        "Maria Mitchell": {0, 1}, "Johann Palisa": {1}, "玛丽亚·米切尔": {2}, "Great Comet": {3},
    }  # fmt: skip


def test_the_same_seed_makes_the_same():
    dataset = evaluation.Dataset(PARAGRAPHS, QUESTIONS)
    made = [query_classes.with_codes(dataset.paragraphs, count=4, seed=7) for _ in range(2)]
    assert made[0] == made[1]
    asked = [query_classes.of(made[0][0], QUESTIONS, made[0][1], count=2, seed=7) for _ in range(2)]
    assert asked[0] == asked[1]
