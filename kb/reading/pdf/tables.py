"""Tables on a PDF page, and columns that were written line by line across the page.

Programs write a table cell by cell: the lines of one cell follow each other, and the next cell stands beside it. Where
that happens in row after row, with the cells of the rows below each other, there is a table.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import regex
from msgspec import Struct
from msgspec.structs import replace

from kb.reading.pdf.lines import Line
from kb.reading.sections import Box

_LEADING = 1.7
"""Lines of one cell are no further apart, in font heights."""

_SAME_LEADING = 1.3
"""Nor so many times further apart than the two lines before."""

_ROW_GAP = 4.0
"""Rows of one table are no further apart, in font heights of the line above."""

_CELL_LINES = 25
"""Longer cells are columns of text beside each other."""

_COLUMN_LINES = 6
_COLUMN_FILL = 0.8
_COLUMN_LETTERS = 20
"""Two columns of so many lines, as full as this and so long, are text in columns, not cells."""

_BULLET = regex.compile(r"[•‣◦▪●○■□❖➢✓*·–—-]|\(?\d{1,3}[.)、]|[(（]?[a-zA-Z][.)）]")
_DIGIT = regex.compile(r"\p{Nd}")

Cell = list[Line]


class Row(Struct, gc=False):
    """The cells of a row by column; empty ones have no lines."""

    cells: list[Cell]


class Table(Struct, gc=False):
    """Rows of one number of cells each."""

    lines: list[Line]
    rows: list[Row]


def parts(lines: Sequence[Line]) -> Iterator[list[Line] | Table]:
    """The lines in the order of reading, and the tables among them."""
    if not any(_beside(one, other) for one, other in pairwise(lines)):
        yield list(lines)
        return
    plain: list[Line] = []
    for group in _grids(_rows(_stacks(lines))):
        columns = _in_order(_columns(group), group)
        if len(group) < 2 or len(columns) < 2 or _is_list(group) or _is_long(group):
            plain += [line for row in group for line in _in_one(row)]
        elif _is_text_in_columns(group, columns):
            plain += [line for column in _by_column(group, columns) for line in column]
        else:
            if plain:
                yield plain
                plain = []
            yield Table(_lines(group), [Row(_placed(row, columns)) for row in group])
    if plain:
        yield plain


def has_header(rows: Sequence[Row]) -> bool:
    """Whether the first row says what stands in the columns: it alone is bold, or it alone is without figures."""
    first, *others = rows
    if len(others) < 1 or not all(first.cells[1:]):
        return False
    if _is_bold(first):
        return not all(map(_is_bold, others))
    if _figures(first):
        return False
    counted = sum(1 for row in others if _figures(row))
    return len(others) >= 2 and counted * 2 >= len(others)


def same_columns(one: Sequence[Row], other: Sequence[Row]) -> bool:
    """Whether two tables have cells below each other: the second goes on with the first on the next page."""
    above, below = _columns([row.cells for row in one]), _columns([row.cells for row in other])
    if len(one[0].cells) != len(other[0].cells):
        return False
    return all(max(a[0], b[0]) < min(a[1], b[1]) for a, b in zip(above, below, strict=False))


def _is_long(rows: Sequence[Sequence[Cell]]) -> bool:
    return any(len(cell) > _CELL_LINES for row in rows for cell in row)


def _is_list(rows: Sequence[Sequence[Cell]]) -> bool:
    return all(map(_is_item, rows))


def _is_item(row: Sequence[Cell]) -> bool:
    """Whether a row is an item of a list whose bullet or number stands apart from it."""
    return len(row) == 2 and len(row[0]) == 1 and _BULLET.fullmatch(row[0][0].text) is not None


def _in_one(row: Sequence[Cell]) -> list[Line]:
    """The lines of a row outside of a table; where each is one piece of the same line, put together again."""
    if _is_item(row):
        bullet, item = row
        return [_put_together([bullet[0], item[0]]), *item[1:]]
    if len(row) == 1 or any(len(cell) > 1 for cell in row):
        return [line for cell in row for line in cell]
    leftward = any(cell[0].leftward for cell in row)
    return [_put_together(sorted((cell[0] for cell in row), key=lambda line: line.box[0], reverse=leftward))]


def _put_together(pieces: Sequence[Line]) -> Line:
    """The pieces of a line in the order of reading as one, which looks as the longest does."""
    longest = max(pieces, key=lambda piece: len(piece.text))
    words = " ".join(piece.text for piece in pieces)
    places = [piece.place for piece in pieces if piece.place]
    box, place = _around([piece.box for piece in pieces]), _around(places) if places else None
    leftward = any(piece.leftward for piece in pieces)
    return replace(longest, text=words, box=box, place=place, hyphenated=pieces[-1].hyphenated, leftward=leftward)


def _around(boxes: Sequence[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _is_bold(row: Row) -> bool:
    return all(line.bold for cell in row.cells for line in cell)


def _figures(row: Row) -> bool:
    return any(_DIGIT.search(line.text) for cell in row.cells for line in cell)


def _beside(one: Line, other: Line) -> bool:
    """Whether two lines overlap in height and not in width."""
    (left, top, right, bottom), (x0, y0, x1, y1) = one.box, other.box
    return min(bottom, y1) - max(top, y0) > 0.3 * min(bottom - top, y1 - y0) and (x0 >= right or x1 <= left)


def _stacks(lines: Sequence[Line]) -> Iterator[Cell]:
    """Lines that stand closely below each other, as they follow each other."""
    stack = [lines[0]]
    beside: Line | None = None
    for line in lines[1:]:
        if not _goes_on(stack, line, beside):
            yield from _without_what_is_above(stack, line)
            beside = stack[-1]
            stack = []
        stack.append(line)
    yield stack


def _goes_on(stack: Cell, line: Line, beside: Line | None) -> bool:
    """Whether a line belongs to the lines above it, and neither to a table below them nor to the text below a table."""
    last = stack[-1]
    if not _is_below(last, line):
        return False
    if len(stack) > 1 and line.baseline - last.baseline > _SAME_LEADING * (last.baseline - stack[-2].baseline):
        return False
    return beside is None or not (_beside(beside, last) and _share_width(beside, line))


def _without_what_is_above(stack: Cell, beside: Line) -> Iterator[Cell]:
    """The first cell of a row apart from the wider lines closely above it, as the line beside it tells."""
    first = next((at for at, line in enumerate(stack) if _beside(line, beside)), 0)
    if any(_share_width(line, beside) for line in stack[:first]):
        yield stack[:first]
        stack = stack[first:]
    yield stack


def _is_below(above: Line, line: Line) -> bool:
    distance = line.baseline - above.baseline
    if not 0.2 * above.height < distance <= _LEADING * max(above.height, line.height):
        return False
    return _share_width(above, line)


def _share_width(one: Line, other: Line) -> bool:
    """Whether two lines overlap in width."""
    return min(one.box[2], other.box[2]) > max(one.box[0], other.box[0])


def _rows(stacks: Iterator[Cell]) -> Iterator[list[Cell]]:
    row: list[Cell] = []
    for stack in stacks:
        if row and not _is_in_row(row, stack):
            yield row
            row = []
        row.append(stack)
    yield row


def _is_in_row(row: list[Cell], stack: Cell) -> bool:
    top, bottom = min(cell[0].box[1] for cell in row), max(cell[-1].box[3] for cell in row)
    overlap = min(bottom, stack[-1].box[3]) - max(top, stack[0].box[1])
    if overlap < 0.3 * (stack[0].box[3] - stack[0].box[1]):
        return False
    left, right = _extent(stack)
    return all(right <= cell_left or left >= cell_right for cell_left, cell_right in map(_extent, row))


def _extent(cell: Cell) -> tuple[float, float]:
    if len(cell) == 1:  # most are
        left, _top, right, _bottom = cell[0].box
        return left, right
    return min(line.box[0] for line in cell), max(line.box[2] for line in cell)


def _grids(rows: Iterator[list[Cell]]) -> Iterator[list[list[Cell]]]:
    """Runs of rows with cells below each other; a row of one cell is a run of its own."""
    run: list[list[Cell]] = []
    columns: list[tuple[float, float]] = []
    for row in rows:
        if run and not _continues(run[-1], columns, row):
            yield run
            run, columns = [], []
        run.append(row)
        columns = _merged([*columns, *map(_extent, row)])
    if run:
        yield run


def _continues(above: list[Cell], columns: Sequence[tuple[float, float]], row: list[Cell]) -> bool:
    if len(row) < 2 or len(above) < 2:
        return False
    bottom = max(cell[-1].box[3] for cell in above)
    if not -1.0 <= row[0][0].box[1] - bottom <= _ROW_GAP * row[0][0].height:
        return False
    return sum(1 for cell in row if _column_of(cell, columns) is not None) >= 2


def _columns(rows: Sequence[Sequence[Cell]]) -> list[tuple[float, float]]:
    """The columns, from left to right: stretches of width that cells share."""
    return _merged([_extent(cell) for row in rows for cell in row if cell])


def _merged(extents: list[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for left, right in sorted(extents):
        if merged and left < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(right, merged[-1][1]))
        else:
            merged.append((left, right))
    return merged


def _in_order(columns: list[tuple[float, float]], rows: Sequence[Sequence[Cell]]) -> list[tuple[float, float]]:
    """The columns in the order of reading: from right to left where most words are read so. Figures say nothing."""
    lines = [line for line in _lines(rows) if any(map(str.isalpha, line.text))]
    return columns[::-1] if sum(line.leftward for line in lines) * 2 > len(lines) else columns


def _column_of(cell: Cell, columns: Sequence[tuple[float, float]]) -> int | None:
    left, right = _extent(cell)
    found = [index for index, (x0, x1) in enumerate(columns) if min(right, x1) > max(left, x0)]
    return found[0] if len(found) == 1 else None


def _placed(row: Sequence[Cell], columns: Sequence[tuple[float, float]]) -> list[Cell]:
    cells: list[Cell] = [[] for _column in columns]
    for cell in row:
        cells[_column_of(cell, columns) or 0] += cell
    return cells


def _by_column(rows: Sequence[Sequence[Cell]], columns: Sequence[tuple[float, float]]) -> list[Cell]:
    placed = [_placed(row, columns) for row in rows]
    return [[line for row in placed for line in row[index]] for index in range(len(columns))]


def _is_text_in_columns(rows: Sequence[Sequence[Cell]], columns: Sequence[tuple[float, float]]) -> bool:
    found = _by_column(rows, columns)
    return all(_is_text(lines, right - left) for lines, (left, right) in zip(found, columns, strict=True))


def _is_text(lines: Cell, width: float) -> bool:
    if len(lines) < _COLUMN_LINES:
        return False
    full = sum(1 for line in lines if line.box[2] - line.box[0] >= _COLUMN_FILL * width)
    return full * 2 > len(lines) and sum(len(line.text) for line in lines) >= _COLUMN_LETTERS * len(lines)


def _lines(rows: Sequence[Sequence[Cell]]) -> list[Line]:
    return [line for row in rows for cell in row for line in cell]
