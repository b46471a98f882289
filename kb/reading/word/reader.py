"""Word (.docx): headings, paragraphs, lists, tables, notes and text boxes, in the order of the document."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count, groupby
from pathlib import Path

from lxml import etree

from kb.reading import archive, text
from kb.reading.composition import Composition
from kb.reading.headings import Headings
from kb.reading.sections import About, Item, Kind, Section, Warned
from kb.reading.word import markup, tables
from kb.reading.word.markup import TABLE, blocks, path, toggle
from kb.reading.word.notes import Notes
from kb.reading.word.numbering import Label, Numbering
from kb.reading.word.package import Package
from kb.reading.word.styles import Format, Styles
from kb.reading.word.tables import Cell, Row, Written
from kb.reading.word.text import Line, Transcript

VERSION = "2"

_PROPERTIES = {
    "creator": "author",
    "subject": "subject",
    "keywords": "keywords",
    "category": "category",
    "description": "description",
    "language": "language",
    "created": "created",
    "modified": "modified",
}
"""What a file says of itself by its name there, and by ours."""

_EMPTY = Line("", (), is_bold=True)


def read(file: Path) -> Iterator[Item]:
    """The sections of a Word file. Its marks count paragraphs as they are shown, empty ones included; a table counts
    one for each row. A note or text box stands behind the paragraph it belongs to and has its mark."""
    archive.check(file)
    package = Package(file)
    body = package.body()
    yield _about(package)
    yield from _Walk(package).sections(body)


def _about(package: Package) -> About:
    part = package.properties()
    said = {} if part is None else {etree.QName(one).localname: text.one_line(one.text or "") for one in part}
    metadata = {ours: said[theirs] for theirs, ours in _PROPERTIES.items() if said.get(theirs)}
    return About("word", VERSION, "paragraph", title=said.get("title", ""), metadata=metadata)


class _Walk:
    """One pass over the document. Items of a list that follow each other make one section."""

    def __init__(self, package: Package) -> None:
        self._styles = Styles(package.related("styles"))
        self._numbering = Numbering(package.related("numbering"), self._styles.numbered())
        self._transcript = Transcript(self._styles, Notes(package))
        self._headings = Headings()
        self._numbers = count(1)
        self._list = Composition()
        self._embedded = 0

    def sections(self, body: etree._Element) -> Iterator[Item]:
        yield from self._blocks(body)
        yield from self._end_list()
        if self._embedded:
            yield Warned("embedded_files", f"Files embedded in the document were not read: {self._embedded:,}.")

    def _blocks(self, parent: etree._Element, unit: int | None = None) -> Iterator[Section]:
        """What a part of the document holds. What stands beside its text has a unit, that of the paragraph it belongs
        to, and opens no headings."""
        for block in blocks(parent):
            if block[0].tag == TABLE:
                yield from self._end_list()
                yield from self._table(block[0], unit)
            elif block[0].tag in markup.EMBEDDED:
                self._embedded += 1
            else:
                yield from self._paragraph(block, unit)

    def _paragraph(self, paragraphs: Sequence[etree._Element], aside_of: int | None) -> Iterator[Section]:
        unit = next(self._numbers) if aside_of is None else aside_of
        form = self._styles.of(paragraphs[-1])
        level = form.level if aside_of is None else None
        if level is not None:
            self._transcript.end_fields()
        line = self._transcript.line(paragraphs, form)
        label = self._label(paragraphs[-1], form, line)
        if line.text and not form.is_contents:
            yield from self._shown(line.text, label, unit, level=level, kind="caption" if form.is_caption else "prose")
        yield from self._asides(line.asides, unit)

    def _shown(self, words: str, label: Label | None, unit: int, *, level: int | None, kind: Kind) -> Iterator[Section]:
        if label is not None and label.text:
            words = label.before(words)
            if level is None and kind == "prose":
                self._list.add("  " * label.level + words, unit, between="\n")
                return
        yield from self._end_list()
        if level is not None:
            words, kind = text.one_line(words), "heading"
            self._headings.enter(level, words)
        whole = Composition()
        whole.add(words, unit)
        if whole:
            yield whole.section(kind, self._headings.path)

    def _label(self, paragraph: etree._Element, form: Format, line: Line) -> Label | None:
        """The number before a paragraph. Word counts an empty one, and not one that is hidden with its mark."""
        if not form.list_id or (not line.text and toggle(paragraph, path("w:pPr/w:rPr/w:vanish"))):
            return None
        return self._numbering.next(form.list_id, form.list_level, form.styles)

    def _asides(self, asides: Sequence[etree._Element], unit: int) -> Iterator[Section]:
        if asides:
            yield from self._end_list()
        for aside in asides:
            yield from self._blocks(aside, unit)
            yield from self._end_list()

    def _end_list(self) -> Iterator[Section]:
        if self._list:
            yield self._list.section("list", self._headings.path)
            self._list = Composition()

    def _table(self, table: etree._Element, aside_of: int | None) -> Iterator[Section]:
        """A table as rows. One that only frames text is read as that text, and so is a row of a table without a header
        that has tables in it: such a table lays out a page."""
        rows = tables.rows(table)
        framed = tables.framed(rows)
        if framed is not None:
            yield from self._blocks(framed.element, aside_of)
            return
        by_style = tables.has_header(table, self._styles)
        is_data = by_style or any(row.is_header for row in rows)
        for is_layout, group in groupby(rows, key=lambda row: not is_data and tables.nests(row)):
            if is_layout:
                yield from self._laid_out(group, aside_of)
            else:
                yield from self._data(group, aside_of, by_style=by_style)

    def _laid_out(self, rows: Iterable[Row], aside_of: int | None) -> Iterator[Section]:
        for row in rows:
            for cell in row.cells:
                if cell.row == row.number:
                    yield from self._blocks(cell.element, aside_of)
                    yield from self._end_list()

    def _data(self, rows: Iterable[Row], aside_of: int | None, *, by_style: bool) -> Iterator[Section]:
        """Rows as one section, and behind it what stands beside their text."""
        written: list[Written] = []
        asides: list[tuple[Sequence[etree._Element], int]] = []
        begun: dict[Cell, Line] = {}
        for row in rows:
            unit = next(self._numbers) if aside_of is None else aside_of
            for cell in row.cells:
                if cell.row == row.number:
                    begun[cell] = self._cell(cell.element)
                    asides.append((begun[cell].asides, unit))
            written.append(tables.written(row, unit, [begun.get(cell, _EMPTY) for cell in row.cells]))
        written = [row for row in written if any(row.texts)]
        if written:
            headers = tables.header(written, by_style=by_style)
            yield tables.section(written, self._headings.path, headers=headers)
        for blocks_beside, unit in asides:
            yield from self._asides(blocks_beside, unit)

    def _cell(self, cell: etree._Element) -> Line:
        """The text of a cell on one line, tables in it flattened: its row is one record."""
        lines: list[Line] = []
        for block in blocks(cell):
            if block[0].tag == TABLE:
                lines.append(self._flattened(block[0]))
            elif block[0].tag in markup.EMBEDDED:
                self._embedded += 1
            else:
                lines.append(self._cell_paragraph(block))
        return _joined(lines, " ")

    def _cell_paragraph(self, paragraphs: Sequence[etree._Element]) -> Line:
        form = self._styles.of(paragraphs[-1])
        line = self._transcript.line(paragraphs, form)
        label = self._label(paragraphs[-1], form, line)
        return line if label is None or not line.text else replace(line, text=label.before(line.text))

    def _flattened(self, table: etree._Element) -> Line:
        rows = tables.rows(table)
        lines = (
            _joined([self._cell(cell.element) for cell in row.cells if cell.row == row.number], ", ") for row in rows
        )
        return _joined(list(lines), "; ")


def _joined(lines: Sequence[Line], between: str) -> Line:
    return Line(
        text.one_line(between.join(line.text for line in lines if line.text)),
        tuple(aside for line in lines for aside in line.asides),
        all(line.is_bold for line in lines if line.text),
    )
