"""Source code: cut where its definitions begin and end, every line kept as it is."""

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import tree_sitter

from kb.reading import encoding, text, verbatim
from kb.reading.sections import About, Item, Section
from kb.reading.syntaxes import BY_MEDIA_TYPE, Syntax

VERSION = "1"

_LONG = 60
"""Lines from which on a class is cut at its own definitions."""

_PARSED_MOST = 5_000_000
"""A longer file was written by a program: it is cut at blank lines."""

_BLOCK = 4_096
_READ_AGAIN_MOST = 64
"""How many times over a parser may ask for a source: twice is usual."""

_DEPTH_MOST = 8
_NAME_MOST = 100
_LEADS = ("comment", "attribute", "decorator", "annotation")
"""What belongs to the definition on the next line, by a part of its name in the grammars."""

_NAMED_SCOPES = ("namespace_definition", "mod_item")
"""Scopes that without a body only say where they are."""

_LISTS = ("variable_list", "expression_list")
_FUNCTIONS = ("function", "class")


def read(path: Path, media_type: str) -> Iterator[Item]:
    """The definitions of a source file and the code between them, in order. The unit of its marks is the line.

    A heading path names the scopes that a definition stands in, and the definition itself.
    """
    syntax = BY_MEDIA_TYPE[media_type]
    yield About("source", VERSION, "line")
    source = encoding.whole(path)
    lines = source.split("\n")
    for span in _spans(source, len(lines), syntax):
        for block in _blocks(lines, span) if span.is_between else (span,):
            section = _section(lines, block, syntax)
            if section is not None:
                yield section


@dataclass(frozen=True, slots=True)
class _Span:
    """Lines from `first` to before `after`, counted from 0: a definition, or what stands between two."""

    first: int
    after: int
    path: tuple[str, ...]
    is_between: bool


def _section(lines: Sequence[str], span: _Span, syntax: Syntax) -> Section | None:
    numbered = enumerate(lines[span.first : span.after], start=span.first + 1)
    return verbatim.section(([line] for line in numbered), span.path, syntax=syntax.name)


def _blocks(lines: Sequence[str], span: _Span) -> Iterator[_Span]:
    """The same lines, cut before each that stands at the margin behind a blank one."""
    first = span.first
    for at in range(span.first + 1, span.after):
        if not lines[at - 1].strip() and lines[at][:1].strip():
            yield _Span(first, at, span.path, is_between=True)
            first = at
    yield _Span(first, span.after, span.path, is_between=True)


def _spans(source: str, count: int, syntax: Syntax) -> Iterator[_Span]:
    whole = _Span(0, count, (), is_between=True)
    tree = _parsed(source.encode(), syntax) if syntax.grammar[0] and len(source) <= _PARSED_MOST else None
    if tree is None:
        yield whole
    else:
        yield from _Cutter(syntax).cut(tree.root_node, whole, depth=0)


def _parsed(source: bytes, syntax: Syntax) -> tree_sitter.Tree | None:
    """The tree of a source; None when finding it takes far more than reading it once.

    Some grammars take for ever over what is not their language. How much of the source the parser asked for is the same
    each time; how long it took is not.
    """
    module, function = syntax.grammar
    # Each language's grammar is a library of its own: only the one that is needed is loaded.
    language = tree_sitter.Language(getattr(importlib.import_module(module), function)())
    left = _READ_AGAIN_MOST * (len(source) + _BLOCK)

    def read(offset: int, _point: tree_sitter.Point) -> bytes:
        nonlocal left
        block = source[offset : offset + _BLOCK] if left > 0 else b""
        left -= len(block)
        return block

    def is_too_much(_offset: int, _has_error: bool) -> bool:
        return left <= 0

    try:
        tree = tree_sitter.Parser(language).parse(read, progress_callback=is_too_much)
    except ValueError:
        return None
    return tree if left > 0 else None


