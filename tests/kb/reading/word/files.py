"""Word files written by hand, element by element, as Word, LibreOffice, WPS and others write them."""

import zipfile
from pathlib import Path

from lxml import etree

_TRANSITIONAL = "http://schemas.openxmlformats.org/{}/2006/{}"
_STRICT = "http://purl.oclc.org/ooxml/{}/{}"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OTHERS = (
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    ' xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
    ' xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml"'
    ' xmlns:v="urn:schemas-microsoft-com:vml"'
)


def word(path: Path, body: str, *, document: str = "word/document.xml", strict: str = "", **parts: str) -> Path:
    """A Word file with this in its body, and with the parts named: `styles`, `numbering`, `footnotes`, `endnotes`,
    `properties`. It has no part that is not named.
    With anything for `strict`, its names are those of ISO/IEC 29500 Strict."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        roots = {document: ("officeDocument", f"<w:document {_names(strict)}><w:body>{body}</w:body></w:document>")}
        if "properties" in parts:
            roots["docProps/core.xml"] = ("metadata/core-properties", _properties(parts.pop("properties")))
        folder, _slash, file = document.rpartition("/")
        others = {f"{folder}/{kind}.xml": (kind, _part(kind, content, strict)) for kind, content in parts.items()}
        made.writestr("_rels/.rels", _relationships(roots, strict=strict))
        made.writestr(f"{folder}/_rels/{file}.rels", _relationships(others, strict=strict))
        for name, (_kind, content) in {**roots, **others}.items():
            made.writestr(name, content)
    return path


def paragraph(words: str, *, style: str = "", numbered: tuple[str, int] | None = None, properties: str = "") -> str:
    """A paragraph of one run; `numbered` is its list and its level."""
    said = f'<w:pStyle w:val="{style}"/>' if style else ""
    if numbered:
        said += f'<w:numPr><w:ilvl w:val="{numbered[1]}"/><w:numId w:val="{numbered[0]}"/></w:numPr>'
    return f"<w:p><w:pPr>{said}{properties}</w:pPr>{run(words)}</w:p>"


def run(words: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{words}</w:t></w:r>'


def style(style_id: str, name: str, *, based_on: str = "", inside: str = "", kind: str = "paragraph") -> str:
    base = f'<w:basedOn w:val="{based_on}"/>' if based_on else ""
    return f'<w:style w:type="{kind}" w:styleId="{style_id}"><w:name w:val="{name}"/>{base}{inside}</w:style>'


def mixed(inside: str) -> str:
    """Elements of a paragraph with text between them, the text as runs."""
    root = etree.fromstring(f"<p {_names('')}>{inside}</p>")
    pieces = [run(root.text or "")]
    for child in root:
        tail, child.tail = child.tail, None
        pieces += [etree.tostring(child, encoding="unicode"), run(tail or "")]
    return "".join(pieces)


def level(at: int, pattern: str, form: str = "decimal", inside: str = "", *, start: int = 1) -> str:
    return (
        f'<w:lvl w:ilvl="{at}"><w:start w:val="{start}"/><w:numFmt w:val="{form}"/>{inside}'
        f'<w:lvlText w:val="{pattern}"/></w:lvl>'
    )


def numbering(*definitions: str, instances: str = "") -> str:
    """Each definition as the list of the same number, counted from 1; `instances` are more lists."""
    abstract = "".join(
        f'<w:abstractNum w:abstractNumId="{at}">{levels}</w:abstractNum>' for at, levels in enumerate(definitions, 1)
    )
    lists = "".join(instance(str(at), str(at)) for at in range(1, len(definitions) + 1))
    return abstract + lists + instances


def instance(list_id: str, definition: str, inside: str = "") -> str:
    return f'<w:num w:numId="{list_id}"><w:abstractNumId w:val="{definition}"/>{inside}</w:num>'


def table(*rows: str, properties: str = "") -> str:
    return f"<w:tbl><w:tblPr>{properties}</w:tblPr>{''.join(rows)}</w:tbl>"


def row(*cells: str, properties: str = "") -> str:
    """Cells as text or as `w:tc` elements."""
    inside = "".join(one if one.startswith("<w:tc>") else cell(paragraph(one)) for one in cells)
    return f"<w:tr><w:trPr>{properties}</w:trPr>{inside}</w:tr>"


def cell(inside: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{inside}</w:tc>"


def field(instruction: str, result: str) -> str:
    """A complex field with a result of these runs."""
    return (
        f'{character("begin")}<w:r><w:instrText xml:space="preserve">{instruction}</w:instrText></w:r>'
        f"{character('separate')}{result}{character('end')}"
    )


def character(kind: str, inside: str = "") -> str:
    """The beginning, the middle or the end of a complex field."""
    return f'<w:r><w:fldChar w:fldCharType="{kind}">{inside}</w:fldChar></w:r>'


def _names(strict: str) -> str:
    form = _STRICT if strict else _TRANSITIONAL
    word, math = form.format("wordprocessingml", "main"), form.format("officeDocument", "math")
    return f'xmlns:w="{word}" xmlns:m="{math}" {_OTHERS}'


def _part(kind: str, content: str, strict: str) -> str:
    return f"<w:{kind} {_names(strict)}>{content}</w:{kind}>"


def _properties(content: str) -> str:
    return (
        f'<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties"'
        f' xmlns:dc="http://purl.org/dc/elements/1.1/">{content}</cp:coreProperties>'
    )


def _relationships(targets: dict[str, tuple[str, str]], *, strict: str) -> str:
    form = (_STRICT if strict else _TRANSITIONAL).format("officeDocument", "relationships")
    lines = "".join(
        f'<Relationship Id="r{at}" Type="{form}/{kind}" Target="/{name}"/>'
        for at, (name, (kind, _content)) in enumerate(targets.items())
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{lines}</Relationships>'
