from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from kb.reading.office import slides
from kb.reading.sections import About, Item, Progress, Section
from tests.kb.reading import packages
from tests.kb.reading.reading import sections

TITLE_AND_BODY, TWO_COLUMNS, TITLE_ONLY, BLANK = 1, 3, 5, 6


@pytest.fixture
def deck() -> Any:
    return Presentation()


def slide(deck: Any, layout: int, title: str = "") -> Any:
    added = deck.slides.add_slide(deck.slide_layouts[layout])
    if title:
        added.shapes.title.text = title
    return added


def box(where: Any, words: str, *, left: float, top: float) -> None:
    where.shapes.add_textbox(Inches(left), Inches(top), Inches(2), Inches(1)).text_frame.text = words


def items(deck: Any, folder: Path) -> list[Item]:
    deck.save(str(folder / "a.pptx"))
    return list(slides.read(folder / "a.pptx"))


def read(deck: Any, folder: Path) -> list[Section]:
    return sections(items(deck, folder))


def test_it_reads(deck: Any, tmp_path: Path) -> None:
    deck.core_properties.title = "A title"
    first = slide(deck, TITLE_AND_BODY, "Plan\vfor 2024")
    frame = first.placeholders[1].text_frame
    frame.text = "one"
    under = frame.add_paragraph()
    under.text, under.level = "under it", 1
    first.notes_slide.notes_text_frame.text = "Say hello"
    slide(deck, TITLE_ONLY, "今后")
    about, *found = items(deck, tmp_path)
    assert isinstance(about, About)
    assert (about.title, about.unit) == ("A title", "slide")
    assert [item for item in found if isinstance(item, Progress)] == [Progress(1, 2), Progress(2, 2)]
    assert [(s.text, s.kind, s.heading_path, {mark.unit for mark in s.marks}) for s in sections(found)] == [
        ("Plan for 2024", "heading", ("Plan for 2024",), {1}),
        ("- one\n  - under it", "list", ("Plan for 2024",), {1}),
        ("Say hello", "prose", ("Plan for 2024",), {1}),
        ("今后", "heading", ("今后",), {2}),
    ]


def test_shapes_in_the_order_they_are_read(deck: Any, tmp_path: Path) -> None:
    shown = slide(deck, BLANK)
    for words, left, top in [("4", 5, 3.1), ("2", 5, 1), ("3", 0, 3), ("5", 0, 5), ("1", 0, 1.2)]:
        box(shown, words, left=left, top=top)
    assert [section.text for section in read(deck, tmp_path)] == ["1", "2", "3", "4", "5"]


def test_a_column_beside_several_boxes(deck: Any, tmp_path: Path) -> None:
    shown = slide(deck, BLANK)
    shown.shapes.add_textbox(0, 0, Inches(2), Inches(6)).text_frame.text = "1"
    for words, top in [("3", 3), ("2", 0.5)]:
        box(shown, words, left=4, top=top)
    assert [section.text for section in read(deck, tmp_path)] == ["1", "2", "3"]


def test_placeholders_stand_where_their_layout_says(deck: Any, tmp_path: Path) -> None:
    shown = slide(deck, TWO_COLUMNS, "Title")
    left, right = shown.placeholders[1], shown.placeholders[2]
    left.text_frame.text, right.text_frame.text = "left", "right"
    left.element.addprevious(right.element)
    box(shown, "between", left=4, top=6.5)
    assert [section.text for section in read(deck, tmp_path)] == ["Title", "left", "right", "between"]


def test_groups_stay_together(deck: Any, tmp_path: Path) -> None:
    shown = slide(deck, BLANK)
    group = shown.shapes.add_group_shape()
    for words, top in [("grouped 2", 4), ("grouped 1", 1)]:
        group.shapes.add_textbox(0, Inches(top), Inches(2), Inches(1)).text_frame.text = words
    box(shown, "beside", left=5, top=2)
    assert [section.text for section in read(deck, tmp_path)] == ["grouped 1", "grouped 2", "beside"]


