"""What readers and workers write in English is said in the language of whoever looks, with the same values."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

from kb import sentences, wording
from kb.reading import sniffing
from kb.reading.failures import Reason, Unreadable

READING = Path(sentences.__file__).parent / "reading"

CHINESE = [
    ("This PDF has no pages.", "这个 PDF 没有页面。"),
    ("3 of 1,200 pages have no text: 4, 5, 900.", "共 1,200 页，其中 3 页没有文字：4, 5, 900。"),
    (
        "1 of 3 pages were recognised by OCR (eng+chi_sim): check quotations from 2.",
        "共 3 页，其中 1 页由文字识别（OCR，eng+chi_sim）读出。引用这些页时请核对原文：2。",
    ),
    (
        "This PDF has no text, and text recognition (OCR) found none. On 2 of 2 pages text recognition failed: 1, 2.",
        "这个 PDF 没有文字，文字识别（OCR）也没有认出文字。共 2 页，其中 2 页文字识别失败：1, 2。",
    ),
    ("This file was not opened: it unpacks to more than 256 MiB.", "没有打开这个文件：解压后超过 256 MiB。"),
    (
        "By its name this is a PDF, but it seems to be a JPEG image. Give it the right extension, or save it as a PDF "
        "and upload it again.",
        "从名称看这是 PDF，但它似乎是 JPEG 图片。请改正扩展名，或另存为 PDF后重新上传。",
    ),
    ("Nobody wrote this sentence.", "Nobody wrote this sentence."),
    ("", ""),
]


@pytest.mark.parametrize(("english", "chinese"), CHINESE)
def test_a_stored_sentence_is_said_in_the_readers_language(english, chinese):
    with translation.override("zh-hans"):
        assert sentences.said(english) == chinese
    with translation.override("en"):
        assert sentences.said(english) == english


WRITERS = {"Unreadable": 1, "Warned": 1, "malformed": 0, "_malformed": 0, "_bomb": 0, "_timeout": 0}
"""What the readers say sentences and parts of them with, and which argument that is."""


def calls(*names: str) -> Iterator[ast.Call]:
    """Where the source of the readers calls one of these."""
    for path in sorted(READING.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names:
                yield node


def written() -> Iterator[str]:
    """The sentences that stand in the source of the readers, their values replaced by a number."""
    for name, position in WRITERS.items():
        arguments = [argument for call in calls(name) for argument in call.args[position : position + 1]]
        yield from (_sample(argument) for argument in arguments if _is_text(argument))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _sample(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    values = node.values if isinstance(node, ast.JoinedStr) else []
    return "".join(str(one.value) if isinstance(one, ast.Constant) else "7" for one in values)


def test_every_sentence_of_the_readers_is_known():
    found = list(written())
    assert len(found) > 50
    assert [sentence for sentence in found if not sentences.is_known(sentence)] == []


def test_every_kind_of_file_is_known(tmp_path):
    """A mismatch names two of them: all that a name may promise, and what is found in its place."""
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff")
    for extension in sniffing.extensions():
        with pytest.raises(Unreadable) as refused:
            sniffing.check(tmp_path / "a.jpg", str(sniffing.supported(f"a{extension}")))
        wanted = re.search("By its name this is (.+), but it seems to be a JPEG image", refused.value.detail)
        assert wanted
        assert sentences.is_known(wanted[1]), wanted[1]


WARNINGS = sorted(
    {str(one.value) for call in calls("Warned") for one in call.args[:1] if isinstance(one, ast.Constant)}
)


@pytest.mark.parametrize("code", WARNINGS)
def test_every_warning_has_a_remedy(code):
    assert str(wording.warning_remedy(code))


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_name_and_a_remedy(reason):
    assert str(wording.reason_name(reason))
    assert str(wording.reason_remedy(reason))


PLACES = [
    ({"pages": [12, 12], "lines": None}, "p. 12", "第 12 页"),
    ({"pages": [1200, 1201]}, "pp. 1,200–1,201", "第 1200–1201 页"),
    ({"pages": None, "lines": [4, 9]}, "lines 4–9", "第 4–9 行"),
    ({"paragraphs": [3, 3]}, "paragraph 3", "第 3 自然段"),
    ({"pages": None, "boxes": []}, "", ""),
]


@pytest.mark.parametrize(("anchor", "english", "chinese"), PLACES)
def test_a_place_is_named_in_the_readers_language(anchor, english, chinese):
    with translation.override("en"):
        assert wording.place(anchor) == english
    with translation.override("zh-hans"):
        assert wording.place(anchor) == chinese
