"""Markdown: CommonMark with tables, as text and not as markup."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from mdit_py_plugins.front_matter import front_matter_plugin

from kb.reading import encoding, text
from kb.reading.composition import Composition, joint
from kb.reading.headings import Headings
from kb.reading.sections import About, Item, Kind, Section

VERSION = "1"


def read(path: Path) -> Iterator[Item]:
    """The blocks of a Markdown file. Front matter and raw HTML tags are left out; the text between tags stays."""
    source = text.clean("".join(encoding.pieces(path)))
    root = SyntaxTreeNode(_parser().parse(source))
    yield About("markdown", VERSION, "line", title=_title_of(root))
    yield from _blocks(root, Headings())


def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table").use(front_matter_plugin)


def _title_of(root: SyntaxTreeNode) -> str:
    for node in root.children:
        if node.type == "heading":
            return text.one_line("".join(_words(node.children[0])).replace(_LINE_END, " "))
    return ""


def _blocks(parent: SyntaxTreeNode, headings: Headings) -> Iterator[Section]:
    for node in parent.children:
        match node.type:
            case "heading":
                yield from _heading(node, headings)
            case "blockquote":
                yield from _blocks(node, headings)
            case kind if kind in _KINDS:
                yield from _block(node, headings.path)


def _heading(node: SyntaxTreeNode, headings: Headings) -> Iterator[Section]:
    whole = Composition()
    _add_inline(whole, node.children[0])
    if whole:
        path = headings.enter(int(node.tag[1:]), whole.section("heading").text)
        yield whole.section("heading", path)


def _block(node: SyntaxTreeNode, path: tuple[str, ...]) -> Iterator[Section]:
    whole = Composition()
    _add(whole, node)
    if whole:
        yield whole.section(_KINDS[node.type], path)


_KINDS: dict[str, Kind] = {
    "paragraph": "prose",
    "html_block": "prose",
    "fence": "code",
    "code_block": "code",
    "bullet_list": "list",
    "ordered_list": "list",
    "table": "table",
}


def _add(whole: Composition, node: SyntaxTreeNode, *, indent: str = "", lead: str = "") -> None:
    """Append a block on lines of its own; `lead` (a list item's number) begins its first line."""
    match node.type:
        case "paragraph" | "heading":
            _add_inline(whole, node.children[0], lead=lead or indent)
        case "fence" | "code_block":
            _add_code(whole, node, indent=indent)
        case "bullet_list" | "ordered_list":
            _add_list(whole, node, indent=indent)
        case "table":
            _add_table(whole, node)
        case "html_block":
            _add_html(whole, node)
        case "blockquote":
            for child in node.children:
                _add(whole, child, indent=indent)


def _add_inline(whole: Composition, inline: SyntaxTreeNode, *, lead: str = "") -> None:
    between = "\n"
    for number, line in _numbered_lines(inline):
        words = line.strip()
        if words:
            whole.add(lead + words, number, between=between or joint(whole.ends, words[0]))
            lead = ""
            between = "\n" if line.endswith("\n") else ""


def _numbered_lines(inline: SyntaxTreeNode) -> Iterator[tuple[int, str]]:
    """The text of each source line, with its number from 1; one that a hard break ends keeps its \\n."""
    first, after = inline.map or (0, 0)
    lines = "".join(_words(inline)).split(_LINE_END)
    if len(lines) == after - first:
        yield from enumerate(lines, start=first + 1)
        return
    # A code span or a link that goes over lines hides their ends: only the first and the last line are sure.
    head, _space, tail = " ".join(lines).replace("\n ", "\n").rpartition(" ")
    yield first + 1, head
    yield after, tail


_LINE_END = "\0"  # in clean text there is none


def _words(parent: SyntaxTreeNode) -> Iterator[str]:
    for node in parent.children:
        match node.type:
            case "text" | "code_inline":
                yield node.content
            case "softbreak":
                yield _LINE_END
            case "hardbreak":
                yield "\n" + _LINE_END
            case _:
                yield from _words(node)


def _add_code(whole: Composition, node: SyntaxTreeNode, *, indent: str) -> None:
    first = (node.map or (0, 0))[0] + (2 if node.type == "fence" else 1)
    between = "\n"
    for number, line in enumerate(node.content.split("\n"), start=first):
        if line.strip():
            whole.add(indent + line.rstrip(), number, between=between)
            between = ""
        between += "\n"


def _add_list(whole: Composition, node: SyntaxTreeNode, *, indent: str) -> None:
    number = int(node.attrs.get("start", 1))
    for item in node.children:
        marker = f"{indent}{number}. " if node.type == "ordered_list" else f"{indent}- "
        number += 1
        for position, child in enumerate(item.children):
            _add(whole, child, indent=indent + "  ", lead=marker if position == 0 else "")


def _add_table(whole: Composition, node: SyntaxTreeNode) -> None:
    for row in (row for part in node.children for row in part.children):
        cells = ["".join(_words(cell.children[0])).strip() for cell in row.children]
        whole.add(" | ".join(cells), (row.map or (0, 0))[0] + 1, between="\n")


def _add_html(whole: Composition, node: SyntaxTreeNode) -> None:
    """What a browser would show of raw HTML: comments, scripts and tags are dropped, line by line kept in place."""
    first = (node.map or (0, 0))[0] + 1
    shown = _HIDDEN.sub(_only_line_ends, node.content)
    for number, line in enumerate(unescape(shown).split("\n"), start=first):
        whole.add(text.one_line(line), number, between="\n")


_HIDDEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)|</?[a-zA-Z][^<>]*>|<[!?][^<>]*>", re.S | re.I
)


def _only_line_ends(hidden: re.Match[str]) -> str:
    return " " + "\n" * hidden.group().count("\n")