def test_tables(deck: Any, tmp_path: Path) -> None:
    table = slide(deck, BLANK).shapes.add_table(3, 3, 0, 0, Inches(4), Inches(2)).table
    for row, words in enumerate([["Kind", "2024", ""], ["Fruit", "1", "two\nlines"], ["", "3", "4"]]):
        for column, cell in enumerate(words):
            table.cell(row, column).text = cell
    table.cell(0, 1).merge(table.cell(0, 2))
    table.cell(1, 0).merge(table.cell(2, 0))
    (section,) = read(deck, tmp_path)
    assert (section.text, section.kind) == ("Kind | 2024\nFruit | 1 | two lines\nFruit | 3 | 4", "table")
    assert section.context == "Kind | 2024"
    assert [mark.cell for mark in section.marks] == [(1, 1), (2, 1), (3, 1)]


def test_charts(deck: Any, tmp_path: Path) -> None:
    data = CategoryChartData()
    data.categories = ["East", "West"]
    data.add_series("Sales", (1, 2))
    added = slide(deck, BLANK).shapes.add_chart(XL_CHART_TYPE.PIE, 0, 0, Inches(3), Inches(3), data)
    added.chart.chart_title.text_frame.text = "By region"
    (section,) = read(deck, tmp_path)
    assert section.text == "By region\nSales\nEast, West"


def test_the_words_of_a_diagram(deck: Any, tmp_path: Path) -> None:
    frame = (
        '<p:graphicFrame><p:nvGraphicFramePr/><p:xfrm/><a:graphic><a:graphicData><dgm:relIds xmlns:dgm="http://schemas.'
        'openxmlformats.org/drawingml/2006/diagram" r:dm="rId77"/></a:graphicData></a:graphic></p:graphicFrame>'
    )
    slide(deck, BLANK)
    deck.save(str(tmp_path / "a.pptx"))
    rels = "ppt/slides/_rels/slide1.xml.rels"
    path = packages.changed(tmp_path / "a.pptx", "ppt/slides/slide1.xml", "</p:spTree>", f"{frame}</p:spTree>")
    relation = '<Relationship Id="rId77" Type="any/diagramData" Target="../diagrams/data1.xml"/>'
    path = packages.changed(path, rels, "</Relationships>", f"{relation}</Relationships>")
    assert not sections(slides.read(path))
    points = "".join(f"<pt><t><p><r><t>{words}</t></r></p></t></pt>" for words in ("Plan", "Do", "Check"))
    packages.added(path, {"ppt/diagrams/data1.xml": f"<dataModel><ptLst>{points}</ptLst></dataModel>"})
    (section,) = sections(slides.read(path))
    assert section.text == "Plan\nDo\nCheck"


def test_furniture_is_left_out(deck: Any, tmp_path: Path) -> None:
    shown = slide(deck, TITLE_ONLY, "Title")
    box(shown, "Page 7", left=0, top=6)
    look = shown.shapes[-1].element.find("*/{*}nvPr")
    etree.SubElement(look, look.tag.replace("nvPr", "ph"), type="sldNum", idx="12")
    assert [section.text for section in read(deck, tmp_path)] == ["Title"]


def test_newer_shapes_and_groups_of_slides(deck: Any, tmp_path: Path) -> None:
    shown = slide(deck, TITLE_ONLY, "Title")
    slide(deck, TITLE_ONLY, "Later")
    box(shown, "newer", left=0, top=3)
    newer = shown.shapes[-1].element
    alternatives = etree.Element("{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent")
    newer.addprevious(alternatives)
    etree.SubElement(alternatives, "Choice").append(newer)
    deck.save(str(tmp_path / "b.pptx"))
    groups = "".join(
        f'<p14:section name="{name}" id="{{}}"><p14:sldIdLst><p14:sldId id="{key}"/></p14:sldIdLst></p14:section>'
        for name, key in [("Before", 256), ("After", 257)]
    )
    path = packages.changed(
        tmp_path / "b.pptx",
        "ppt/presentation.xml",
        "</p:presentation>",
        '<p:extLst><p:ext uri="{521415D9-36F7-43E2-AB2F-B90AF26B5E84}"><p14:sectionLst '
        f'xmlns:p14="http://schemas.microsoft.com/office/powerpoint/2010/main">{groups}</p14:sectionLst></p:ext>'
        "</p:extLst></p:presentation>",
    )
    assert [(section.text, section.heading_path) for section in sections(slides.read(path))] == [
        ("Title", ("Before", "Title")),
        ("newer", ("Before", "Title")),
        ("Later", ("After", "Later")),
    ]
