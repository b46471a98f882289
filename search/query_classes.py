"""Classes of query: questions in the language of their answer and in others, exact codes, and names. Neither half of a
search may hurt the other in any of them.

Questions are a dataset's own. Codes are put behind sentences of its paragraphs, each with a sibling that differs in one
digit; they are asked for by themselves and with a question in any language. Names are those that the paragraphs have:
words with capitals that stand together within a sentence, and Chinese ones with a dot between their parts.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import regex

from kb import boundaries
from search.evaluation import Paragraph, Question

SAME, ACROSS, CODES, NAMES = CLASSES = ("same language", "across languages", "codes", "names")

FEW = 3
"""A name that stands in more paragraphs is no exact query."""

_NAME = regex.compile(
    r"(?<=[\p{Ll}\p{Lo},]\s)\p{Lu}[\p{L}’'-]*\p{Ll}(?:\s\p{Lu}[\p{L}’'-]*\p{Ll})+|\p{Han}{2,3}(?:·\p{Han}{2,3})+"
)


@dataclass(frozen=True)
class Exact:
    """A query of a class, and the keys of all paragraphs that answer it."""

    kind: str
    text: str
    language: str
    answers: frozenset[int]


def with_codes(paragraphs: Sequence[Paragraph], *, count: int, seed: int = 0) -> tuple[list[Paragraph], dict[str, int]]:
    """The paragraphs, `count` of them with a code each; and the codes with the keys of their paragraphs."""
    chooser = random.Random(seed)  # noqa: S311 - a sample, not a secret
    given = dict(
        zip(chooser.sample(range(len(paragraphs)), min(count, len(paragraphs))), _codes(chooser), strict=False)
    )
    marked = [_with_code(one, given[place], chooser) if place in given else one for place, one in enumerate(paragraphs)]
    return marked, {code: paragraphs[place].key for place, code in given.items()}


def of(
    paragraphs: Sequence[Paragraph], questions: Sequence[Question], codes: dict[str, int], *, count: int, seed: int = 0
) -> list[Exact]:
    """Up to `count` queries of each class about these paragraphs, each of which is in one language."""
    chooser = random.Random(seed)  # noqa: S311 - a sample, not a secret
    written = {paragraph.key: paragraph.language for paragraph in paragraphs}
    asked: dict[int, list[Question]] = {}
    for question in questions:
        asked.setdefault(question.answer, []).append(question)
    made = [
        *(
            Exact(
                SAME if one.language == written[one.answer] else ACROSS, one.text, one.language, frozenset({one.answer})
            )
            for one in questions
        ),
        *(_of_code(code, key, asked.get(key, []), chooser) for code, key in codes.items()),
        *_of_names(paragraphs),
    ]
    kinds = [[one for one in made if one.kind == kind] for kind in CLASSES]
    return [one for kind in kinds for one in chooser.sample(kind, min(count, len(kind)))]


def _codes(chooser: random.Random) -> Iterator[str]:
    """Part numbers, error codes, paragraphs and versions, in pairs that differ in one digit; no two the same."""
    seen: set[str] = set()
    while True:
        a, b, c = chooser.choice("ABCDEHKMPRTX"), chooser.choice("BCDFGHKLMNPQ"), chooser.randrange(1000, 9999)
        d, e = chooser.randrange(1, 9), chooser.randrange(10, 99)
        form = chooser.choice([f"{a}{b}-{c}/", f"{a}-{c}", f"§ {e}.{d}.", f"{a}{b}{c}-{e}", f"{d}.{e}."])
        pair = [f"{form}{digit}" for digit in (d, d + 1)]
        if seen.isdisjoint(pair):
            seen.update(pair)
            yield from pair


def _with_code(paragraph: Paragraph, code: str, chooser: random.Random) -> Paragraph:
    """With the code in brackets at the end of one of its sentences."""
    text = paragraph.text
    sentences = list(boundaries.sentences(text, 0, len(text), language=paragraph.language))
    _start, end = boundaries.trim(text, *chooser.choice(sentences))
    return replace(paragraph, text=f"{text[:end]} ({code}){text[end:]}")


def _of_code(code: str, key: int, asked: Sequence[Question], chooser: random.Random) -> Exact:
    if not asked or chooser.random() < 0.5:
        return Exact(CODES, code, "und", frozenset({key}))
    question = chooser.choice(asked)
    return Exact(CODES, f"{code} {question.text}", question.language, frozenset({key}))


def _of_names(paragraphs: Sequence[Paragraph]) -> Iterator[Exact]:
    """The names of these paragraphs; whichever has one, in any language, answers."""
    found = {name[0]: one.language for one in paragraphs for name in _NAME.finditer(one.text)}
    for name, language in sorted(found.items()):
        answers = frozenset(one.key for one in paragraphs if name in one.text)
        if len(answers) <= FEW:
            yield Exact(NAMES, name, language, answers)
