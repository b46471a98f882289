"""The elements of HTML by how a browser shows them (HTML Standard, 15.3), and what their attributes say of it."""

import re
from collections.abc import Mapping

Attributes = Mapping[str, str]

HEADINGS = {f"h{level}": level for level in range(1, 7)}
LISTS = frozenset(("ul", "ol", "menu", "dir", "dl"))
ITEMS = frozenset(("li", "dt", "dd"))
CODE = frozenset(("pre", "xmp", "listing"))
CELLS = frozenset(("td", "th"))
ROW_GROUPS = frozenset(("thead", "tbody", "tfoot"))
TABLE_PARTS = frozenset(("caption", "tr", *CELLS, *ROW_GROUPS))

# fmt: off
BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "dialog", "div", "dt", "fieldset",
    "figcaption", "figure", "footer", "form", "header", "hgroup", "hr", "html", "legend", "li", "main", "nav", "p",
    "search", "section", "summary", "table", *HEADINGS, *LISTS, *CODE, *TABLE_PARTS,
))
INLINE = frozenset((
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins",
    "kbd", "label", "mark", "meter", "output", "progress", "q", "rb", "ruby", "s", "samp", "slot", "small", "span",
    "strike", "strong", "sub", "sup", "time", "tt", "u", "var",
))
EMPTY = frozenset((
    "area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "img", "input", "keygen", "link",
    "meta", "param", "source", "track", "wbr",
))
"""Elements without an end tag."""

RAW = frozenset(("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"))
"""Elements whose content is no markup, up to their end tag."""

HEAD = frozenset(("base", "head", "html", "link", "meta", "noscript", "script", "style", "template", "title"))
"""What may stand in a head; anything else ends it."""

_UNSHOWN = frozenset((
    "applet", "audio", "canvas", "datalist", "frameset", "head", "iframe", "noembed", "noframes", "noscript", "object",
    "rp", "rt", "rtc", "script", "select", "style", "svg", "template", "textarea", "title", "video",
))
# fmt: on
KNOWN = BLOCKS | INLINE | EMPTY | RAW | _UNSHOWN | {"button", "math"}

_ROLES = {
    "banner": "header",
    "complementary": "aside",
    "contentinfo": "footer",
    "main": "main",
    "navigation": "nav",
}
_FURNITURE = frozenset(("header", "footer", "aside", "nav"))
_CONTENT = frozenset(("main", "article"))
_NOT_TEXT = frozenset(("headerlink", "header-anchor", "anchor-link", "hash-link", "linenos", "lineno", "linenodiv"))
"""Classes of what generators put beside the text: the sign behind a heading that links to it, and the numbers of
lines (Sphinx, MkDocs, VitePress, Jupyter, Docusaurus; Pygments)."""

_DISPLAY_NONE = re.compile(r"\bdisplay\s*:\s*none\b", re.IGNORECASE)
_SYNTAX = re.compile(
    r"(?:^|\s)(?:language-|lang-|highlight-source-|highlight-|brush:\s*|sourceCode\s+|hljs\s+)([\w+#.-]+)"
)
_NO_SYNTAX = frozenset(("default", "none", "nohighlight", "notranslate", "plain", "plaintext", "text", "txt"))
_FIRST_WORD = re.compile(r"[\s{.]*([\w+#.-]+)")


def landmark(name: str, attributes: Attributes) -> str:
    """The part of a page that an element is, by its name or its role; its name where it is none."""
    return _ROLES.get(attributes.get("role", ""), name) if attributes else name


def is_furniture(part: str) -> bool:
    """Whether a part of a page stands around its content."""
    return part in _FURNITURE


def is_content(part: str) -> bool:
    """Whether a part of a page is its content."""
    return part in _CONTENT


def is_unshown(name: str, attributes: Attributes) -> bool:
    """Whether a browser, or its author, shows nothing of an element as text."""
    if name in _UNSHOWN:
        return True
    if name == "dialog":
        return "open" not in attributes
    if not attributes:
        return False
    return (
        attributes.get("hidden", "until-found") != "until-found"
        or attributes.get("aria-hidden") == "true"
        or not _NOT_TEXT.isdisjoint(attributes.get("class", "").split())
        or _DISPLAY_NONE.search(attributes.get("style", "")) is not None
    )


def syntax(attributes: Attributes) -> str:
    """The language of the code in an element, as the usual highlighters say it; empty where none is said."""
    said = attributes.get("data-lang") or attributes.get("data-language")
    if not said:
        found = _SYNTAX.search(attributes.get("class", ""))
        said = found[1] if found else ""
    return named_syntax(said)


def named_syntax(said: str) -> str:
    """The first word of what was said of code, in lower case: `python` of "{.Python .numberLines}"."""
    found = _FIRST_WORD.match(said)
    word = found[1].lower() if found else ""
    return "" if word in _NO_SYNTAX else word
