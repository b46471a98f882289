"""Lines of PDF pages, and what the reader makes of them, without a PDF."""

from collections.abc import Iterable, Sequence

from hypothesis import strategies as st

from kb.reading import text
from kb.reading.headings import Headings
from kb.reading.pdf import blocks as pdf_blocks
from kb.reading.pdf import headings
from kb.reading.pdf.blocks import Block, Usual
from kb.reading.pdf.flow import Flow
from kb.reading.pdf.headings import Sizes
from kb.reading.pdf.lines import Line, Sheet
from kb.reading.pdf.text import Compounds
from kb.reading.sections import Section
from tests.kb.reading.reading import sections

WIDTH, HEIGHT = 600.0, 800.0
TOP, FOOT = 100.0, 700.0
LEADING = 12.0


def line(
    words: str,
    left: float = 72.0,
    baseline: float = TOP,
    *,
    page: int = 1,
    size: float = 10.0,
    width: float | None = None,
    bold: bool = False,
    monospaced: bool = False,
    leftward: bool = False,
) -> Line:
    """A line as wide as its letters, half as wide as high, unless a width is given; a hyphen at its end is left out."""
    said = words.removesuffix("\u00ad")
    right = left + (width if width is not None else len(said) * size / 2)
    box = (left, baseline - 0.8 * size, right, baseline + 0.2 * size)
    return Line(said, page, box, baseline, size, said != words, bold, monospaced, leftward, box)


def below(
    words: Iterable[str],
    left: float = 72.0,
    baseline: float = TOP,
    *,
    page: int = 1,
    leading: float = LEADING,
    size: float = 10.0,
    width: float | None = None,
    bold: bool = False,
    monospaced: bool = False,
) -> list[Line]:
    """Lines one below the other."""
    return [
        line(
            said,
            left,
            baseline + number * leading,
            page=page,
            size=size,
            width=width,
            bold=bold,
            monospaced=monospaced,
        )
        for number, said in enumerate(words)
    ]


def row(
    cells: Sequence[str], lefts: Sequence[float], baseline: float, *, page: int = 1, bold: bool = False
) -> list[Line]:
    """Lines beside each other; an empty cell is none."""
    return [line(said, left, baseline, page=page, bold=bold) for said, left in zip(cells, lefts, strict=True) if said]


def sheet(number: int, lines: list[Line]) -> Sheet:
    return Sheet(number, WIDTH, HEIGHT, lines, HEIGHT)


def blocks(lines: Sequence[Line]) -> list[Block]:
    return list(pdf_blocks.blocks(lines, Usual(lines, HEIGHT), code=True))


def read(*pages: Sequence[Line]) -> list[Section]:
    """The sections of a document of these pages that has no outline."""
    compounds, sizes = Compounds(), Sizes()
    flow = Flow(compounds, Headings())
    found: list[Section] = []
    for lines in pages:
        compounds.note(lines)
        sizes.note(lines)
    for lines in pages:
        found += flow.add(
            [_headed(block, sizes.body) for block in blocks(lines)], Usual(lines, HEIGHT), body=sizes.body
        )
    return sections([*found, *flow.rest()])


def _headed(block: Block, body: float) -> Block:
    level = headings.level(block, body)
    return block if level is None else Block("heading", block.lines, level=level)


_WORDS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u00ad")
    | st.sampled_from("aB1-.•表图か。ـ\u0301"),
    max_size=12,
)
_SAID = _WORDS.map(text.one_line).filter(bool)

any_line = st.builds(
    lambda said, left, baseline, **look: line(said, left * 40.0, baseline * 6.0, **look),
    _SAID,
    st.integers(0, 12),
    st.integers(2, 130),
    size=st.sampled_from([6.0, 10.0, 16.0]),
    width=st.none() | st.sampled_from([30.0, 200.0]),
    bold=st.booleans(),
    monospaced=st.booleans(),
    leftward=st.booleans(),
)
"""Any line anywhere: on a grid, so that lines of one row and of one column are common."""

any_lines = st.lists(any_line, min_size=1, max_size=30)
