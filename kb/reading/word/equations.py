"""Equations of Word on one line, near to how they are read aloud and typed: a/b, x_(i+1)^2, √(x), ∑_(i=1)^n.

After the linear format of Unicode Technical Note 28.
"""

import re
import unicodedata
from collections.abc import Callable

from lxml import etree

from kb.reading.word.markup import DELETED, name

_VAL = name("m:val")
_SIMPLE = re.compile(r"\w+(?:\.\w+)?|.")
"""What needs no brackets: a number, a name, a single sign."""

_ROOTS = {"3": "∛", "4": "∜"}
_ATTACHED = {"\u0302": "\u0302", "^": "\u0302", "¯": "\u0305", "\u203e": "\u0305", "~": "\u0303", "→": "\u20d7"}


def linear(element: etree._Element) -> str:
    """The text of an equation, or of a part of one."""
    return _all(element).strip()


def _all(element: etree._Element) -> str:
    return "".join(_one(child) for child in element)


def _one(element: etree._Element) -> str:
    if element.tag in _FORMS:
        return _FORMS[element.tag](element)
    return "" if element.tag in _UNSHOWN or element.tag in DELETED else _all(element)


def _part(element: etree._Element, tag: str) -> str:
    found = element.find(name(f"m:{tag}"))
    return "" if found is None else _all(found).strip()


def _grouped(words: str) -> str:
    return words if _SIMPLE.fullmatch(words) or _is_bracketed(words) else f"({words})"


def _is_bracketed(words: str) -> bool:
    """Whether one pair of brackets holds all of it."""
    if not (words.startswith("(") and words.endswith(")")):
        return False
    depth = 0
    for character in words[:-1]:
        depth += (character == "(") - (character == ")")
        if not depth:
            return False
    return True


def _said(element: etree._Element, kind: str, what: str, default: str) -> str:
    """A property of a form; written without a value it stands for nothing at all."""
    found = element.find(f"{name(f'm:{kind}Pr')}/{name(f'm:{what}')}")
    return default if found is None else found.get(_VAL, "")


def _script(words: str, sign: str) -> str:
    return f"{sign}{_grouped(words)}" if words else ""


def _fraction(element: etree._Element) -> str:
    above, below = _part(element, "num"), _part(element, "den")
    if _said(element, "f", "type", "bar") == "noBar":
        return f"({above}¦{below})"
    return f"{_grouped(above)}/{_grouped(below)}"


def _scripts(element: etree._Element) -> str:
    return _part(element, "e") + _script(_part(element, "sub"), "_") + _script(_part(element, "sup"), "^")


def _scripts_before(element: etree._Element) -> str:
    return _script(_part(element, "sub"), "_") + _script(_part(element, "sup"), "^") + " " + _part(element, "e")


def _root(element: etree._Element) -> str:
    degree, words = _part(element, "deg"), f"({_part(element, 'e')})"
    if degree in ("", "2"):
        return f"√{words}"
    return f"{_ROOTS[degree]}{words}" if degree in _ROOTS else f"√({degree}&{words[1:]}"


def _sum(element: etree._Element) -> str:
    sign = _said(element, "nary", "chr", "∫")
    return f"{sign}{_script(_part(element, 'sub'), '_')}{_script(_part(element, 'sup'), '^')} {_part(element, 'e')}"


def _brackets(element: etree._Element) -> str:
    parts = [_all(part).strip() for part in element.iterfind(name("m:e"))]
    inner = _said(element, "d", "sepChr", "|").join(parts)
    return _said(element, "d", "begChr", "(") + inner + _said(element, "d", "endChr", ")")


def _matrix(element: etree._Element) -> str:
    rows = (
        ", ".join(_all(cell).strip() for cell in row.iterfind(name("m:e"))) for row in element.iterfind(name("m:mr"))
    )
    return f"[{'; '.join(rows)}]"


def _equations(element: etree._Element) -> str:
    return "; ".join(_all(one).strip() for one in element.iterfind(name("m:e")))


def _function(element: etree._Element) -> str:
    return f"{_part(element, 'fName')} {_part(element, 'e')}"


def _limit_below(element: etree._Element) -> str:
    return _part(element, "e") + _script(_part(element, "lim"), "_")


def _limit_above(element: etree._Element) -> str:
    return _part(element, "e") + _script(_part(element, "lim"), "^")


def _accent(element: etree._Element) -> str:
    return _marked(_part(element, "e"), _said(element, "acc", "chr", "\u0302"))


def _bar(element: etree._Element) -> str:
    return _marked(_part(element, "e"), "\u0305" if _said(element, "bar", "pos", "bot") == "top" else "\u0332")


def _marked(words: str, sign: str) -> str:
    sign = _ATTACHED.get(sign, sign)
    if unicodedata.combining(sign[:1] or " ") and len(words) == 1:
        return words + sign
    return _grouped(words) + sign


def _run(element: etree._Element) -> str:
    return "".join(words.text or "" for words in element.iter(name("m:t"), name("w:t")))


_FORMS: dict[str, Callable[[etree._Element], str]] = {
    name(f"m:{tag}"): form
    for tag, form in {
        "r": _run,
        "f": _fraction,
        "sSub": _scripts,
        "sSup": _scripts,
        "sSubSup": _scripts,
        "sPre": _scripts_before,
        "rad": _root,
        "nary": _sum,
        "d": _brackets,
        "m": _matrix,
        "eqArr": _equations,
        "func": _function,
        "limLow": _limit_below,
        "limUpp": _limit_above,
        "acc": _accent,
        "bar": _bar,
    }.items()
}
_UNSHOWN = frozenset(name(f"m:{tag}Pr") for tag in ("ctrl", "oMathPara", "groupChr", "box", "borderBox", "phant"))
