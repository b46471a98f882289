"""Small Office files, books and OpenDocument files: by their own libraries, or part by part."""

import zipfile
from pathlib import Path

import openpyxl
from pptx import Presentation

CONTAINER = """<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""

_NAMESPACES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in {
        "office": "office",
        "text": "text",
        "table": "table",
        "draw": "drawing",
        "style": "style",
        "svg": "svg-compatible",
        "presentation": "presentation",
        "meta": "meta",
    }.items()
)


def zipped(path: Path, parts: dict[str, str | bytes]) -> Path:
    """A zip of these parts; one called "mimetype" is not compressed, as its format asks for."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in parts.items():
            made.writestr(name, content, zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED)
    return path


def added(path: Path, parts: dict[str, str | bytes]) -> Path:
    """The same zip with more parts."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as made:
        for name, content in parts.items():
            made.writestr(name, content)
    return path


def changed(path: Path, name: str, old: str, new: str) -> Path:
    """The same zip with something else in one of its parts."""
    with zipfile.ZipFile(path) as made:
        parts: dict[str, str | bytes] = {member: made.read(member) for member in made.namelist()}
    content = parts[name]
    assert isinstance(content, bytes)
    assert old.encode() in content
    return zipped(path, {**parts, name: content.replace(old.encode(), new.encode())})


def epub(path: Path, pages: dict[str, str], *, contents: str = "", ncx: str = "", more: str = "") -> Path:
    """A book of these pages, in this order. `contents` is the list of an EPUB 3, `ncx` the points of an EPUB 2, `more`
    stands in its metadata."""
    items = "".join(
        f'<item id="i{number}" href="{name}" media-type="application/xhtml+xml"/>' for number, name in enumerate(pages)
    )
    if contents:
        items += '<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
    if ncx:
        items += '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
    spine = "".join(f'<itemref idref="i{number}"/>' for number in range(len(pages)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title>A title</dc:title>{more}</metadata><manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    parts: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "OPS/book.opf": package,
        "OPS/nav.xhtml": f'<html><body><nav epub:type="toc"><ol>{contents}</ol></nav></body></html>',
        "OPS/toc.ncx": f'<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>{ncx}</navMap></ncx>',
    }
    return zipped(path, {**parts, **{f"OPS/{name}": page for name, page in pages.items()}})


def opendocument(path: Path, kind: str, body: str, *, automatic: str = "", styles: str = "") -> Path:
    """A text, spreadsheet or presentation with this body; `automatic` are the styles it has made for itself."""
    return zipped(
        path,
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": f"<office:document-content {_NAMESPACES}><office:automatic-styles>{automatic}"
            f"</office:automatic-styles><office:body><office:{kind}>{body}</office:{kind}></office:body>"
            "</office:document-content>",
            "styles.xml": f"<office:document-styles {_NAMESPACES}><office:styles>{styles}</office:styles>"
            "</office:document-styles>",
            "meta.xml": f"<office:document-meta {_NAMESPACES} xmlns:dc='http://purl.org/dc/elements/1.1/'><office:meta>"
            "<dc:title>A title</dc:title></office:meta></office:document-meta>",
        },
    )


def plain(folder: Path, suffix: str) -> Path:
    """A file of this kind with one word in it."""
    path = folder / f"a{suffix}"
    match suffix:
        case ".pptx":
            presentation = Presentation()
            presentation.slides.add_slide(presentation.slide_layouts[5]).shapes.title.text = "Words"
            presentation.save(str(path))
        case ".xlsx":
            workbook = openpyxl.Workbook()
            workbook.worksheets[0]["A1"] = "Words"
            workbook.save(path)
        case ".epub":
            epub(path, {"a.xhtml": "<html><body><p>Words</p></body></html>"})
        case ".odt":
            opendocument(path, "text", "<text:p>Words</text:p>")
        case ".ods":
            cell = "<table:table-row><table:table-cell><text:p>Words</text:p></table:table-cell></table:table-row>"
            opendocument(path, "spreadsheet", f"<table:table table:name='A'>{cell}</table:table>")
        case ".odp":
            box = "<draw:frame><draw:text-box><text:p>Words</text:p></draw:text-box></draw:frame>"
            opendocument(path, "presentation", f"<draw:page>{box}</draw:page>")
    return path
