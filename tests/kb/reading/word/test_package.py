"""Files as different programs put them together, and what is wrong with the others."""

import zipfile
from pathlib import Path

import pytest
from docx.oxml.document import CT_Body
from docx.oxml.numbering import CT_Numbering
from docx.oxml.styles import CT_Styles

from kb.reading import sniffing
from kb.reading.confined import sandbox
from kb.reading.failures import Reason, Unreadable
from kb.reading.sections import About, Section
from kb.reading.word import reader as word
from kb.reading.word.package import Package

from .files import level, numbering, paragraph, row, style, table
from .files import word as word_file

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


def repacked(path: Path, whole: Path, **changes: bytes | None) -> Path:
    """The same Word file with other parts: names as `word/styles.xml`; without those that are None."""
    with zipfile.ZipFile(whole) as made, zipfile.ZipFile(path, "w") as changed:
        for name in {**dict.fromkeys(made.namelist()), **changes}:
            content = changes[name] if name in changes else made.read(name)
            if content is not None:
                changed.writestr(name, content)
    return path


def test_python_docx_has_opened_it(tmp_path: Path) -> None:
    package = Package(word_file(tmp_path / "a.docx", BODY, strict="strict", **EVERYTHING))
    assert isinstance(package.body(), CT_Body)
    assert isinstance(package.related("styles"), CT_Styles)
    assert isinstance(package.related("numbering"), CT_Numbering)


RELATIONSHIPS = "word/_rels/document.xml.rels"
OPEN = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"


@pytest.mark.parametrize(
    "relationship",
    [
        b'<Relationship Id="x" Type="%b/header" Target="gone.xml"/>' % OPEN,
        b'<Relationship Id="x" Type="%b/styles" Target="/word/twice.xml"/>' % OPEN,
        b'<Relationship Id="x" Type="%b/image" Target="NULL"/>' % OPEN,
        b'<Relationship Id="x" Type="%b/image" Target=""/>' % OPEN,
        b'<Relationship Id="x" Type="%b/attachedTemplate" Target="file:///C:/a.dotx" TargetMode="External"/>' % OPEN,
        b'<Relationship Id="r1" Type="%b/hyperlink" Target="#here"/>' % OPEN,
        b"<Relationship/>",
    ],
)
def test_relationships_that_python_docx_trips_over(tmp_path: Path, relationship: bytes) -> None:
    whole = word_file(tmp_path / "whole.docx", BODY, **EVERYTHING)
    with zipfile.ZipFile(whole) as made:
        said = made.read(RELATIONSHIPS).replace(b"</Relationships>", relationship + b"</Relationships>")
    assert read(repacked(tmp_path / "a.docx", whole, **{RELATIONSHIPS: said})) == READ


@pytest.mark.parametrize(
    "types",
    [
        b"<Types/>",
        b"",
        b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml"'
        b' ContentType="application/vnd.ms-word.template.macroEnabledTemplate.main+xml"/></Types>',
    ],
)
def test_kinds_of_content_that_python_docx_does_not_know(tmp_path: Path, types: bytes) -> None:
    whole = word_file(tmp_path / "whole.docx", BODY, **EVERYTHING)
    assert read(repacked(tmp_path / "a.docx", whole, **{"[Content_Types].xml": types})) == READ


def test_a_part_that_is_missing(tmp_path: Path) -> None:
    whole = word_file(tmp_path / "whole.docx", BODY, **EVERYTHING)
    file = repacked(tmp_path / "a.docx", whole, **{"word/styles.xml": None, "word/footnotes.xml": None})
    assert read(file) == ["1. Heading", "Words x", "a | b"]
    file = repacked(tmp_path / "b.docx", whole, **{"word/document.xml": None})
    with pytest.raises(Unreadable, match="no document in it"):
        list(word.read(file))


@pytest.mark.parametrize(
    ("runs", "says"),
    [
        ("<w:r><w:t>one<!-- left out --> wo<?left out?>rd</w:t></w:r>", "one word"),
        ('<w:r><w:t>a</w:t></w:r><w:r><w:t xml:space="preserve"> </w:t></w:r><w:r><w:t>b</w:t></w:r>', "a b"),
        ("<w:r><w:t>a</w:t></w:r>\n  <w:r><w:t>b</w:t></w:r>", "ab"),
        ("<w:r><w:t><![CDATA[a < b & c]]></w:t></w:r>", "a < b & c"),
        ("<w:r><w:t>http://purl.oclc.org/ooxml/a/main</w:t></w:r>", "http://purl.oclc.org/ooxml/a/main"),
    ],
)
def test_text_as_it_stands(tmp_path: Path, runs: str, says: str) -> None:
    for strict in ("", "strict"):
        assert read(word_file(tmp_path / f"{strict}.docx", f"<w:p>{runs}</w:p>", strict=strict)) == [says]


def test_what_the_file_says_of_itself(tmp_path: Path) -> None:
    said = "<dc:title>A\n title</dc:title><dc:creator>Ann</dc:creator><cp:keywords>a, b</cp:keywords>"
    said += "<cp:revision>3</cp:revision>"
    about = next(word.read(word_file(tmp_path / "a.docx", BODY, properties=said)))
    assert isinstance(about, About)
    assert (about.title, about.metadata) == ("A title", {"author": "Ann", "keywords": "a, b"})


def test_it_says_nothing_of_itself(tmp_path: Path) -> None:
    about = next(word.read(word_file(tmp_path / "a.docx", BODY)))
    assert isinstance(about, About)
    assert (about.title, about.metadata) == ("", {})


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
    refused = refusal(repacked(tmp_path / "a.docx", whole, **{part: content}))
    assert refused.reason == Reason.MALFORMED
    assert says in refused.detail


ENTITY = "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>"


@pytest.mark.parametrize(
    "content",
    [
        ENTITY.encode(),
        ENTITY.encode("utf-16"),
        b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY c "&b;&b;">]><a d="&c;"/>',
        b'<!DOCTYPE a SYSTEM "https://example.org/a.dtd"><a/>',
    ],
)
@pytest.mark.parametrize("kind", ["officeDocument", "metadata/core-properties"])
def test_a_document_type_in_a_part_of_any_name(tmp_path: Path, kind: str, content: bytes) -> None:
    relationships = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r"'
        f' Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}"'
        ' Target="word/part.bin"/></Relationships>'
    )
    with zipfile.ZipFile(word_file(tmp_path / "a.docx", BODY), "a") as made:
        made.writestr("word/part.bin", content)
    changes = {"_rels/.rels": relationships.encode()}
    assert "document type" in refusal(repacked(tmp_path / "b.docx", tmp_path / "a.docx", **changes)).detail


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
