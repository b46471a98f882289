"""Equations are read on one line."""

from pathlib import Path

import pytest

from kb.reading.word import reader as word
from tests.kb.reading.reading import sections

from .files import paragraph, run
from .files import word as word_file


def m(tag: str, *inside: str) -> str:
    return f"<m:{tag}>{''.join(one if one.startswith('<') else r(one) for one in inside)}</m:{tag}>"


def r(words: str) -> str:
    return f"<m:r><w:rPr/><m:t>{words}</m:t></m:r>"


def said(kind: str, **properties: str) -> str:
    inside = "".join(f'<m:{key} m:val="{value}"/>' for key, value in properties.items())
    return f"<m:{kind}Pr>{inside}<m:ctrlPr><w:rPr/></m:ctrlPr></m:{kind}Pr>"


FRACTION = m("f", m("num", "a+b"), m("den", "2"))


@pytest.mark.parametrize(
    ("inside", "shown"),
    [
        (r("E=m") + m("sSup", m("e", "c"), m("sup", "2")), "E=mc^2"),
        (FRACTION, "(a+b)/2"),
        (m("f", said("f", type="noBar"), m("num", "n"), m("den", "k")), "(n¦k)"),
        (m("sSub", m("e", "x"), m("sub", "i+1")), "x_(i+1)"),
        (m("sSubSup", m("e", "x"), m("sub", "i"), m("sup", "2")), "x_i^2"),
        (m("sPre", m("sub", "2"), m("sup", "4"), m("e", "He")), "_2^4 He"),
        (m("rad", said("rad", degHide="1"), m("deg"), m("e", "x+1")), "√(x+1)"),
        (m("rad", m("deg", "3"), m("e", "x")), "∛(x)"),
        (m("rad", m("deg", "n"), m("e", "x")), "√(n&x)"),
        (m("nary", said("nary", chr="∑"), m("sub", "i=1"), m("sup", "n"), m("e", "i")), "∑_(i=1)^n i"),
        (m("nary", m("sub"), m("sup"), m("e", "f")), "∫ f"),
        (m("d", m("e", "a"), m("e", "b")), "(a|b)"),
        (m("d", said("d", begChr="{", sepChr=",", endChr=""), m("e", "a"), m("e", "b")), "{a,b"),
        (m("sSup", m("e", m("d", m("e", "a+b"))), m("sup", "2")), "(a+b)^2"),
        (m("f", m("num", m("d", m("e", "a")), m("d", m("e", "b"))), m("den", "c")), "((a)(b))/c"),
        (m("m", m("mr", m("e", "a"), m("e", "b")), m("mr", m("e", "c"), m("e", "d"))), "[a, b; c, d]"),
        (m("eqArr", m("e", "x=1"), m("e", "y=2")), "x=1; y=2"),
        (m("func", m("fName", "sin"), m("e", "x")), "sin x"),
        (m("func", m("fName", m("limLow", m("e", "lim"), m("lim", "x→0"))), m("e", FRACTION)), "lim_(x→0) (a+b)/2"),
        (m("limUpp", m("e", "x"), m("lim", "n")), "x^n"),
        (m("acc", m("e", "e")), "ê"),
        (m("acc", said("acc", chr="~"), m("e", "AB")), "AB\u0303"),
        (m("bar", said("bar", pos="top"), m("e", "x")), "x\u0305"),
        (m("groupChr", said("groupChr", chr="⏟"), m("e", "x")), "x"),
        (m("box", said("box"), m("e", "x")), "x"),
        (r("a") + f"<w:del>{r('b')}</w:del><w:ins>{r('c')}</w:ins>", "ac"),
    ],
)
def test_an_equation(tmp_path: Path, inside: str, shown: str) -> None:
    body = f"<w:p>{run('so ')}<m:oMath>{inside}</m:oMath>{run(' it is')}</w:p>"
    (found,) = sections(word.read(word_file(tmp_path / "a.docx", body)))
    assert found.text == f"so {shown} it is"


def test_equations_between_paragraphs(tmp_path: Path) -> None:
    inside = said("oMathPara", jc="left") + m("oMath", "a=b") + m("oMath", "c=d")
    body = paragraph("before") + f"<w:p>{m('oMathPara', inside)}</w:p>"
    assert [one.text for one in sections(word.read(word_file(tmp_path / "a.docx", body)))] == ["before", "a=b\nc=d"]
