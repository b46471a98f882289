"""A zip that is what it says: checked from its real bytes before any library trusts its directory."""

import re
import zipfile
import zlib
from pathlib import Path

from kb.reading.failures import Reason, Unreadable

MEMBERS = 2_000
MEMBER_BYTES = 64 * 1024 * 1024
TOTAL_BYTES = 256 * 1024 * 1024

_STEP = 64 * 1024
_LOCAL_HEADER = 30
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_XML = (".xml", ".rels", ".vml", ".opf", ".ncx", ".xhtml")
_CARRIED = 256
"""Bytes of one block looked at again with the next: a declaration that the two share is seen whole."""

_UNSAFE_NAME = re.compile(r"^/|^[A-Za-z]:|\\|(?:^|/)\.\.(?:/|$)|\0")

NO_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)")
"""Office files declare nothing: the Open Packaging Conventions forbid it (ECMA-376, part 2)."""

NO_ENTITIES = re.compile(rb"<!ENTITY|<!DOCTYPE[^>\[]{0,200}\[")
"""Books and OpenDocument files may name a document type, but have none of their own with entities in it."""


def check(path: Path, *, forbidden: re.Pattern[bytes] = NO_DOCTYPE) -> None:
    """Nothing, when the zip keeps the limits and holds no tricks, and its XML nothing `forbidden`.

    Raises Unreadable: ZIP_BOMB past a limit, counted in bytes that really came out; ENCRYPTED; else MALFORMED.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_directory(members, archive.start_dir)
            _check_contents(archive, members, forbidden)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, OSError, ValueError) as error:
        raise _malformed("it is damaged") from error
    except zlib.error as error:
        raise _malformed("its compressed data is damaged") from error


def _check_directory(members: list[zipfile.ZipInfo], end: int) -> None:
    if len(members) > MEMBERS:
        raise _bomb(f"it has {len(members):,} parts; the limit is {MEMBERS:,}")
    if len({member.filename.lower() for member in members}) < len(members):
        raise _malformed("two of its parts have one name")
    for member in members:
        if _UNSAFE_NAME.search(member.orig_filename):
            raise _malformed("a part is named as if it lay outside the file")
        if member.flag_bits & _ENCRYPTED:
            raise Unreadable(Reason.ENCRYPTED, "This file is protected by a password. Save it without one.")
        if member.compress_type not in _METHODS:
            raise _malformed("a part is compressed in a way that such files do not use")
    _check_overlap(members, end)


def _check_overlap(members: list[zipfile.ZipInfo], end: int) -> None:
    """Members that share compressed bytes make a small file unpack to a huge one (D. Fifield, "A better zip bomb")."""
    begins = sorted(members, key=lambda member: member.header_offset)
    nexts = [member.header_offset for member in begins[1:]] + [end]
    for member, following in zip(begins, nexts, strict=True):
        if member.header_offset + _LOCAL_HEADER + member.compress_size > following:
            raise _malformed("its parts overlap")


def _check_contents(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], forbidden: re.Pattern[bytes]) -> None:
    total = 0
    for member in members:
        total += _checked_size(archive, member, forbidden)
        if total > TOTAL_BYTES:
            raise _bomb(f"it unpacks to more than {TOTAL_BYTES >> 20} MiB")


def _checked_size(archive: zipfile.ZipFile, member: zipfile.ZipInfo, forbidden: re.Pattern[bytes]) -> int:
    is_xml = member.filename.lower().endswith(_XML)
    size = 0
    carried = b""
    with archive.open(member) as content:
        while block := content.read(_STEP):
            size += len(block)
            if size > MEMBER_BYTES:
                raise _bomb(f"a part unpacks to more than {MEMBER_BYTES >> 20} MiB")
            if is_xml:
                # Without NULs a declaration in UTF-16 reads like one in UTF-8; the end is carried to the next block.
                carried = (carried + block).replace(b"\0", b"")
                if forbidden.search(carried):
                    raise _malformed("it declares a document type or entities of its own")
                carried = carried[-_CARRIED:]
    return size


def _bomb(why: str) -> Unreadable:
    return Unreadable(Reason.ZIP_BOMB, f"This file was not opened: {why}.")


def _malformed(why: str) -> Unreadable:
    return Unreadable(
        Reason.MALFORMED,
        f"This file cannot be opened: {why}. Save it again in the program that made it and upload that.",
    )
