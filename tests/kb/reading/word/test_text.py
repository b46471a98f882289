"""The text of a paragraph is what Word shows of it."""

from pathlib import Path

import pytest

from kb.reading.sections import Warned
from kb.reading.word import reader as word
from tests.kb.reading.reading import marked, sections

from .files import character, field, mixed, paragraph, run, style
from .files import word as word_file

STYLES = (
    style("Gone", "Gone", kind="character", inside="<w:rPr><w:vanish/></w:rPr>")
    + style("GoneToo", "Gone too", inside="<w:rPr><w:vanish/></w:rPr>")
    + style("Toc1", "toc 1")
    + style("H", "heading 1")
)


def read(path: Path, body: str) -> list[str]:
    return [one.text for one in sections(word.read(word_file(path / "a.docx", body, styles=STYLES)))]


@pytest.mark.parametrize(
    ("inside", "shown"),
    [
        # Tracked changes
        (f"a<w:ins>{run('b')}</w:ins><w:del><w:r><w:delText>c</w:delText></w:r></w:del>", "ab"),
        (f"a<w:moveFrom>{run('b')}</w:moveFrom><w:moveTo>{run('c')}</w:moveTo>", "ac"),
        # Hidden
        (run("a") + run("b", "<w:vanish/>") + run("c", "<w:vanish w:val='0'/>"), "ac"),
        (run("a") + run("b", "<w:rStyle w:val='Gone'/>"), "a"),
        (f"a{run('b', '<w:webHidden/>')}", "ab"),
        # Fields
        (f"see {field('REF x', run('page 3'))}!", "see page 3!"),
        (f"<w:fldSimple w:instr='AUTHOR'>{run('Ann')}</w:fldSimple>", "Ann"),
        (field("IF " + "</w:instrText></w:r>" + field("X", run("in")) + "<w:r><w:instrText>", run("out")), "out"),
        (f"a{character('begin')}<w:r><w:instrText>XE</w:instrText></w:r>{character('end')}b", "ab"),
        (f"a{character('end')}{character('separate')}b", "ab"),
        (character("begin", "<w:ffData><w:checkBox><w:checked/></w:checkBox></w:ffData>") + character("end"), "☒"),
        (
            character("begin", "<w:ffData><w:checkBox><w:default w:val='0'/></w:checkBox></w:ffData>")
            + character("end")
            + "a",
            "☐a",
        ),
        (
            character(
                "begin",
                "<w:ffData><w:ddList><w:result w:val='1'/><w:listEntry w:val='x'/><w:listEntry w:val='y'/>"
                "</w:ddList></w:ffData>",
            )
            + character("end"),
            "y",
        ),
        (f"<w:hyperlink>{run('linked')}</w:hyperlink>", "linked"),
        # Characters
        ("a<w:r><w:tab/></w:r>b<w:r><w:br/></w:r>c<w:r><w:cr/></w:r>d", "a\tb\nc\nd"),
        ("co<w:r><w:noBreakHyphen/></w:r>op<w:r><w:softHyphen/></w:r>er\u00adate", "co-operate"),
        ("<w:r><w:t>one\ntwo</w:t></w:r>", "one two"),
        ('<w:r><w:sym w:font="Symbol" w:char="F061"/></w:r>', "α"),
        ('a<w:r><w:sym w:font="Wingdings" w:char="F0FC"/></w:r>', "a✓"),
        ('a<w:r><w:sym w:font="Arial" w:char="00E9"/></w:r>', "aé"),
        ('a<w:r><w:sym w:font="Nobody&apos;s" w:char="F0FC"/><w:sym w:char="D800"/><w:sym w:char="?"/></w:r>', "a"),
        (run("\uf0b3x", '<w:rFonts w:ascii="Symbol"/>'), "≥x"),
        (
            "<w:r><w:ruby><w:rt><w:r><w:t>かん</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>漢</w:t></w:r></w:rubyBase>"
            "</w:ruby></w:r>字",
            "漢字",
        ),
        # Containers
        (f"<w:smartTag><w:customXml>{run('a')}</w:customXml></w:smartTag>", "a"),
        (f"a<w:sdt><w:sdtPr><w:text/></w:sdtPr><w:sdtContent>{run('b')}</w:sdtContent></w:sdt>", "ab"),
        (f"a<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>{run('b')}</w:sdtContent></w:sdt>", "a"),
        (
            f"<mc:AlternateContent><mc:Choice>{run('a')}</mc:Choice><mc:Fallback>{run('b')}</mc:Fallback>"
            "</mc:AlternateContent>",
            "a",
        ),
        (
            f"<mc:AlternateContent><mc:Choice/><mc:Fallback>{run('b')}</mc:Fallback></mc:AlternateContent>",
            "b",
        ),
        # No text
        ("a<w:commentRangeStart/><w:r><w:commentReference/><w:annotationRef/></w:r><w:proofErr/>", "a"),
    ],
)
def test_what_word_shows(tmp_path: Path, inside: str, shown: str) -> None:
    assert read(tmp_path, f"<w:p>{mixed(inside)}</w:p>") == [shown]


