"""What a file says of its own encoding counts where it is not UTF-8, and then strictly."""

from pathlib import Path

import pytest

from kb.reading import encoding
from kb.reading.failures import Reason, Unreadable


@pytest.mark.parametrize(
    ("written", "label", "codec"),
    [
        ("<meta charset={}>中文", "GBK", "gb18030"),
        ("<meta http-equiv='Content-Type' content='text/html; charset={}'>日本語", "Shift_JIS", "cp932"),
        ("<?xml version='1.0' encoding='{}'?>é€", "ISO-8859-1", "cp1252"),
        ("#!/usr/bin/ruby\n# -*- coding: {} -*-\n한국", "euc-kr", "cp949"),
        ("// vim: fileencoding={}\nпривет", "koi8-r", "koi8_r"),
    ],
)
def test_it_is_believed(tmp_path: Path, written: str, label: str, codec: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(written.format(label).encode(codec) * 10_000)
    assert encoding.whole(path) == written.format(label) * 10_000


@pytest.mark.parametrize("label", ["gbk", "utf-16", "rot13", "zlib", "utf-7", "no-such"])
def test_utf8_needs_no_word(tmp_path: Path, label: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(f"<meta charset={label}>中文".encode())
    assert encoding.whole(path).endswith("中文")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<meta charset=euc-kr>\xff", "This file says that it is text in cp949, but byte 22 is not in that encoding."),
        (b"<meta charset=gbk>\xd6\xd0\0", "byte 21 is a NUL"),
        (b"<meta charset=zlib>\xff", "byte 20 is not UTF-8"),
        (b"a" * 2_000 + b"<meta charset=gbk>\xd6\xd0", "not UTF-8"),
        (b"\xef\xbb\xbf<meta charset=gbk>\xd6\xd0", "not UTF-8"),
    ],
)
def test_it_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(Unreadable) as refused:
        list(encoding.pieces(path))
    assert refused.value.reason == Reason.TYPE_MISMATCH
    assert says in refused.value.detail


def test_only_line_ends_end_lines(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes("a\r\nb\rc\nd\fe\x0bf\x85g\u2028h".encode())
    assert encoding.whole(path) == "a\nb\nc\nd e f g\u2028h"
