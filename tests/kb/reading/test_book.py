from pathlib import Path

import pytest

from kb.reading import book
from kb.reading.failures import Reason, Unreadable
from kb.reading.sections import About, Item, Progress, Section, Warned

from . import packages
from .reading import sections

Placed = tuple[str, tuple[str, ...], int]
"""The text of a section, its heading path and its chapter."""


def page(body: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">'
        '<html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="a.js"/></head>'
        f"<body>{body}</body></html>"
    )


def line(href: str, title: str, below: str = "") -> str:
    return f'<li><a href="{href}">{title}</a>{f"<ol>{below}</ol>" if below else ""}</li>'


def point(href: str, title: str, below: str = "") -> str:
    label = f"<navLabel><text>{title}</text></navLabel>"
    return f'<navPoint id="p">{label}<content src="{href}"/>{below}</navPoint>'


def placed(items: list[Item]) -> list[Placed]:
    found: list[Placed] = []
    for section in sections(items):
        (mark,) = section.marks
        assert (mark.start, mark.end) == (0, len(section.text))
        found.append((section.text, section.heading_path, mark.unit))
    return found


def read(path: Path) -> list[Placed]:
    return placed(list(book.read(path)))


def test_it_reads(tmp_path: Path) -> None:
    pages = {
        "cover.xhtml": page("<img src='a.png'/>"),
        "text/one%20a.xhtml": page("<p>Before&nbsp;it</p><h2>LOOMINGS</h2><p>Call me</p><h3>Sub</h3><p>deep</p>"),
        "two.xhtml": page("<ul><li>a</li><li>b</li></ul>"),
    }
    contents = line("text/one%20a.xhtml", "1. Loomings") + line("two.xhtml", "2. The Bag")
    more = "<dc:language>en</dc:language><dc:creator>A writer</dc:creator>"
    made = packages.epub(
        tmp_path / "a.epub", pages, contents=f"<li><span>Part</span><ol>{contents}</ol></li>", more=more
    )
    path = packages.added(made, {"OPS/text/one a.xhtml": pages["text/one%20a.xhtml"]})
    about, *found = book.read(path)
    assert isinstance(about, About)
    assert (about.title, about.unit, about.metadata) == ("A title", "chapter", {"language": "en", "author": "A writer"})
    assert found[-1] == Progress(3, 3)
    first, second = ("Part", "1. Loomings"), ("Part", "2. The Bag")
    assert placed(found) == [
        ("Before it", first, 2),
        ("LOOMINGS", first, 2),
        ("Call me", first, 2),
        ("Sub", (*first, "Sub"), 2),
        ("deep", (*first, "Sub"), 2),
        ("- a\n- b", second, 3),
    ]


def test_the_contents_of_older_books(tmp_path: Path) -> None:
    pages = {"one.xhtml": page("<p>first</p>"), "two.xhtml": page("<h1>Other</h1><p>second</p>")}
    ncx = point("one.xhtml", "Part", point("two.xhtml", "Chapter"))
    assert read(packages.epub(tmp_path / "a.epub", pages, ncx=ncx)) == [
        ("first", ("Part",), 1),
        ("Other", ("Part", "Chapter", "Other"), 2),
        ("second", ("Part", "Chapter", "Other"), 2),
    ]


def test_a_book_cut_anywhere(tmp_path: Path) -> None:
    """Chapters begin within documents, and go on in the next."""
    pages = {
        "one.xhtml": page("<h2 id='a'>One</h2><p>1</p><h2 id='b'>Two</h2><p>2</p>"),
        "two.xhtml": page("<p>2 goes on</p><h2 id='c'>Three</h2><p>3</p>"),
        "three.xhtml": page("<p>3 goes on</p><h3>Sub</h3>"),
    }
    contents = line("one.xhtml#a", "One") + line("one.xhtml#b", "Two") + line("two.xhtml#c", "Three")
    path = packages.epub(tmp_path / "a.epub", pages, contents=f"<li><span>Book</span><ol>{contents}</ol></li>")
    assert [(text, heading) for text, heading, _unit in read(path)] == [
        ("One", ("Book", "One")),
        ("1", ("Book", "One")),
        ("Two", ("Book", "Two")),
        ("2", ("Book", "Two")),
        ("2 goes on", ("Book", "Two")),
        ("Three", ("Book", "Three")),
        ("3", ("Book", "Three")),
        ("3 goes on", ("Book", "Three")),
        ("Sub", ("Book", "Sub")),
    ]