def test_a_paragraph_whose_style_is_hidden(tmp_path: Path) -> None:
    assert read(tmp_path, paragraph("gone", style="GoneToo") + paragraph("here")) == ["here"]


@pytest.mark.parametrize("how", ["del", "moveFrom"])
def test_paragraphs_between_which_the_mark_is_deleted_are_one(tmp_path: Path, how: str) -> None:
    mark = f"<w:rPr><w:{how}/></w:rPr>"
    body = (
        paragraph("one ", properties=mark) + paragraph("two ", properties=mark) + paragraph("three", style="H")
        + paragraph("four") + paragraph("five", properties=mark)
    )  # fmt: skip
    found = sections(word.read(word_file(tmp_path / "a.docx", body, styles=STYLES)))
    assert [(one.text, one.kind) for one in found] == [
        ("one two three", "heading"),
        ("four", "prose"),
        ("five", "prose"),
    ]
    assert [mark.unit for one in found for mark in one.marks] == [1, 2, 3]


def test_a_deleted_block_is_out(tmp_path: Path) -> None:
    body = f"<w:del>{paragraph('a')}</w:del><w:moveFrom>{paragraph('b')}</w:moveFrom><w:ins>{paragraph('c')}</w:ins>"
    assert read(tmp_path, body) == ["c"]


def test_a_table_of_contents_is_left_out(tmp_path: Path) -> None:
    by_field = (
        f"<w:p>{character('begin')}<w:r><w:instrText> TOC </w:instrText></w:r>{character('separate')}"
        f"{run('One')}{field('PAGEREF x', run('1'))}</w:p>{paragraph('Two')}<w:p>{character('end')}{run('after')}</w:p>"
    )
    by_control = (
        '<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery w:val="Table of Contents"/></w:docPartObj></w:sdtPr>'
        f"<w:sdtContent>{paragraph('Contents')}{paragraph('One')}</w:sdtContent></w:sdt>"
    )
    by_style = paragraph("One\t1", style="Toc1")
    simple = f"<w:p><w:fldSimple w:instr=' TOC \\o '>{run('One')}</w:fldSimple></w:p>"
    assert read(tmp_path, by_field + by_control + by_style + simple) == ["after"]


def test_a_table_of_contents_without_an_end_goes_no_further_than_a_heading(tmp_path: Path) -> None:
    body = (
        f"<w:p>{character('begin')}<w:r><w:instrText>TOC</w:instrText></w:r>{character('separate')}{run('One')}</w:p>"
    )
    assert read(tmp_path, body + paragraph("One", style="H") + paragraph("words")) == ["One", "words"]


