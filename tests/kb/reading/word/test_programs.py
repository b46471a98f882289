"""Files as other programs write them, read as the worker reads them."""

from pathlib import Path

from kb.reading import sniffing
from kb.reading.confined import sandbox
from kb.reading.sections import Kind, Section

from .files import cell, level, numbering, paragraph, row, run, style, table
from .files import word as word_file


def read(path: Path) -> list[tuple[Kind, str, tuple[str, ...]]]:
    sniffing.check(path, sniffing.WORD)
    found = (one for one in sandbox.read(path, sniffing.WORD) if isinstance(one, Section))
    return [(one.kind, one.text, one.heading_path) for one in found]


def test_wps(tmp_path: Path) -> None:
    """Numbers for ids of styles, a table of contents by a style of its own, headings numbered in the paragraph."""
    styles = (
        style("1", "Normal").replace("<w:style ", '<w:style w:default="1" ')
        + style("2", "heading 1", based_on="1", inside='<w:pPr><w:outlineLvl w:val="0"/></w:pPr>')
        + style("3", "heading 2", based_on="1", inside='<w:pPr><w:outlineLvl w:val="1"/></w:pPr>')
        + style("12", "WPSOffice手动目录 1")
    )
    lists = numbering(level(0, "第%1条", "chineseCounting"), level(0, "（%1）", "chineseCountingThousand"))
    body = (
        paragraph("休假管理办法", style="2")
        + paragraph("一、总则\t1", style="12")
        + paragraph("一、总则", style="3")
        + paragraph("为规范休假，", numbered=("1", 0)).replace("</w:p>", run("制定本办法。", "<w:lang/>") + "</w:p>")
        + paragraph("年假", numbered=("2", 0))
        + paragraph("病假", numbered=("2", 0))
        + table(
            row(
                cell(paragraph("工龄"), '<w:shd w:fill="D8D8D8"/>'), cell(paragraph("天数"), '<w:shd w:fill="D8D8D8"/>')
            ),
            row("一年", "5"),
        )
    )
    path = ("休假管理办法", "一、总则")
    assert read(word_file(tmp_path / "a.docx", body, styles=styles, numbering=lists)) == [
        ("heading", "休假管理办法", path[:1]),
        ("heading", "一、总则", path),
        ("list", "第一条 为规范休假，制定本办法。\n（一） 年假\n（二） 病假", path),
        ("table", "工龄 | 天数\n一年 | 5", path),
    ]


def test_libreoffice(tmp_path: Path) -> None:
    """Headings numbered by their style with no number to show, lists in which each level begins anew, frames twice."""
    lists = numbering(
        level(0, "", "none", '<w:pStyle w:val="Heading1"/><w:suff w:val="nothing"/>'),
        level(0, "%1.") + level(1, "%2)", "lowerLetter"),
    )
    styles = style("Normal", "Normal") + style(
        "Heading1",
        "Heading 1",
        based_on="Normal",
        inside='<w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr><w:outlineLvl w:val="0"/></w:pPr>',
    )
    frame = f"<w:txbxContent>{paragraph('Figure 1: a frame')}</w:txbxContent>"
    drawn = (
        "<w:r><mc:AlternateContent>"
        f'<mc:Choice Requires="wps"><w:drawing><wps:wsp><wps:txbx>{frame}</wps:txbx></wps:wsp></w:drawing></mc:Choice>'
        f"<mc:Fallback><w:pict><v:rect><v:textbox>{frame}</v:textbox></v:rect></w:pict></mc:Fallback>"
        "</mc:AlternateContent></w:r>"
    )
    body = (
        paragraph("Leave", style="Heading1")
        + paragraph("first", numbered=("2", 0))
        + paragraph("below", numbered=("2", 1))
        + f"<w:p><w:pPr/>{run('Words')}<w:r><w:softHyphen/></w:r>{run('.')}{drawn}</w:p>"
    )
    assert read(word_file(tmp_path / "a.docx", body, styles=styles, numbering=lists)) == [
        ("heading", "Leave", ("Leave",)),
        ("list", "1. first\n  a) below", ("Leave",)),
        ("prose", "Words.", ("Leave",)),
        ("prose", "Figure 1: a frame", ("Leave",)),
    ]
