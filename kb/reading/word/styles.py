"""What a paragraph is by its style and by what it says itself: a heading, numbered, a caption, hidden."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lxml import etree

from kb.reading import text
from kb.reading.word.markup import VAL, name, number, path, toggle, value

_DEEPEST = 32
"""Styles that a style may be based on, one upon the other; one that is based on itself ends here too."""

_BODY = 9
"""The outline level of what is no heading."""

# Word writes the names of its own styles in English whatever its language; other programs write their own.
_HEADING = re.compile(
    "(?:heading|überschrift|titre|título|títol|titolo|titlu|kop|rubrik|overskrift|otsikko|nagłówek|nadpis|naslov|címsor"
    "|заголовок|επικεφαλίδα|başlık|עنوان|عنوان|כותרת|标题|標題|見出し|제목|หัวเรื่อง|tiêu đề|judul) ?([1-9])"
)
_TITLES = frozenset((
    "title", "titel", "titre", "título", "titolo", "tytuł", "название", "标题", "標題", "表題", "제목",
))  # fmt: skip
_CAPTIONS = frozenset((
    "caption", "beschriftung", "légende", "descripción", "epígrafe", "didascalia", "legenda", "bijschrift",
    "название объекта", "题注", "圖表標題", "標號", "図表番号", "캡션",
))  # fmt: skip
_CONTENTS = re.compile("(?:toc|contents|verzeichnis|tm|目录|目錄|目次|wpsoffice手动目录) ?[1-9]|table of figures")

_PROPERTIES, _STYLE = name("w:pPr"), path("w:pPr/w:pStyle")
_OUTLINE, _LIST, _LIST_LEVEL = name("w:outlineLvl"), path("w:numPr/w:numId"), path("w:numPr/w:ilvl")
_BOLD, _HIDDEN = path("w:rPr/w:b"), path("w:rPr/w:vanish")


@dataclass(frozen=True, slots=True)
class Format:
    """What a style, or a paragraph with its style, is. `level` is that of a heading: 0 for the title of the document,
    None for what is no heading. `list_id` is the `w:numId` it is numbered in, empty where it is not; it says its
    `list_level` itself, or one of its `styles`, the nearest first, stands for one of the list's levels."""

    styles: tuple[str, ...] = ()
    level: int | None = None
    list_id: str = ""
    list_level: int | None = None
    is_caption: bool = False
    is_contents: bool = False
    is_bold: bool = False
    is_hidden: bool = False


class Styles:
    """The styles of a document, each with what it takes from those it is based on. A file may have none."""

    def __init__(self, part: etree._Element | None) -> None:
        self._styles: dict[str, etree._Element] = {}
        self._default = ""
        self._known: dict[str, Format] = {}
        for style in () if part is None else part.iterfind(name("w:style")):
            self._styles.setdefault(style.get(name("w:styleId"), ""), style)
            if style.get(name("w:type")) == "paragraph" and style.get(name("w:default")) in ("1", "true", "on"):
                self._default = style.get(name("w:styleId"), "")

    def of(self, paragraph: etree._Element) -> Format:
        """What a paragraph is."""
        style = self.named(value(paragraph, _STYLE) or self._default)
        properties = paragraph.find(_PROPERTIES)
        return style if properties is None else _said(properties, style)

    def named(self, style_id: str) -> Format:
        """What the style of this id is, or what its id alone says where the file does not define it."""
        if style_id not in self._known:
            self._known[style_id] = self._resolved(style_id)
        return self._known[style_id]

    def numbered(self) -> dict[str, str]:
        """The `w:numId` of each style that has one: lists refer to others by the style."""
        found = {style_id: value(style, path("w:pPr/w:numPr/w:numId")) for style_id, style in self._styles.items()}
        return {style_id: list_id for style_id, list_id in found.items() if list_id}

    def has_header(self, table_style: str) -> bool:
        """Whether tables of this style show their first row as a header."""
        return any(
            part.get(name("w:type")) == "firstRow"
            for style in self._line(table_style)
            for part in style.iterfind(name("w:tblStylePr"))
        )

    def _resolved(self, style_id: str) -> Format:
        if style_id not in self._styles:
            return _named(style_id, Format())
        found = Format()
        for style in reversed(list(self._line(style_id))):
            found = _styled(style, found)
        return found

    def _line(self, style_id: str) -> Iterator[etree._Element]:
        """A style, the one it is based on, and so on."""
        for _step in range(_DEEPEST):
            style = self._styles.get(style_id)
            if style is None:
                return
            yield style
            style_id = value(style, name("w:basedOn"))


def _styled(style: etree._Element, based_on: Format) -> Format:
    """A style that is based on another."""
    found = _named(value(style, name("w:name")), based_on)
    properties = style.find(_PROPERTIES)
    if properties is not None:
        found = _said(properties, found)
    bold, hidden = toggle(style, _BOLD), toggle(style, _HIDDEN)
    return replace(
        found,
        styles=(style.get(name("w:styleId"), ""), *based_on.styles),
        is_bold=found.is_bold if bold is None else bold,
        is_hidden=found.is_hidden if hidden is None else hidden,
    )


def _named(said: str, otherwise: Format) -> Format:
    """What the name of a style says."""
    said = text.one_line(said).partition(",")[0].lower()
    if said in _TITLES:
        return replace(otherwise, level=0)
    if (heading := _HEADING.fullmatch(said)) is not None:
        return replace(otherwise, level=int(heading[1]))
    return replace(
        otherwise,
        is_caption=otherwise.is_caption or said in _CAPTIONS,
        is_contents=otherwise.is_contents or _CONTENTS.fullmatch(said) is not None,
    )


def _said(properties: etree._Element, otherwise: Format) -> Format:
    """What the properties of a paragraph or of a style say, each of them on its own."""
    level, list_id, list_level = (properties.find(where) for where in (_OUTLINE, _LIST, _LIST_LEVEL))
    found = otherwise
    if level is not None:
        outline = number(level.get(VAL, ""), _BODY)
        found = replace(found, level=outline + 1 if 0 <= outline < _BODY else None)
    if list_id is not None:
        said = list_id.get(VAL, "")
        found = replace(found, list_id="" if said == "0" else said, list_level=None)
    if list_level is not None:
        found = replace(found, list_level=number(list_level.get(VAL, ""), 0))
    return found
