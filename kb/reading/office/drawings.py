"""Words within drawings of Office files: text boxes, charts and diagrams (ECMA-376, part 1, 21)."""

from collections.abc import Iterator

from lxml import etree

from kb.reading import text

CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart"
"""The element that stands for a chart in a drawing and names its part."""

DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds"
"""The element that does so for a diagram."""

_BREAK = {"br": " ", "tab": "\t"}


def paragraphs(body: etree._Element) -> list[str]:
    """The paragraphs of a text body that have text, each on one line."""
    return [words for one in body.iterchildren("{*}p") if (words := paragraph(one))]


def paragraph(element: etree._Element) -> str:
    """The text of a paragraph, its fields' results and the characters of its formulas in."""
    return text.one_line("".join(_words(element)))


def chart(root: etree._Element) -> list[str]:
    """A chart in lines: its titles, then its series with the categories they run over. Its numbers are a picture's."""
    lines = [text.one_line("".join(_words(title))) for title in root.iter("{*}title")]
    series = [_cached(name) for one in root.iter("{*}ser") for name in one.iterchildren("{*}tx")]
    first = next(root.iter("{*}cat"), None)
    categories = [] if first is None else [words for words in map(_value, first.iter("{*}pt")) if words]
    lines += [", ".join(filter(None, series)), ", ".join(categories)]
    return [line for line in lines if line]


def diagram(root: etree._Element) -> list[str]:
    """The texts of a diagram's data, in its order."""
    return [words for point in root.iter("{*}pt") for body in point.iterchildren("{*}t") for words in paragraphs(body)]


def reference(element: etree._Element, name: str = "id") -> str:
    """The id of the relationship that an element names its part by."""
    return next((str(value) for key, value in element.items() if str(key).endswith(f"relationships}}{name}")), "")


def _words(element: etree._Element) -> Iterator[str]:
    for one in element.iter("{*}t", "{*}br", "{*}tab"):
        yield _BREAK.get(one.tag.rpartition("}")[2], one.text or "")


def _cached(name: etree._Element) -> str:
    return " ".join(filter(None, map(_value, name.iter("{*}pt")))) or text.one_line(name.findtext("{*}v") or "")


def _value(point: etree._Element) -> str:
    return text.one_line(point.findtext("{*}v") or "")