def test_a_chapter_that_goes_on_in_another_document(tmp_path: Path) -> None:
    pages = {"one.xhtml": page("<h1>One</h1><p>1</p>"), "two.xhtml": page("<p>goes on</p><h1>Next</h1>")}
    path = packages.epub(tmp_path / "a.epub", pages, contents=line("one.xhtml", "One"))
    assert [heading for _text, heading, _unit in read(path)] == [("One",), ("One",), ("One",), ("Next",)]


def test_without_contents(tmp_path: Path) -> None:
    path = packages.epub(tmp_path / "a.epub", {"one.xhtml": page("<p>words</p>")})
    assert read(path) == [("words", (), 1)]


@pytest.mark.parametrize(
    "content",
    [
        "<p>中文é</p>".encode("utf-16"),
        b"\xef\xbb\xbf" + "<p>中文é</p>".encode(),
        "<?xml version='1.0' encoding='gb18030'?><p>中文é</p>".encode("gb18030"),
    ],
)
def test_encodings(tmp_path: Path, content: bytes) -> None:
    path = packages.epub(tmp_path / "a.epub", {"one%20a.xhtml": ""})
    packages.added(path, {"OPS/one a.xhtml": content})
    assert read(path) == [("中文é", (), 1)]


def test_bytes_that_are_no_text_are_shown_as_such(tmp_path: Path) -> None:
    path = packages.epub(tmp_path / "a.epub", {"one%20a.xhtml": ""})
    packages.added(path, {"OPS/one a.xhtml": b"<?xml encoding='none'?><p>a\xff</p>"})
    assert read(path) == [("a\ufffd", (), 1)]


def test_a_missing_chapter_is_said(tmp_path: Path) -> None:
    path = packages.epub(tmp_path / "a.epub", {"one.xhtml": page("<p>words</p>"), "not%20there.xhtml": ""})
    *_items, warned = book.read(path)
    assert warned == Warned("missing_chapters", "Chapters that the book names are not in the file: 1.")


def locked(path: Path, algorithm: str, part: str) -> Path:
    return packages.added(
        path,
        {
            "META-INF/encryption.xml": '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
            'xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData>'
            f'<enc:EncryptionMethod Algorithm="{algorithm}"/><enc:CipherData><enc:CipherReference URI="{part}"/>'
            "</enc:CipherData></enc:EncryptedData></encryption>"
        },
    )


def test_a_locked_book(tmp_path: Path) -> None:
    path = packages.epub(tmp_path / "a.epub", {"one.xhtml": page("<p>words</p>")})
    locked(path, "http://www.w3.org/2001/04/xmlenc#aes128-cbc", "OPS/one.xhtml")
    with pytest.raises(Unreadable) as refused:
        read(path)
    assert refused.value.reason == Reason.ENCRYPTED


@pytest.mark.parametrize(
    ("algorithm", "part"),
    [
        ("http://www.idpf.org/2008/embedding", "OPS/one.xhtml"),
        ("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "OPS/video.mp4"),
    ],
)
def test_a_book_with_locked_fonts_or_films(tmp_path: Path, algorithm: str, part: str) -> None:
    path = packages.epub(tmp_path / "a.epub", {"one.xhtml": page("<p>words</p>")})
    assert read(locked(path, algorithm, part)) == [("words", (), 1)]


def test_tables_keep_their_rows(tmp_path: Path) -> None:
    path = packages.epub(tmp_path / "a.epub", {"one.xhtml": page("<table><tr><th>a</th><th>b</th></tr></table>")})
    found = [item for item in book.read(path) if isinstance(item, Section)]
    assert [(section.text, section.kind) for section in found] == [("a | b", "table")]
