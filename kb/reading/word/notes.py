"""Footnotes and endnotes: what they say, for the paragraphs that refer to them."""

from lxml import etree

from kb.reading.word.markup import name
from kb.reading.word.package import Package


class Notes:
    """The notes of a document, each given out once: one that refers to itself comes to an end."""

    def __init__(self, package: Package) -> None:
        self._notes: dict[tuple[str, str], etree._Element] = {}
        for kind in ("footnote", "endnote"):
            part = package.related(f"{kind}s")
            for note in () if part is None else part.iterfind(name(f"w:{kind}")):
                self._notes.setdefault((f"{kind}Reference", note.get(name("w:id"), "")), note)

    def take(self, reference: etree._Element) -> etree._Element | None:
        """The note that a `w:footnoteReference` or `w:endnoteReference` refers to."""
        return self._notes.pop((etree.QName(reference).localname, reference.get(name("w:id"), "")), None)
