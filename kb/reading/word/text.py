"""The text of paragraphs as Word shows it: changes accepted, fields as their results, nothing hidden."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lxml import etree

from kb.reading.word import equations, markup, symbols
from kb.reading.word.markup import VAL, name, number, path, toggle, value
from kb.reading.word.notes import Notes
from kb.reading.word.styles import Format, Styles

_CONTENTS = "TOC"
"""The field that lists headings or captions with their pages."""

_NAME = re.compile(r"\s*(\w+)")
_AS_SHOWN = str.maketrans({"\n": " ", "\r": " ", "\u00ad": None})
_PLAIN = Format()


@dataclass(frozen=True, slots=True)
class Line:
    """The text of a paragraph. `asides` hold the paragraphs of its text boxes and notes, in order."""

    text: str
    asides: tuple[etree._Element, ...]
    is_bold: bool


@dataclass(slots=True)
class _Field:
    """Its instruction comes first, and its result only then."""

    instruction: str = ""
    has_result: bool = False

    @property
    def is_shown(self) -> bool:
        return self.has_result and _field_name(self.instruction) != _CONTENTS


class Transcript:
    """Paragraphs put down one after the other: a field may begin in one of them and end in another."""

    def __init__(self, styles: Styles, notes: Notes) -> None:
        self._styles = styles
        self._notes = notes
        self._fields: list[_Field] = []
        self._format = _PLAIN
        self._run: etree._Element | None = None  # the properties of the run that is being read
        self._begin(_PLAIN)

    def line(self, paragraphs: Sequence[etree._Element], form: Format) -> Line:
        """What Word shows of paragraphs that a tracked change has made one."""
        self._begin(form)
        for paragraph in paragraphs:
            self._look_inside(paragraph)
        for field in self._fields:
            # No instruction goes on behind its paragraph, and one that never ends must not take the document with it.
            field.has_result = True
        return Line("".join(self._pieces).strip(), tuple(self._asides), self._is_bold and bool(self._pieces))

    def end_fields(self) -> None:
        """No table of contents goes on behind a heading, whatever became of its end."""
        self._fields.clear()

    def _begin(self, form: Format) -> None:
        self._format = form
        self._pieces: list[str] = []
        self._asides: list[etree._Element] = []
        self._is_bold = True

    def _look_inside(self, parent: etree._Element) -> None:
        for child in parent:
            act = _ACTS.get(child.tag, Transcript._look_inside)
            act(self, child)

    def _add(self, words: str) -> None:
        if words and self._is_shown():
            self._pieces.append(words)
            if self._is_bold and not words.isspace():
                self._is_bold = self._says("w:b", otherwise=self._format.is_bold)

    def _add_aside(self, blocks: etree._Element | None) -> None:
        if blocks is not None and self._is_shown():
            self._asides.append(blocks)

    def _is_shown(self) -> bool:
        return all(field.is_shown for field in self._fields) and not self._says(
            "w:vanish", otherwise=self._format.is_hidden
        )

    def _says(self, toggled: str, *, otherwise: bool) -> bool:
        """Whether the run being read has a property: by itself, by its style, or by that of its paragraph."""
        if self._run is None:
            return otherwise
        own = toggle(self._run, name(toggled))
        if own is not None:
            return own
        style = value(self._run, name("w:rStyle"))
        if not style:
            return otherwise
        known = self._styles.named(style)
        return otherwise or (known.is_hidden if toggled == "w:vanish" else known.is_bold)

    def _act_run(self, run: etree._Element) -> None:
        around, self._run = self._run, run.find(name("w:rPr"))
        self._look_inside(run)
        self._run = around

    def _act_text(self, element: etree._Element) -> None:
        words = (element.text or "").translate(_AS_SHOWN)
        if symbols.PRIVATE.search(words):
            words = symbols.plain(self._font(), words)
        self._add(words)

    def _font(self) -> str:
        fonts = None if self._run is None else self._run.find(name("w:rFonts"))
        return "" if fonts is None else fonts.get(name("w:ascii"), "")

    def _act_symbol(self, element: etree._Element) -> None:
        code = element.get(name("w:char"), "")
        if re.fullmatch("[0-9A-Fa-f]{1,6}", code):
            self._add(symbols.character(element.get(name("w:font"), ""), int(code, 16)))

    def _act_tab(self, _element: etree._Element) -> None:
        self._add("\t")

    def _act_break(self, _element: etree._Element) -> None:
        self._add("\n")

    def _act_hyphen(self, _element: etree._Element) -> None:
        self._add("-")

    def _act_equations(self, paragraph: etree._Element) -> None:
        self._add("\n".join(equations.linear(one) for one in paragraph.iterfind(name("m:oMath"))))

    def _act_equation(self, equation: etree._Element) -> None:
        self._add(equations.linear(equation))

    def _act_alternatives(self, alternatives: etree._Element) -> None:
        branch = markup.chosen(alternatives)
        if branch is not None:
            self._look_inside(branch)

    def _act_control(self, control: etree._Element) -> None:
        if markup.is_shown(control):
            self._look_inside(control)

    def _act_note(self, reference: etree._Element) -> None:
        if self._is_shown():
            self._add_aside(self._notes.take(reference))

    def _act_simple_field(self, field: etree._Element) -> None:
        if _field_name(field.get(name("w:instr"), "")) != _CONTENTS:
            self._look_inside(field)

    def _act_field(self, character: etree._Element) -> None:
        kind = character.get(name("w:fldCharType"))
        if kind == "begin":
            self._add(_form_field(character))
            self._fields.append(_Field())
        elif self._fields and kind == "separate":
            self._fields[-1].has_result = True
        elif self._fields and kind == "end":
            self._fields.pop()

    def _act_instruction(self, element: etree._Element) -> None:
        if self._fields:
            self._fields[-1].instruction += element.text or ""

    def _act_nothing(self, _element: etree._Element) -> None:
        pass


def _field_name(instruction: str) -> str:
    said = _NAME.match(instruction)
    return said[1].upper() if said else ""


def _form_field(begin: etree._Element) -> str:
    """What a form field shows that keeps no result in the text: a box to tick, or the choice from a list."""
    box = begin.find(path("w:ffData/w:checkBox"))
    if box is not None:
        ticked = toggle(box, name("w:checked"))
        return "☒" if (toggle(box, name("w:default")) if ticked is None else ticked) else "☐"
    choices = begin.find(path("w:ffData/w:ddList"))
    if choices is None:
        return ""
    entries = [entry.get(VAL, "") for entry in choices.iterfind(name("w:listEntry"))]
    at = number(value(choices, name("w:result")) or value(choices, name("w:default")), 0)
    return entries[at] if 0 <= at < len(entries) else ""


_ACTS: dict[object, Callable[[Transcript, etree._Element], None]] = {
    name("w:r"): Transcript._act_run,
    name("w:t"): Transcript._act_text,
    name("w:sym"): Transcript._act_symbol,
    name("w:tab"): Transcript._act_tab,
    name("w:ptab"): Transcript._act_tab,
    name("w:br"): Transcript._act_break,
    name("w:cr"): Transcript._act_break,
    name("w:noBreakHyphen"): Transcript._act_hyphen,
    name("w:fldChar"): Transcript._act_field,
    name("w:fldSimple"): Transcript._act_simple_field,
    name("w:instrText"): Transcript._act_instruction,
    name("w:footnoteReference"): Transcript._act_note,
    name("w:endnoteReference"): Transcript._act_note,
    name("w:txbxContent"): Transcript._add_aside,
    name("w:sdt"): Transcript._act_control,
    name("m:oMathPara"): Transcript._act_equations,
    name("m:oMath"): Transcript._act_equation,
    markup.ALTERNATIVES: Transcript._act_alternatives,
    # The reading of a word, printed above it, would stand in the middle of the sentence.
    **dict.fromkeys(map(name, ("w:rt", "w:pPr", "w:rPr", "w:sdtPr", "w:delText")), Transcript._act_nothing),
    **dict.fromkeys(markup.DELETED, Transcript._act_nothing),
}
