import zipfile
from pathlib import Path

import docx
import pytest
from docx.oxml import OxmlElement

from kb.reading import archive
from kb.reading.failures import Reason, Unreadable
from kb.reading.sections import About
from kb.reading.word import reader as word
from tests.kb.reading.reading import marked, sections


@pytest.fixture
def path(tmp_path: Path) -> Path:
    document = docx.Document()
    document.core_properties.title = "A title"
    document.add_heading("Handbook", 0)
    document.add_heading("Leave", 1)
    document.add_paragraph("Twenty\tdays.")
    document.add_paragraph("")
    document.add_paragraph("one", style="List Bullet")
    document.add_paragraph("two", style="List Number")
    table = document.add_table(2, 2)
    table.cell(0, 0).text, table.cell(0, 1).text, table.cell(1, 1).text = "a", "b", "x\ny"
    document.add_heading("Annual", 2)
    document.add_paragraph("今天天气很好。")
    document.save(str(tmp_path / "a.docx"))
    return tmp_path / "a.docx"


def test_it_reads(path: Path) -> None:
    about, *items = word.read(path)
    assert isinstance(about, About)
    assert (about.title, about.unit) == ("A title", "paragraph")
    found = sections(items)
    assert [(s.text, s.kind, s.heading_path[1:]) for s in found] == [
        ("Handbook", "heading", ()),
        ("Leave", "heading", ("Leave",)),
        ("Twenty\tdays.", "prose", ("Leave",)),
        ("- one\n1. two", "list", ("Leave",)),
        ("a | b\n| x y", "table", ("Leave",)),
        ("Annual", "heading", ("Leave", "Annual")),
        ("今天天气很好。", "prose", ("Leave", "Annual")),
    ]
    assert marked(found[3]) == [(5, "- one"), (6, "1. two")]
    assert [(mark.unit, mark.cell) for mark in found[4].marks] == [(7, (1, 1)), (7, (1, 2)), (8, (2, 2))]
    assert [mark.unit for mark in found[6].marks] == [10]


def test_what_word_shows_is_read(tmp_path: Path) -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("kept ")
    for tag, words in (("w:ins", "added "), ("w:del", "gone "), ("w:hyperlink", "linked")):
        around = OxmlElement(tag)
        run = paragraph.add_run(words)._r
        paragraph._p.append(around)
        around.append(run)
    control, content = OxmlElement("w:sdt"), OxmlElement("w:sdtContent")
    control.append(content)
    content.append(document.add_paragraph("in a control")._p)
    document.element.body.insert(1, control)
    document.save(str(tmp_path / "a.docx"))
    found = sections(word.read(tmp_path / "a.docx"))
    assert [section.text for section in found] == ["kept added linked", "in a control"]


def test_an_outline_level_makes_a_heading(tmp_path: Path) -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("By hand")
    level = OxmlElement("w:outlineLvl")
    level.set(docx.oxml.ns.qn("w:val"), "1")
    paragraph._p.get_or_add_pPr().append(level)
    document.save(str(tmp_path / "a.docx"))
    (section,) = sections(word.read(tmp_path / "a.docx"))
    assert (section.kind, section.heading_path) == ("heading", ("By hand",))


def refusal(path: Path) -> Unreadable:
    with pytest.raises(Unreadable) as refused:
        list(word.read(path))
    return refused.value


def test_a_zip_cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])
    assert refusal(path).reason == Reason.MALFORMED


def test_damaged_data(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[60:90] = bytes(30)
    path.write_bytes(content)
    assert refusal(path).reason == Reason.MALFORMED


def test_a_zip_that_is_no_word_document(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.docx", "w") as made:
        made.writestr("word/document.xml", "<a/>")
    assert refusal(tmp_path / "a.docx").reason == Reason.MALFORMED


@pytest.mark.parametrize(
    ("name", "content", "reason", "says"),
    [
        ("word/a.xml", b"<!DOCTYPE a>", Reason.MALFORMED, "document type"),
        ("word/a.xml", "<!ENTITY a>".encode("utf-16"), Reason.MALFORMED, "document type"),
        ("word/a.xml", b" " * 65_530 + b"<!DOCTYPE a>", Reason.MALFORMED, "document type"),
        ("../a", b"", Reason.MALFORMED, "outside"),
        ("/a", b"", Reason.MALFORMED, "outside"),
        ("a\\b", b"", Reason.MALFORMED, "outside"),
        ("WORD/document.xml", b"", Reason.MALFORMED, "one name"),
        ("word/big", bytes(archive.MEMBER_BYTES + 1), Reason.ZIP_BOMB, "64 MiB"),
    ],
)
def test_a_hostile_member(path: Path, name: str, content: bytes, reason: Reason, says: str) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as made:
        made.writestr(name, content)
    refused = refusal(path)
    assert refused.reason == reason
    assert says in refused.detail


def test_too_many_members(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as made:
        for number in range(archive.MEMBERS):
            made.writestr(f"a/{number}", "")
    assert refusal(path).reason == Reason.ZIP_BOMB


def test_too_much_in_all(path: Path) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as made:
        for number in range(5):
            made.writestr(f"a/{number}", bytes(60 * 1024 * 1024))
    assert "256 MiB" in refusal(path).detail


def test_a_member_that_lies_about_its_size(path: Path) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as made:
        made.writestr("word/media/a.png", bytes(archive.MEMBER_BYTES + 1))
    real = (archive.MEMBER_BYTES + 1).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(real, (10).to_bytes(4, "little")))
    assert refusal(path).reason in (Reason.ZIP_BOMB, Reason.MALFORMED)


def test_members_that_overlap(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as made:
        made.writestr("a/1", b"same bytes")
        twin = zipfile.ZipInfo("a/2")
        first = made.getinfo("a/1")
        twin.header_offset, twin.CRC = first.header_offset, first.CRC
        twin.file_size = twin.compress_size = first.file_size
        made.filelist.append(twin)
        made._didModify = True  # type: ignore[attr-defined]  # else it writes no new directory
    assert "overlap" in refusal(path).detail


def test_an_encrypted_member(path: Path) -> None:
    content = path.read_bytes()
    at = content.rindex(b"PK\x01\x02")
    path.write_bytes(content[: at + 8] + b"\x01" + content[at + 9 :])
    assert refusal(path).reason == Reason.ENCRYPTED
