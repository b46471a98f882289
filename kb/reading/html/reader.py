"""HTML: what a browser would show as text, block by block."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

from kb.reading import encoding, text
from kb.reading.failures import Reason, Unreadable
from kb.reading.html import markup
from kb.reading.html.flow import Flow
from kb.reading.sections import About, Item, Section

VERSION = "2"

_HEAD_MOST = 64 * 1024
_BODY = re.compile(r"<body\b|</head\b|<h[1-6]\b|<p\b|<div\b", re.IGNORECASE)
_TITLE = re.compile(r"<title\b[^>]*+>([^<]*+)", re.IGNORECASE)
_META = re.compile(r"<meta\b([^>]*+)>", re.IGNORECASE)
_HTML = re.compile(r"<html\b([^>]*+)>", re.IGNORECASE)
_TOLD = ("author", "description", "keywords")


def read(path: Path) -> Iterator[Item]:
    """The blocks of an HTML file. The unit of its marks is the line.

    Where a page says what its content is (`main`, `article`), the navigation, header, footer and asides around that are
    left out.
    """
    source = encoding.whole(path)
    yield _about(source)
    nothing = True
    for section in sections(source):
        nothing = False
        yield section
    if nothing:
        raise Unreadable(Reason.NO_TEXT, "There is no text in this file.")


def sections(source: str) -> Iterator[Section]:
    """The blocks of a page in clean text."""
    flow = Flow(has_content=markup.says_its_content(source))
    yield from markup.feed(flow, source)
    flow.finish()
    yield from flow.take()


def _about(source: str) -> About:
    begin = _BODY.search(source, 0, _HEAD_MOST)
    head = source[: begin.start() if begin else _HEAD_MOST]
    title = _TITLE.search(head)
    words = text.one_line(unescape(title[1])) if title else ""
    return About("html", VERSION, "line", title=words, metadata=dict(_metadata(head)))


def _metadata(head: str) -> Iterator[tuple[str, str]]:
    """What the head says of the page: language, author, description, keywords."""
    page = _HTML.search(head)
    language = markup.attributes_of(page[1]).get("lang", "") if page else ""
    if language:
        yield "language", text.one_line(language)
    for meta in _META.finditer(head):
        attributes = markup.attributes_of(meta[1])
        name = attributes.get("name", "").lower()
        if name in _TOLD and attributes.get("content", "").strip():
            yield name, text.one_line(attributes["content"])
