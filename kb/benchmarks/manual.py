"""A manual in HTML, as DocBook makes it: its sentences and its headings, to be looked for in the same manual's PDF."""

import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

import regex
from lxml import etree, html
from lxml.html import defs

_ASIDE = regex.compile(r"[\s\p{Pd}\u00ad\u2212+'\"`´‘-‟«»‹›「」『』]+")
"""White space, hyphens and quotes: HTML and print do not agree on them. Nor on what joins keys: Ctrl+F1, Ctrl-F1."""

_NUMBER = regex.compile(
    r"^(?:(?:chapter|appendix|part|kapitel|anhang|teil|chapitre|annexe|capítulo|apéndice|глава|приложение)\s+\w+\.?"
    r"|第\s*\w+\s*[章部]|부록\s*\w+\.?|제?\s*\d+\s*장\.?|附录\s*\w+\.?|付録\s*\w+\.?|(?:\d+|[A-Z])(?:\.\d+)*\.?)(?=\s)\s*",
    regex.IGNORECASE,
)
_CAPTION = regex.compile(
    r"^(?:(?:table|tabelle|tableau|tabla|tabella|таблица|표|表|figure|abbildung|figura|рисунок|그림|図|图)\s*\d+(?:\.\d+)*"
    r"|第\s*\d+\s*[章部])[.:：]?\s+",
    regex.IGNORECASE,
)
_SENTENCE_END = regex.compile(r"(?<=[。！？])|(?<=[.!?;:])\s+")
_UNSPACED = regex.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_UNSPACED_LEAST, _OTHER_LEAST = 12, 30

_BLOCKS = defs.block_tags | {"section"}
_LEFT_OUT = frozenset(["script", "style", "head", "pre"])
_NO_TEXT_OF_ITS_OWN = frozenset(["navheader", "navfooter", "toc", "list-of-tables", "list-of-figures"])
_ELSEWHERE = "\0"
"""Stands for what a cross-reference says: it differs between HTML, where it is a link, and print."""

Chain = tuple[str, ...]
"""A heading and those above it, from the outermost on, as `title` leaves them."""


def folded(words: str) -> str:
    """The words as they are compared."""
    return _ASIDE.sub("", unicodedata.normalize("NFKC", words)).casefold()


def title(words: str) -> str:
    """A heading as it is compared: without its number."""
    return folded(_NUMBER.sub("", " ".join(unicodedata.normalize("NFKC", words).split())))


def sentences(files: Sequence[Path]) -> list[str]:
    """The sentences that are long enough to be found by their words, those with cross-references left out, and without
    the numbers of chapters, tables and figures: print sets them in a way of its own."""
    blocks = (block for file in files for block in _Blocks(_body(file)).found)
    words = (_CAPTION.sub("", " ".join(block.split())) for block in blocks)
    cut = (sentence.strip() for block in words for sentence in _SENTENCE_END.split(block))
    return [sentence for sentence in cut if _ELSEWHERE not in sentence and _is_long(sentence)]


def headings(files: Sequence[Path]) -> Iterator[Chain]:
    """The headings of the whole book in order, as h1 to h5 nest them."""
    open_: list[tuple[str, str]] = []
    for file in files:
        for element in _body(file).iter("h1", "h2", "h3", "h4", "h5"):
            words = title(_text(element))
            if "title" in (element.get("class") or "") and words:
                open_ = [(tag, said) for tag, said in open_ if tag < str(element.tag)]
                open_.append((str(element.tag), words))
                yield tuple(said for _tag, said in open_)


def _body(file: Path) -> etree._Element:
    body = html.fromstring(file.read_bytes()).find("body")
    return etree.Element("body") if body is None else body


def _text(element: etree._Element) -> str:
    return "".join(map(str, element.itertext()))


def _is_long(sentence: str) -> bool:
    return len(_UNSPACED.findall(sentence)) >= _UNSPACED_LEAST or len(sentence) >= _OTHER_LEAST


class _Blocks:
    """The texts of a page's blocks."""

    def __init__(self, body: etree._Element) -> None:
        self.found: list[str] = []
        self._words: list[str] = []
        self._walk(body)
        self._end()

    def _walk(self, element: etree._Element) -> None:
        if isinstance(element.tag, str) and element.tag not in _LEFT_OUT:
            self._enter(element)
        self._words.append(element.tail or "")

    def _enter(self, element: etree._Element) -> None:
        if element.tag in _BLOCKS:
            self._end()
            if _NO_TEXT_OF_ITS_OWN.isdisjoint((element.get("class") or "").split()):
                self._inside(element)
            self._end()
        elif _is_reference(element):
            self._words.append(_ELSEWHERE)
        else:
            self._inside(element)

    def _inside(self, element: etree._Element) -> None:
        self._words.append(element.text or "")
        for child in element:
            self._walk(child)

    def _end(self) -> None:
        self.found.append("".join(self._words))
        self._words = []


def _is_reference(element: etree._Element) -> bool:
    """Whether print says something else here: a link to another place, the mark of a note, a picture. A link to the
    web keeps its words where they are its address."""
    if element.tag in ("sup", "img") or "inlinemediaobject" in (element.get("class") or ""):
        return True
    target = element.get("href")
    return element.tag == "a" and target is not None and folded(target) != folded(_text(element))
