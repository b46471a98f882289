"""Every format that is a zip: what it is refused for, as the parent of the reader sees it."""

import contextlib
import itertools
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from kb.reading import archive, readers, sniffing
from kb.reading.confined import sandbox, wire
from kb.reading.failures import Reason, Unreadable

from . import packages
from .reading import sections

SUFFIXES = [".pptx", ".xlsx", ".epub", ".odt", ".ods", ".odp"]
MAIN = {
    ".pptx": "ppt/slides/slide1.xml",
    ".xlsx": "xl/worksheets/sheet1.xml",
    ".epub": "OPS/book.opf",
    ".odt": "content.xml",
    ".ods": "content.xml",
    ".odp": "content.xml",
}
UNREAD = ("theme", "slideLayouts/", "docProps/app", "printerSettings")
LAUGHS = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'


def refusal(path: Path) -> Unreadable:
    media_type = sniffing.supported(path.name)
    assert media_type is not None
    with pytest.raises(Unreadable) as refused:
        list(sandbox.read(path, media_type))
    return refused.value


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_it_reads(tmp_path: Path, suffix: str) -> None:
    path = packages.plain(tmp_path, suffix)
    media_type = sniffing.supported(path.name)
    assert media_type is not None
    sniffing.check(path, media_type)
    assert sections(sandbox.read(path, media_type))[-1].text == "Words"


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[60 : len(content) // 2] = bytes(len(content) // 2 - 60)
    path.write_bytes(content)


def without_its_main_part(path: Path) -> None:
    with zipfile.ZipFile(path) as made:
        parts: dict[str, str | bytes] = {name: made.read(name) for name in made.namelist()}
    packages.zipped(path, {name: parts[name] for name in parts if name != MAIN[path.suffix]})


def with_no_xml_in_it(path: Path) -> None:
    with zipfile.ZipFile(path) as made:
        parts: dict[str, str | bytes] = {name: made.read(name) for name in made.namelist()}
    packages.zipped(path, {**parts, MAIN[path.suffix]: b"<a><b></a>"})


def with_entities(path: Path) -> None:
    with zipfile.ZipFile(path) as made:
        parts: dict[str, str | bytes] = {name: made.read(name) for name in made.namelist()}
    content = parts[MAIN[path.suffix]]
    assert isinstance(content, bytes)
    packages.zipped(path, {**parts, MAIN[path.suffix]: LAUGHS.encode() + content[content.find(b"?>") + 2 :]})


def with_entities_in_utf_16(path: Path) -> None:
    packages.added(path, {"more.xml": LAUGHS.encode("utf-16")})


def with_a_part_outside(path: Path) -> None:
    packages.added(path, {"../a.xml": ""})


def with_a_huge_part(path: Path) -> None:
    packages.added(path, {"big.xml": bytes(archive.MEMBER_BYTES + 1)})


def with_a_part_that_lies(path: Path) -> None:
    with_a_huge_part(path)
    real = struct.pack("<L", archive.MEMBER_BYTES + 1)
    path.write_bytes(path.read_bytes().replace(real, struct.pack("<L", 10)))


def with_too_many_parts(path: Path) -> None:
    packages.added(path, {f"a/{number}": "" for number in range(archive.MEMBERS)})


def with_a_locked_part(path: Path) -> None:
    content = path.read_bytes()
    at = content.rindex(b"PK\x01\x02")
    path.write_bytes(content[: at + 8] + b"\x01" + content[at + 9 :])


def nested(opening: str, closing: str, words: str = "<text:p>deep</text:p>") -> str:
    return opening * 40 + words + closing * 40


@pytest.mark.parametrize(
    ("suffix", "body"),
    [
        (".odt", nested("<text:list><text:list-item>", "</text:list-item></text:list>")),
        (".odt", nested("<text:section>", "</text:section>")),
        (".odt", nested("<text:p><draw:frame><draw:text-box>", "</draw:text-box></draw:frame></text:p>")),
        (".odt", f"<text:p>{nested('<text:span>', '</text:span>', 'deep')}</text:p>"),
        (".odp", f"<draw:page>{nested('<draw:g>', '</draw:g>')}</draw:page>"),
    ],
)
def test_what_is_nested_deeply_is_read(tmp_path: Path, suffix: str, body: str) -> None:
    kind = {".odt": "text", ".odp": "presentation"}[suffix]
    path = packages.opendocument(tmp_path / f"a{suffix}", kind, body)
    media_type = sniffing.supported(path.name)
    assert media_type is not None
    assert "deep" in sections(sandbox.read(path, media_type))[-1].text


def test_what_is_nested_without_end_is_not(tmp_path: Path) -> None:
    body = "<text:section>" * 300 + "</text:section>" * 300
    assert refusal(packages.opendocument(tmp_path / "a.odt", "text", body)).reason == Reason.MALFORMED


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("poison", "reasons"),
    [
        (cut_short, {Reason.MALFORMED}),
        (damaged, {Reason.MALFORMED}),
        (without_its_main_part, {Reason.MALFORMED}),
        (with_no_xml_in_it, {Reason.MALFORMED}),
        (with_entities, {Reason.MALFORMED}),
        (with_entities_in_utf_16, {Reason.MALFORMED}),
        (with_a_part_outside, {Reason.MALFORMED}),
        (with_a_huge_part, {Reason.ZIP_BOMB}),
        (with_a_part_that_lies, {Reason.ZIP_BOMB, Reason.MALFORMED}),
        (with_too_many_parts, {Reason.ZIP_BOMB}),
        (with_a_locked_part, {Reason.ENCRYPTED}),
    ],
)
def test_poison(tmp_path: Path, suffix: str, poison: Callable[[Path], None], reasons: set[Reason]) -> None:
    path = packages.plain(tmp_path, suffix)
    poison(path)
    assert refusal(path).reason in reasons


JUNK = ["", "0", "-1", "9" * 5_000, "x", "1e999", "&#0;", "&lt;", "A0", "A1:ZZZ9999999", "../../x", "\u0301", "<", '"']


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_value_breaks_a_reader(tmp_path: Path, suffix: str) -> None:
    """The attributes and texts of a file, up to 400 of them, are something else one after the other."""
    path = packages.plain(tmp_path, suffix)
    media_type = sniffing.supported(path.name)
    assert media_type is not None
    with zipfile.ZipFile(path) as made:
        parts: dict[str, bytes] = {name: made.read(name) for name in made.namelist()}
    places = [
        (name, found.span(found.lastindex or 0))
        for name in parts
        if name.endswith((".xml", ".rels", ".opf")) and not any(part in name for part in UNREAD)
        for found in re.finditer(rb'="([^"]*)"|>([^<]+)<', parts[name])
    ]
    junk = itertools.cycle(JUNK)
    for name, (start, end) in places[:: -(-len(places) // 400)]:
        other = parts[name][:start] + next(junk).encode() + parts[name][end:]
        packages.zipped(path, {**parts, name: other})
        with contextlib.suppress(Unreadable):
            for item in readers.read(path, media_type):
                assert wire.decode(wire.encode(item)) == item
