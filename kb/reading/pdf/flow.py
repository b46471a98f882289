"""A PDF's blocks as sections, in order: what the end of a page or column cuts in two is put together again."""

from collections.abc import Iterator, Sequence

from kb.reading.headings import Headings
from kb.reading.pdf import blocks as pdf_blocks
from kb.reading.pdf import tables
from kb.reading.pdf import text as pdf_text
from kb.reading.pdf.blocks import Block, Usual
from kb.reading.pdf.lines import Line
from kb.reading.pdf.text import Compounds
from kb.reading.sections import Section

_SMALL_PRINT = 0.92
_SAME_FONT = 0.1


class Flow:
    """Takes the blocks of page after page. Each waits for the next, which may go on with it."""

    def __init__(self, compounds: Compounds, headings: Headings) -> None:
        self._compounds = compounds
        self._headings = headings
        self._open: Block | None = None
        self._notes: list[Block] = []
        self._usual = Usual((), 0.0)

    def add(self, blocks: Sequence[Block], usual: Usual, *, body: float) -> Iterator[Section]:
        """The sections that are complete when the blocks of a page have come. `body` is the height of its letters."""
        text, notes = _without_notes(blocks, body)
        for index, block in enumerate(text):
            goes_on = _goes_on_beside if index else _goes_on_overleaf
            if self._open and goes_on(self._open, block, usual if index else self._usual):
                self._open = _joined(self._open, block)
                continue
            yield from self.rest()
            self._open = block
        if not blocks:
            yield from self.rest()  # a picture, or nothing: what follows begins anew
        self._usual = usual
        self._notes += notes

    def rest(self) -> Iterator[Section]:
        """The sections that waited."""
        waiting = [*([self._open] if self._open else []), *self._notes]
        self._open, self._notes = None, []
        for block in waiting:
            yield from self._sections(block)

    def _sections(self, block: Block) -> Iterator[Section]:
        if block.kind != "heading":
            yield pdf_text.section(block, self._headings.path, self._compounds)
            return
        if not block.lines:
            self._headings.enter(block.level, block.title)
            return
        section = pdf_text.section(block, (), self._compounds)
        path = self._headings.enter(block.level, section.text)
        yield Section(section.text, "heading", path, section.marks)


def _without_notes(blocks: Sequence[Block], body: float) -> tuple[Sequence[Block], list[Block]]:
    """The blocks, and the small print below them: notes at the foot of a page do not part its text from the next."""
    count = len(blocks)
    while count > 1 and blocks[count - 1].kind in ("prose", "list") and _is_small(blocks[count - 1], body):
        count -= 1
    return blocks[:count], list(blocks[count:])


def _is_small(block: Block, body: float) -> bool:
    return max(line.height for line in block.lines) < _SMALL_PRINT * body


def _goes_on_overleaf(above: Block, below: Block, usual: Usual) -> bool:
    if above.kind == "table" and below.kind == "table":
        return tables.same_columns(above.rows, below.rows)
    if above.kind == "code" and below.kind == "code":
        return True
    if above.kind not in ("prose", "list") or below.kind != "prose":
        return False
    return usual.is_low(above.lines[-1]) and _runs_on(above.lines[-1], below.lines, usual)


def _goes_on_beside(above: Block, below: Block, usual: Usual) -> bool:
    """Whether a paragraph goes on at the top of the next column; labels in a drawing are single lines."""
    if above.kind not in ("prose", "list") or below.kind != "prose" or len(above.lines) < 2:
        return False
    last, first = above.lines[-1], below.lines[0]
    if first.baseline > last.baseline - last.height or first.begin < max(line.end for line in above.lines):
        return False
    return not usual.had_room(last, first) and _runs_on(last, below.lines, usual)


def _runs_on(last: Line, below: Sequence[Line], usual: Usual) -> bool:
    """Whether a paragraph goes on where its page or column ends."""
    first = below[0]
    if last.hyphenated:
        return True
    if abs(last.height - first.height) > _SAME_FONT * last.height or last.bold != first.bold:
        return False
    if pdf_blocks.begins_block(first) or pdf_blocks.SENTENCE_END.search(last.text):
        return False
    is_indented = len(below) > 1 and first.begin - below[1].begin > 0.7 * first.height
    if is_indented and not first.text[0].islower():
        return False
    return first.text[0].islower() or not usual.had_room(last, first)


def _joined(above: Block, below: Block) -> Block:
    rows = below.rows
    if above.kind == "table" and len(rows) > 1 and _words(rows[0]) == _words(above.rows[0]):
        rows = rows[1:]  # the header, said again
    return Block(above.kind, above.lines + below.lines, above.rows + rows)


def _words(row: tables.Row) -> list[str]:
    return [line.text for cell in row.cells for line in cell]