class _Cutter:
    """Cuts the lines of a scope at the definitions in it. A line has one owner: the first that begins on it."""

    def __init__(self, syntax: Syntax) -> None:
        self._syntax = syntax

    def cut(self, scope: tree_sitter.Node, whole: _Span, *, depth: int) -> Iterator[_Span]:
        """The lines of `whole` without a gap, in order."""
        at = whole.first
        for node, first in self._led(scope):
            after = _after(node)
            definition = self._definition(node)
            if definition is None or first < at or after - first < 2:  # a line alone stays with those around it
                continue
            if first > at:
                yield _Span(at, first, whole.path, is_between=True)
            span = _Span(first, after, whole.path + self._name(definition), is_between=False)
            if definition.type in self._syntax.scopes and after - first > _LONG and depth < _DEPTH_MOST:
                yield from self.cut(_body(definition), span, depth=depth + 1)
            else:
                yield span
            at = after
        if at < whole.after:
            yield _Span(at, whole.after, whole.path, is_between=True)

    def _led(self, scope: tree_sitter.Node) -> Iterator[tuple[tree_sitter.Node, int]]:
        """What stands in a scope, each with the line on which its own comments and attributes begin."""
        lead = -1  # the first line of those that end on the line above
        above = -1  # the last line of what came before
        for node in self._members(scope):
            first = node.start_point.row
            if first > above + 1:
                lead = -1
            if not any(kind in node.type for kind in _LEADS):
                yield node, first if lead < 0 else lead
                lead = -1
            elif lead < 0 and first > above:  # a comment behind code belongs to that
                lead = first
            above = _after(node) - 1

    def _members(self, scope: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
        waiting = scope.children[::-1]
        while waiting:
            node = waiting.pop()
            if node.type in self._syntax.transparent:
                waiting += node.children[::-1]
            else:
                yield node

    def _definition(self, node: tree_sitter.Node) -> tree_sitter.Node | None:
        syntax = self._syntax
        if node.type in syntax.bindings:
            return node if _binding(node) else None
        if node.type in syntax.definitions or node.type in syntax.scopes:
            needs_body = node.type in _NAMED_SCOPES
            return None if needs_body and node.child_by_field_name("body") is None else node
        if node.type in syntax.wrappers:
            return next(filter(None, map(self._definition, node.named_children)), None)
        return None

    def _name(self, node: tree_sitter.Node) -> tuple[str, ...]:
        if node.type in self._syntax.bindings:
            words = _binding(node)
        elif node.type == "statement":
            words = _statement_name(node)
        elif node.type == "impl_item":
            parts = [_text(node.child_by_field_name(part)) for part in ("trait", "type")]
            words = " for ".join(filter(None, parts))
        elif (receiver := node.child_by_field_name("receiver")) is not None:
            words = f"{_receiver_type(receiver)}.{_own_name(node)}"
        else:
            words = _own_name(node)
        name = text.one_line(words)[:_NAME_MOST].rstrip()
        return (name,) if name else ()


def _after(node: tree_sitter.Node) -> int:
    """The line behind a node: one that ends at the beginning of a line does not reach into it."""
    end = node.end_point
    return end.row if end.column == 0 and end.row > node.start_point.row else end.row + 1


def _body(node: tree_sitter.Node) -> tree_sitter.Node:
    bodies = (child for child in reversed(node.children) if "body" in child.type)
    return node.child_by_field_name("body") or next(bodies, node)


def _binding(node: tree_sitter.Node) -> str:
    """The name that a function or a class gets; empty where another value gets one."""
    declarators = (child for child in node.named_children if child.type == "variable_declarator")
    parts = [_only(part) for part in next(declarators, node).named_children]
    if len(parts) < 2 or not any(kind in parts[-1].type for kind in _FUNCTIONS):
        return ""
    return _text(parts[0])


def _only(node: tree_sitter.Node) -> tree_sitter.Node:
    """The one of a list of one."""
    return node.named_children[0] if node.type in _LISTS and node.named_child_count == 1 else node


def _own_name(node: tree_sitter.Node) -> str:
    name = node.child_by_field_name("name") or _declared(node)
    inner = (child.child_by_field_name("name") for child in node.named_children)
    return _text(name or next(filter(None, inner), None))


def _declared(node: tree_sitter.Node) -> tree_sitter.Node | None:
    """What a declaration of C or C++ is of, behind its pointers, references and parameters."""
    found = node.child_by_field_name("declarator")
    while found is not None and found.type.endswith("_declarator"):
        inner = found.child_by_field_name("declarator")
        if inner is None and not found.named_children:
            break
        found = inner or found.named_children[-1]
    return found


def _statement_name(node: tree_sitter.Node) -> str:
    """What a statement of SQL creates."""
    for child in node.named_children:
        if child.type.startswith("create_"):
            references = (one for one in child.named_children if one.type == "object_reference")
            return _text(next(references, None))
    return ""


def _receiver_type(receiver: tree_sitter.Node) -> str:
    words = _text(receiver).strip("() ")
    return words.rpartition(" ")[2].lstrip("*").partition("[")[0]


def _text(node: tree_sitter.Node | None) -> str:
    return node.text.decode("utf-8", "replace") if node is not None and node.text else ""
