"""What must hold of whatever stands in a Word file: it is read, and every place is right."""

import tempfile
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from kb.reading import assembly
from kb.reading.confined import wire
from kb.reading.sections import About, Section
from kb.reading.word import reader as word
from tests.kb.reading.reading import sections

from .files import character, instance, level, numbering, paragraph, run, style
from .files import word as word_file

STYLES = style("H", "heading 1") + style("C", "caption") + style("Toc", "toc 1")
LISTS = numbering(level(0, "%1.") + level(1, "%1.%2"), instances=instance("2", "1"))
NOTES = "".join(
    f'<w:footnote w:id="{at}">{paragraph("note")}<w:p><w:r><w:footnoteReference w:id="2"/></w:r></w:p></w:footnote>'
    for at in (1, 2)
)

words = st.text(alphabet="aé e\u0301文 \u0300|-.\u00ad\u202e한", max_size=8)
inline = st.one_of(
    words.map(run),
    words.map(lambda said: run(said, "<w:b/>")),
    words.map(lambda said: run(said, "<w:vanish/>")),
    st.sampled_from(["begin", "separate", "end"]).map(character),
    st.sampled_from(["TOC", "REF x"]).map(lambda said: f"<w:r><w:instrText>{said}</w:instrText></w:r>"),
    st.sampled_from("12").map(lambda said: f'<w:r><w:footnoteReference w:id="{said}"/></w:r>'),
    st.sampled_from(["<w:r><w:br/></w:r>", "<w:r><w:tab/></w:r>", "<m:oMath><m:r><m:t>x</m:t></m:r></m:oMath>"]),
)
properties = st.sampled_from(
    ["", "<w:outlineLvl w:val='1'/>", "<w:rPr><w:del/></w:rPr>", "<w:rPr><w:vanish/></w:rPr>"]
    + [f'<w:pStyle w:val="{one}"/>' for one in ("H", "C", "Toc")]
    + [f'<w:numPr><w:ilvl w:val="{at}"/><w:numId w:val="{list_id}"/></w:numPr>' for at in (0, 1, 5) for list_id in "12"]
)
paragraphs = st.tuples(properties, st.lists(inline, max_size=4)).map(
    lambda said: f"<w:p><w:pPr>{said[0]}</w:pPr>{''.join(said[1])}</w:p>"
)


def _wrapped(blocks: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    inside = st.lists(blocks, max_size=3).map("".join)
    cell_properties = st.sampled_from(
        ["", "<w:vMerge/>", '<w:vMerge w:val="restart"/>', '<w:gridSpan w:val="2"/>', "<w:cellDel/>"]
    )
    cells = st.tuples(cell_properties, inside).map(lambda said: f"<w:tc><w:tcPr>{said[0]}</w:tcPr>{said[1]}</w:tc>")
    row_properties = st.sampled_from(["", "<w:tblHeader/>", "<w:del/>", '<w:gridBefore w:val="1"/>'])
    rows = st.tuples(row_properties, st.lists(cells, max_size=3).map("".join)).map(
        lambda said: f"<w:tr><w:trPr>{said[0]}</w:trPr>{said[1]}</w:tr>"
    )
    return st.one_of(
        st.lists(rows, max_size=3).map(lambda said: f"<w:tbl>{''.join(said)}</w:tbl>"),
        inside.map(lambda said: f"<w:p><w:r><w:pict><w:txbxContent>{said}</w:txbxContent></w:pict></w:r></w:p>"),
        inside.map(lambda said: f"<w:sdt><w:sdtContent>{said}</w:sdtContent></w:sdt>"),
    )


bodies = st.lists(st.recursive(paragraphs, _wrapped, max_leaves=8), max_size=6).map("".join)


@given(bodies)
@example("<w:tbl><w:tr/><w:tr><w:tc/></w:tr></w:tbl>")
def test_every_place_is_right(body: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = word_file(Path(folder) / "a.docx", body, styles=STYLES, numbering=LISTS, footnotes=NOTES)
        items = list(word.read(file))
        assert list(word.read(file)) == items
    assert isinstance(items[0], About)
    assert [wire.decode(wire.encode(item)) for item in items] == items
    reading = assembly.read_document(items)
    for stretch, section in zip(reading.stretches, sections(items), strict=True):
        assert reading.text[stretch.start : stretch.end] == section.text
        assert section.text.startswith(section.context)
        assert all(mark.cell is not None for mark in section.marks) == (section.kind == "table")
    assert sum(isinstance(item, Section) for item in items) == len(reading.stretches)