def test_a_field_goes_on_in_the_next_paragraph(tmp_path: Path) -> None:
    begun = f"<w:p>{character('begin')}<w:r><w:instrText>REF</w:instrText></w:r>{character('separate')}{run('a')}</w:p>"
    assert read(tmp_path, begun + f"<w:p>{run('b')}{character('end')}{run('c')}</w:p>") == ["a", "bc"]


def test_an_instruction_without_an_end_takes_no_other_paragraph_with_it(tmp_path: Path) -> None:
    begun = f"<w:p>{character('begin')}<w:r><w:instrText>REF</w:instrText></w:r></w:p>"
    assert read(tmp_path, begun + paragraph("words")) == ["words"]


def test_text_boxes_stand_behind_their_paragraph(tmp_path: Path) -> None:
    drawing = "<w:drawing><wps:txbx><w:txbxContent>{}</w:txbxContent></wps:txbx></w:drawing>"
    picture = "<w:pict><v:textbox><w:txbxContent>{}</w:txbxContent></v:textbox></w:pict>"
    box = paragraph("in a box") + paragraph("more of it", style="H")
    both = (
        f"<mc:AlternateContent><mc:Choice>{drawing.format(box)}</mc:Choice>"
        f"<mc:Fallback>{picture.format(box)}</mc:Fallback></mc:AlternateContent>"
    )
    nested = picture.format(f"<w:p><w:r>{drawing.format(paragraph('inner'))}</w:r>{run('outer')}</w:p>")
    body = paragraph("Top", style="H") + f"<w:p>{run('be')}<w:r>{both}</w:r>{run('side')}</w:p>"
    body += f"<w:p><w:r>{nested}</w:r></w:p>{paragraph('end')}"
    found = sections(word.read(word_file(tmp_path / "a.docx", body, styles=STYLES)))
    assert [(unit, words) for one in found for unit, words in marked(one)] == [
        (1, "Top"),
        (2, "beside"),
        (2, "in a box"),
        (2, "more of it"),
        (3, "outer"),
        (3, "inner"),
        (4, "end"),
    ]
    assert {one.heading_path for one in found} == {("Top",)}


def test_notes_stand_behind_their_paragraph_and_only_once(tmp_path: Path) -> None:
    def note(kind: str, number: int, inside: str) -> str:
        return f'<w:{kind} w:id="{number}">{inside}</w:{kind}>'

    def reference(kind: str, number: int) -> str:
        return f'<w:r><w:{kind}Reference w:id="{number}"/></w:r>'

    own = f"<w:p><w:r><w:footnoteRef/></w:r>{run(' A note.')}{reference('footnote', 1)}</w:p>{paragraph('More.')}"
    footnotes = note("footnote", -1, paragraph("separator")) + note("footnote", 1, own)
    footnotes += note("footnote", 2, paragraph("never referred to"))
    body = (
        f"<w:p>{run('One')}{reference('footnote', 1)}{run(' two')}{reference('endnote', 1)}</w:p>"
        f"<w:p>{run('again')}{reference('footnote', 1)}<w:del>{reference('endnote', 2)}</w:del></w:p>"
    )
    endnotes = note("endnote", 1, paragraph("At the end.")) + note("endnote", 2, paragraph("deleted"))
    file = word_file(tmp_path / "a.docx", body, footnotes=footnotes, endnotes=endnotes)
    found = sections(word.read(file))
    assert [(one.kind, one.text, one.marks[0].unit) for one in found] == [
        ("prose", "One two", 1),
        ("prose", "A note.", 1),
        ("prose", "More.", 1),
        ("prose", "At the end.", 1),
        ("prose", "again", 2),
    ]


def test_files_within_the_file_are_said_to_be_left_out(tmp_path: Path) -> None:
    file = word_file(tmp_path / "a.docx", paragraph("here") + '<w:altChunk w:id="r9"/><w:subDoc w:id="r8"/>')
    *_others, warned = word.read(file)
    assert warned == Warned("embedded_files", "Files embedded in the document were not read: 2.")
