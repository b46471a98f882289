"""The parser of Markdown, taught to say where in a paragraph each piece of it stands."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.footnote import footnote_plugin

NESTING_MOST = 100
"""What is nested deeper is not read: each level takes some of Python's stack."""

_PICTURES_MOST = 8
"""Pictures within the words for a picture, at most so deep."""

_AT = "at"
_DEFINES = "]:"


def parser() -> MarkdownIt:
    """CommonMark with GitHub's tables and strikethrough, footnotes, definition lists and formulas between dollars.

    Its own `parse` holds all of a file in memory at once; `blocks` and `inside` take it a piece at a time.
    """
    made = MarkdownIt()
    made.inline = _Inline()
    made.configure("commonmark", {"maxNesting": NESTING_MOST})
    made.enable(["table", "strikethrough"])
    made.use(footnote_plugin, inline=False, move_to_end=False)
    made.use(deflist_plugin)
    # Without spaces and digits beside the dollars: "$5 and $10" are prices.
    made.use(dollarmath_plugin, allow_space=False, allow_digits=False, allow_blank_lines=False, double_inline=True)
    return made


def blocks(made: MarkdownIt, source: str, env: EnvType) -> Iterator[Token]:
    """The tokens of a file, of one block after the other. What is defined at its end may be used at its beginning:
    `define` is called before the inside of any is parsed."""
    state = StateBlock(source, made, env, [])
    rules = made.block.ruler.getRules("")
    line = state.skipEmptyLines(0)
    while line < state.lineMax:
        state.line = line
        next(rule for rule in rules if rule(state, line, state.lineMax, False))  # a paragraph is what all else is not
        yield from state.tokens
        state.tokens.clear()
        line = state.skipEmptyLines(state.line)


def define(made: MarkdownIt, source: str, env: EnvType) -> None:
    """Note all that the file defines: the addresses of links, the labels of notes."""
    if _DEFINES in source:
        deque(blocks(made, source, env), maxlen=0)


def inside(made: MarkdownIt, inline: Token, env: EnvType) -> list[Token]:
    """What a paragraph, heading or cell consists of."""
    return made.inline.parse(inline.content, made, env, [])


def placed(written: str, tokens: Iterable[Token], line: int) -> Iterator[tuple[int, Token]]:
    """The tokens of what is written from this line on, each with the number of the line on which it begins."""
    at = 0
    for token in tokens:
        place = token.meta.get(_AT, at)
        if place > at:
            line += written.count("\n", at, place)
            at = place
        yield line, token


def numbered(written: str, token: Token, first: int) -> Iterator[tuple[int, str]]:
    """The content of a code span or a formula as it is written, by lines; the parser makes one line of it."""
    begin = token.meta.get(_AT, 0) + len(token.markup)
    content = token.content
    for shift in (0, 1):  # one space at either end is not part of a code span
        span = written[begin + shift : begin + shift + len(content)]
        if span.replace("\n", " ") == content.replace("\n", " "):
            return zip(count(first + written.count("\n", begin, begin + shift)), span.split("\n"), strict=False)
    return iter(((first, content),))


class _Inline(ParserInline):
    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        if self._depth > _PICTURES_MOST:
            tokens.append(Token("text", "", 0, content=src))
            return tokens
        self._depth += 1
        try:
            state = _State(src, md, env, tokens)
            self.tokenize(state)
            for rule in self.ruler2.getRules(""):
                rule(state)
        finally:
            self._depth -= 1
        return state.tokens


class _State(StateInline):
    """Notes at each token where it stands: its beginning, or, of text, which never goes over lines, its end."""

    def push(self, ttype: str, tag: str, nesting: Literal[-1, 0, 1]) -> Token:
        token = super().push(ttype, tag, nesting)
        token.meta[_AT] = self.pos
        return token

    def pushPending(self) -> Token:  # noqa: N802  # markdown-it's name
        token = super().pushPending()
        token.meta[_AT] = self.pos
        return token
