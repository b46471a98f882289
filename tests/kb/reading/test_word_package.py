"""Files as different programs put them together, and what is wrong with the others."""

import zipfile
from pathlib import Path

import pytest

from kb.reading import sandbox, sniffing, word
from kb.reading.failures import Reason, Unreadable
from kb.reading.sections import About, Section

from .word_files import level, numbering, paragraph, row, style, table
from .word_files import word as word_file

EVERYTHING = {
    "styles": style("H", "heading 1"),
    "numbering": numbering(level(0, "%1.")),
    "footnotes": f'<w:footnote w:id="1">{paragraph("note")}</w:footnote>',
}
BODY = (
    paragraph("Heading", style="H", numbered=("1", 0))
    + '<w:p><w:r><w:t>Words </w:t><w:footnoteReference w:id="1"/></w:r><m:oMath><m:r><m:t>x</m:t></m:r></m:oMath></w:p>'
    + table(row("a", "b"))
)
READ = ["1. Heading", "Words x", "note", "a | b"]


def read(path: Path) -> list[str]:
    """As the worker reads it."""
    sniffing.check(path, sniffing.WORD)
    return [one.text for one in sandbox.read(path, sniffing.WORD) if isinstance(one, Section)]


def refusal(path: Path) -> Unreadable:
    with pytest.raises(Unreadable) as refused:
        read(path)
    return refused.value


@pytest.mark.parametrize("strict", ["", "strict"])
@pytest.mark.parametrize("document", ["word/document.xml", "word/document2.xml"])
def test_namespaces_and_names_of_parts(tmp_path: Path, document: str, strict: str) -> None:
    assert read(word_file(tmp_path / "a.docx", BODY, document=document, strict=strict, **EVERYTHING)) == READ


def test_without_relationships(tmp_path: Path) -> None:
    whole = word_file(tmp_path / "whole.docx", BODY)
    with zipfile.ZipFile(whole) as made, zipfile.ZipFile(tmp_path / "a.docx", "w") as bare:
        bare.writestr("word/document.xml", made.read("word/document.xml"))
    assert read(tmp_path / "a.docx") == ["Heading", "Words x", "a | b"]


def test_relative_targets_and_names_in_other_letters(tmp_path: Path) -> None:
    whole = word_file(tmp_path / "whole.docx", BODY, **EVERYTHING)
    with zipfile.ZipFile(whole) as made, zipfile.ZipFile(tmp_path / "a.docx", "w") as renamed:
        for name in made.namelist():
            content = made.read(name)
            if name.endswith(".rels"):
                content = content.replace(b'"/word/', b'"../word/')
            renamed.writestr(name.replace("styles.xml", "Styles.xml"), content)
    assert read(tmp_path / "a.docx") == READ


def test_what_the_file_says_of_itself(tmp_path: Path) -> None:
    said = "<dc:title>A\n title</dc:title><dc:creator>Ann</dc:creator><cp:keywords>a, b</cp:keywords>"
    said += "<cp:revision>3</cp:revision>"
    about = next(word.read(word_file(tmp_path / "a.docx", BODY, properties=said)))
    assert isinstance(about, About)
    assert (about.title, about.metadata) == ("A title", {"author": "Ann", "keywords": "a, b"})


@pytest.mark.parametrize(
    ("part", "content", "says"),
    [
        ("word/document.xml", b"<w:document", "damaged"),
        ("word/document.xml", b"<document/>", "no document in it"),
        ("word/document.xml", b"", "damaged"),
        ("word/styles.xml", b"<a><b></a>", "damaged"),
        ("word/styles.xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "document type"),
    ],
)
def test_a_part_that_cannot_be_read(tmp_path: Path, part: str, content: bytes, says: str) -> None:
    whole = word_file(tmp_path / "whole.docx", BODY, **EVERYTHING)
    with zipfile.ZipFile(whole) as made, zipfile.ZipFile(tmp_path / "a.docx", "w") as broken:
        for name in made.namelist():
            broken.writestr(name, content if name == part else made.read(name))
    refused = refusal(tmp_path / "a.docx")
    assert refused.reason == Reason.MALFORMED
    assert says in refused.detail


def test_a_document_type_in_a_part_of_any_name(tmp_path: Path) -> None:
    relationships = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r"'
        ' Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"'
        ' Target="word/document.bin"/></Relationships>'
    )
    with zipfile.ZipFile(tmp_path / "a.docx", "w") as made:
        made.writestr("_rels/.rels", relationships)
        made.writestr("word/document.bin", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>")
    assert "document type" in refusal(tmp_path / "a.docx").detail


@pytest.mark.parametrize(
    "around", ["sdt><w:sdtContent", "ins", "p><w:r", "tbl><w:tr><w:tc", "p><w:r><w:pict><w:txbxContent"]
)
@pytest.mark.parametrize("levels", [240, 5_000])
def test_what_nests_deep_is_read_or_refused(tmp_path: Path, around: str, levels: int) -> None:
    tags = around.split("><w:")
    begin = "".join(f"<w:{tag}>" for tag in tags)
    end = "".join(f"</w:{tag}>" for tag in reversed(tags))
    times = levels // len(tags)
    file = word_file(tmp_path / "a.docx", begin * times + paragraph("deep") + end * times)
    if levels > 256:
        assert refusal(file).reason == Reason.MALFORMED
    else:
        assert read(file) == ["deep"]


def test_numbers_beyond_measure(tmp_path: Path) -> None:
    span = '<w:tcPr><w:gridSpan w:val="999999999"/></w:tcPr>'
    body = (
        paragraph("x", numbered=("1", 0))
        + paragraph("x", numbered=("999999999999999999999", 99))
        + table(f"<w:tr><w:tc>{span}{paragraph('a')}</w:tc><w:tc>{span}{paragraph('b')}</w:tc></w:tr>")
    )
    lists = numbering(level(0, "%1" * 200, "upperRoman", start=999_999_999))
    numbered, plain, _table = read(word_file(tmp_path / "a.docx", body, numbering=lists))
    assert numbered == "999999999" * 100 + " x"
    assert plain == "x"
