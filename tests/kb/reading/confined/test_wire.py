"""Nothing a child writes is believed unchecked; what our readers write goes through whole."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.reading import text
from kb.reading.confined import wire
from kb.reading.failures import Reason
from kb.reading.ocr.scans import Scan
from kb.reading.sections import About, Mark, Page, PageImage, Progress, Section, Warned


def section(words="abc", *, kind="prose", path=(), marks=(), context="", syntax=""):
    return ["Section", words, kind, list(path), list(marks), context, syntax]


@pytest.mark.parametrize(
    "message",
    [
        About("pdf", "1", "page", "标题", {"author": "é"}),
        Page(1, 612.0, 792.5),
        Section("a\nb😀", "code", ("A", "B"), (Mark(0, 1, 7), Mark(2, 4, 8, (0.5, 1.0, 2.0, 3.0)))),
        Warned("pages_without_text", "Page 2."),
        Progress(1, 2),
        PageImage(b"\x89PNG\r\n\x1a\n...", 1.0, 2.0),
        Scan("words", 300, ("eng", "chi_sim")),
        Scan("orientation", 72),
        wire.Finished(),
        wire.Failed(Reason.TIMEOUT, "Too long.", "trace"),
    ],
)
def test_round_trip(message: wire.Message) -> None:
    line = wire.encode(message)
    assert line.count(b"\n") == 1
    assert wire.decode(line) == message


@given(st.text(min_size=1).map(text.clean).filter(str.strip))
def test_any_clean_text_goes_through(words: str) -> None:
    whole = Section(words, "prose", ("path",), (Mark(0, len(words), 1),))
    assert wire.decode(wire.encode(whole)) == whole


@pytest.mark.parametrize(
    "message",
    [
        section(7),
        section(" "),
        section("a\0b"),
        section("\ud800"),
        section("e\u0301"),
        section(kind="script"),
        section(path=[1]),
        section(path=["a"] * 33),
        section(context="b"),
        section(syntax=7),
        section(marks=[[0, 4, 1]]),
        section(marks=[[2, 1, 1]]),
        section(marks=[[-1, 1, 1]]),
        section(marks=[[0, 1, 0]]),
        section(marks=[[0, True, 1]]),
        section(marks=[[0, 2, 1], [1, 3, 1]]),
        section(marks=[[0, 1, 1, [0, 0, 1]]]),
        section(marks=[[0, 1, 1, [2, 0, 1, 1]]]),
        section(marks=[[0, 1, 1, [0, 0, float("nan"), 1]]]),
        section(marks=[[0, 1, 1, [0, 0, 1e300, 1]]]),
        section(marks=[[0, 1, 1, None, [0, 1]]]),
        ["Section", "abc"],
        ["Page", 0, 1, 1],
        ["Page", 1, float("inf"), 1],
        ["PageImage", "no base64", 1, 1],
        ["PageImage", "AAAA", 1, 1],
        ["Failed", "no_such", "", ""],
        ["Mark", 0, 1, 1],
        ["About"],
        {},
        7,
        None,
    ],
)
def test_it_refuses(message: Any) -> None:
    with pytest.raises(wire.Untrue):
        wire.decode(json.dumps(message).encode())


def test_what_is_refused_above_is_taken_without_its_fault() -> None:
    good = section(marks=[[0, 2, 1], [2, 3, 1, [0, 0, 1, 1], [1, 1]]], path=["a"] * 32, context="a", syntax="sql")
    assert isinstance(wire.decode(json.dumps(good).encode()), Section)


@given(st.binary())
def test_any_bytes_are_refused_or_a_message(line: bytes) -> None:
    with pytest.raises(wire.Untrue):
        wire.decode(line)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(wire.Untrue):
        wire.decode(b"[" * 1_000_000)
