"""Markdown: CommonMark with tables, notes and formulas, as text and not as markup."""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from markdown_it.token import Token
from markdown_it.utils import EnvType

from kb.reading import encoding, text
from kb.reading.html import markup, names
from kb.reading.html.flow import Flow
from kb.reading.markdown import front_matter, parser
from kb.reading.sections import About, Item, Warned

VERSION = "2"

_AHEAD = 200
_BLOCKS = frozenset(("heading_open", "fence", "code_block", "table_open", "bullet_list_open", "ordered_list_open"))


def read(path: Path) -> Iterator[Item]:
    """The blocks of a Markdown file. The unit of its marks is the line. Raw HTML is read as a page would show it."""
    matter = front_matter.split(encoding.whole(path))
    walk = _Walk(matter.rest)
    yield About("markdown", VERSION, "line", title=matter.title or walk.title(), metadata=matter.metadata)
    yield from walk.items()


class _Walk:
    """One pass over the blocks: Markdown's own go the way of the HTML elements that they stand for."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._parser = parser.parser()
        self._env: EnvType = {}
        parser.define(self._parser, source, self._env)
        self._flow = Flow()

    def title(self) -> str:
        """The words of the first heading."""
        tokens = parser.blocks(self._parser, self._source, self._env)
        if not any(token.type == "heading_open" for token in tokens):
            return ""
        flow = Flow()
        self._inline(flow, next(tokens))
        flow.finish()
        return text.one_line(" ".join(section.text for section in flow.take()))

    def items(self) -> Iterator[Item]:
        """What the blocks say, in order."""
        tokens = _Tokens(parser.blocks(self._parser, self._source, self._env))
        told = False
        for token in tokens:
            if token.type == "html_block":
                goes_on = _holds_blocks(token, tokens)
                yield from markup.feed(self._flow, token.content, line=_line(token), goes_on=goes_on)
            else:
                self._take(token)
            if not told and token.level >= parser.NESTING_MOST - 1:
                told = True
                yield Warned("nested_too_deep", "What is nested deeper than 50 lists or quotations was left out.")
            yield from self._flow.take()
        self._flow.finish()
        yield from self._flow.take()

    def _take(self, token: Token) -> None:
        flow = self._flow
        match token.type:
            case "inline":
                self._inline(flow, token)
            case "fence":
                syntax = names.named_syntax(token.info)
                flow.code(enumerate(token.content.split("\n"), start=_line(token) + 1), syntax=syntax)
            case "code_block":
                flow.code(enumerate(token.content.split("\n"), start=_line(token)), syntax="")
            case "math_block" | "math_block_label":
                flow.code(enumerate(token.content.split("\n"), start=_line(token)), syntax="latex")
            case "footnote_reference_open":
                flow.start("div", {}, 0)
                flow.lead(f"[{token.meta['label']}] ")
            case "footnote_reference_close":
                flow.lead("")
                flow.end("div")
            case _ if token.nesting < 0:
                flow.end(token.tag)
            case _:
                flow.start(token.tag, {name: str(value) for name, value in token.attrs.items()}, _line(token))

    def _inline(self, flow: Flow, inline: Token) -> None:
        """The inside of a paragraph, heading or cell."""
        _pieces(flow, inline.content, parser.inside(self._parser, inline, self._env), _line(inline))


def _pieces(flow: Flow, written: str, tokens: Sequence[Token], first: int) -> None:
    """Let the flow have what is written from this line on."""
    ended = {name for token in tokens for name in _ended_by(token)}
    for line, token in parser.placed(written, tokens, first):
        match token.type:
            case "text" | "text_special":
                flow.text(token.content, line)
            case "softbreak":
                flow.end_line()
            case "hardbreak":
                flow.start("br", {}, line)
            case "code_inline":
                _lines(flow, parser.numbered(written, token, line))
            case "math_inline" | "math_inline_double":
                flow.text(token.markup, line)
                last = _lines(flow, parser.numbered(written, token, line))
                flow.text(token.markup, last)
            case "html_inline":
                _raw(flow, token.content, line, ended)
            case "image":  # its words stand where it does, apart from those around it
                flow.text(" ", line)
                _pieces(flow, token.content, token.children or (), line)
                flow.text(" ", line)
            case "footnote_ref":
                flow.text(f"[{token.meta['label']}]", line)


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 0


class _Tokens:
    """Tokens in order, with a look ahead."""

    def __init__(self, tokens: Iterator[Token]) -> None:
        self._tokens = tokens
        self._seen: deque[Token] = deque()

    def __iter__(self) -> Iterator[Token]:
        while self._seen or self.ahead(1):
            yield self._seen.popleft()

    def ahead(self, count: int) -> list[Token]:
        """The next ones, at most so many."""
        self._seen.extend(islice(self._tokens, max(0, count - len(self._seen))))
        return list(islice(self._seen, count))


def _holds_blocks(token: Token, following: _Tokens) -> bool:
    """Whether a raw table goes on behind its HTML block and has Markdown's blocks in its cells: it lays them out."""
    raw = token.content.lower()
    if raw.count("<table") <= raw.count("</table"):
        return False
    for one in following.ahead(_AHEAD):
        if one.type in _BLOCKS:
            return True
        if one.type == "html_block" and "</table" in one.content.lower():
            return False
    return False


def _lines(flow: Flow, numbered: Iterator[tuple[int, str]]) -> int:
    """Let the flow have these lines; the number of the last."""
    number = 0
    for position, (number, words) in enumerate(numbered):
        if position:
            flow.end_line()
        flow.text(words, number)
    return number


def _ended_by(token: Token) -> Iterator[str]:
    if token.type == "html_inline":
        name, is_end = markup.name_of(token.content)
        if is_end:
            yield name


def _raw(flow: Flow, written: str, line: int, ended: set[str]) -> None:
    """A raw tag within a paragraph. One that nothing ends there is no element: a known name is dropped, and any other
    was meant to be read, like <your-name>."""
    name, is_end = markup.name_of(written)
    if not name:
        return
    if is_end or name in names.EMPTY or name in ended:
        markup.tag(flow, written, line)
    elif name not in names.KNOWN:
        flow.text(written.replace("\n", " "), line)
