import zipfile
from pathlib import Path

import pytest

from kb.reading import sniffing
from kb.reading.failures import Reason, Unreadable

from . import files, packages


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.PDF", sniffing.PDF),
        ("a.b.docx", sniffing.WORD),
        ("a.pptx", sniffing.POWERPOINT),
        ("a.XLSX", sniffing.EXCEL),
        ("a.odt", sniffing.OPEN_TEXT),
        ("a.ods", sniffing.OPEN_SHEETS),
        ("a.odp", sniffing.OPEN_SLIDES),
        ("a.epub", sniffing.EPUB),
        ("a.markdown", sniffing.MARKDOWN),
        ("a.md", sniffing.MARKDOWN),
        ("a.txt", sniffing.PLAIN),
        ("a.htm", sniffing.HTML),
        ("a.doc", None),
        ("pdf", None),
    ],
)
def test_a_name_says(name: str, media_type: str | None) -> None:
    assert sniffing.supported(name) == media_type


def refusal(path: Path, content: bytes, media_type: str) -> Unreadable:
    path.write_bytes(content)
    with pytest.raises(Unreadable) as refused:
        sniffing.check(path, media_type)
    return refused.value


def compound(stream: str) -> bytes:
    """A compound file whose directory has a stream of this name."""
    name = stream.encode("utf-16-le")
    entry = name.ljust(64, b"\0") + (len(name) + 2).to_bytes(2, "little")
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(512, b"\0") + entry.ljust(128, b"\0")


@pytest.mark.parametrize(
    ("content", "media_type", "reason", "says"),
    [
        (compound("EncryptedPackage"), sniffing.WORD, Reason.ENCRYPTED, "protected by a password"),
        (compound("WordDocument"), sniffing.WORD, Reason.TYPE_MISMATCH, "Save it as .docx in Word or LibreOffice"),
        (compound("Workbook"), sniffing.WORD, Reason.TYPE_MISMATCH, "an old Excel workbook (.xls)"),
        (
            compound("WordDocument") + "It says EncryptedPackage here.".encode("utf-16-le"),
            sniffing.WORD,
            Reason.TYPE_MISMATCH,
            "an old Word document",
        ),
        (b"", sniffing.MARKDOWN, Reason.NO_TEXT, "The file is empty."),
        (b"\xff\xd8\xff\xe0 JFIF", sniffing.WORD, Reason.TYPE_MISMATCH, "seems to be a JPEG image"),
        (b"\x89PNG\r\n\x1a\n", sniffing.PDF, Reason.TYPE_MISMATCH, "seems to be a PNG image"),
        (b"PK\x03\x04 nothing known", sniffing.WORD, Reason.TYPE_MISMATCH, "seems to be a ZIP archive"),
        (b"PK\x03\x04 xl/workbook.xml", sniffing.WORD, Reason.TYPE_MISMATCH, "an Excel workbook"),
        (b"PK\x03\x04 ppt/presentation.xml", sniffing.EXCEL, Reason.TYPE_MISMATCH, "a PowerPoint presentation"),
        (b"PK\x03\x04 META-INF/container.xml", sniffing.OPEN_TEXT, Reason.TYPE_MISMATCH, "an EPUB book"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", sniffing.WORD, Reason.TYPE_MISMATCH, "an old Office file (.doc"),
        (compound("Workbook"), sniffing.EXCEL, Reason.TYPE_MISMATCH, "an old Excel workbook (.xls)"),
        (compound("EncryptedPackage"), sniffing.EXCEL, Reason.ENCRYPTED, "protected by a password"),
        (compound("EncryptedPackage"), sniffing.POWERPOINT, Reason.ENCRYPTED, "protected by a password"),
        (compound("Encrypted"), sniffing.EXCEL, Reason.TYPE_MISMATCH, "an old Office file"),
        (b"%PDF-1.7\n", sniffing.PLAIN, Reason.TYPE_MISMATCH, "seems to be a PDF"),
        (b"%PDF-1.7\n", sniffing.WORD, Reason.TYPE_MISMATCH, "seems to be a PDF"),
        (b"just words", sniffing.PDF, Reason.TYPE_MISMATCH, "By its name this is a PDF, but its content is not."),
        (b"caf\xe9", sniffing.PLAIN, Reason.TYPE_MISMATCH, "byte 4 is not UTF-8"),
        (b"a\0b", sniffing.MARKDOWN, Reason.TYPE_MISMATCH, "byte 2 is a NUL"),
        (b"x" * 65_535 + b"\xe4\xb8", sniffing.PLAIN, Reason.TYPE_MISMATCH, "byte 65,536 is not UTF-8"),
        ("中".encode() * 30_000 + b"\0", sniffing.PLAIN, Reason.TYPE_MISMATCH, "byte 90,001 is a NUL"),
        ("\ufeffa\0".encode("utf-16-le"), sniffing.PLAIN, Reason.TYPE_MISMATCH, "byte 5 is a NUL"),
    ],
)
def test_it_refuses(tmp_path: Path, content: bytes, media_type: str, reason: Reason, says: str) -> None:
    refused = refusal(tmp_path / "file", content, media_type)
    assert refused.reason == reason
    assert says in refused.detail


@pytest.mark.parametrize(
    "content",
    [
        "中文，很好".encode() * 20_000,  # characters cut in two between blocks
        b"\xef\xbb\xbfwith a mark",
        "in UTF-16 文".encode("utf-16"),
        b"MZ are the first letters of Mozart",
        b"A PDF begins with %PDF-1.7",
    ],
)
def test_it_accepts_text(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(content)
    sniffing.check(path, sniffing.PLAIN)


def test_it_accepts_a_pdf_behind_a_preamble(tmp_path: Path) -> None:
    path = files.pdf(tmp_path / "a.pdf", [["Words"]])
    path.write_bytes(b"HTTP/1.1 200 OK\r\n\r\n" + path.read_bytes())
    sniffing.check(path, sniffing.PDF)


def test_a_file_within_a_file_does_not_say_what_it_is(tmp_path: Path) -> None:
    inner = packages.plain(tmp_path, ".xlsx")
    path = packages.plain(tmp_path, ".pptx")
    with zipfile.ZipFile(path, "a") as made:
        made.write(inner, "ppt/embeddings/a.xlsx")
    sniffing.check(path, sniffing.POWERPOINT)
