"""Nothing a child writes is believed unchecked; what our readers write goes through whole."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.reading import text, wire
from kb.reading.failures import Reason
from kb.reading.rendering import PageImage
from kb.reading.scans import Scan
from kb.reading.sections import About, Mark, Page, Progress, Section, Warned

SECTION = {"text": "abc", "kind": "prose", "heading_path": [], "marks": []}


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
    section = Section(words, "prose", ("path",), (Mark(0, len(words), 1),))
    assert wire.decode(wire.encode(section)) == section


@pytest.mark.parametrize(
    "message",
    [
        ["Section", {**SECTION, "text": 7}],
        ["Section", {**SECTION, "text": " "}],
        ["Section", {**SECTION, "text": "a\0b"}],
        ["Section", {**SECTION, "text": "\ud800"}],
        ["Section", {**SECTION, "text": "e\u0301"}],
        ["Section", {**SECTION, "kind": "script"}],
        ["Section", {**SECTION, "heading_path": [1]}],
        ["Section", {**SECTION, "heading_path": ["a"] * 33}],
        ["Section", {**SECTION, "marks": [[0, 4, 1, None]]}],
        ["Section", {**SECTION, "marks": [[2, 1, 1, None]]}],
        ["Section", {**SECTION, "marks": [[-1, 1, 1, None]]}],
        ["Section", {**SECTION, "marks": [[0, 1, 0, None]]}],
        ["Section", {**SECTION, "marks": [[0, True, 1, None]]}],
        ["Section", {**SECTION, "marks": [[0, 2, 1, None], [1, 3, 1, None]]}],
        ["Section", {**SECTION, "marks": [[0, 1, 1, [0, 0, 1]]]}],
        ["Section", {**SECTION, "marks": [[0, 1, 1, [2, 0, 1, 1]]]}],
        ["Section", {**SECTION, "marks": [[0, 1, 1, [0, 0, float("nan"), 1]]]}],
        ["Section", {"text": "abc"}],
        ["Page", {"number": 0, "width": 1, "height": 1}],
        ["Page", {"number": 1, "width": float("inf"), "height": 1}],
        ["PageImage", {"png": "no base64", "width_pt": 1, "height_pt": 1}],
        ["PageImage", {"png": "AAAA", "width_pt": 1, "height_pt": 1}],
        ["Failed", {"reason": "no_such", "detail": "", "trace": ""}],
        ["Mark", {"start": 0}],
        ["About"],
        {},
        7,
        None,
    ],
)
def test_it_refuses(message: Any) -> None:
    with pytest.raises(wire.Untrue):
        wire.decode(json.dumps(message).encode())


@given(st.binary())
def test_any_bytes_are_refused_or_a_message(line: bytes) -> None:
    with pytest.raises(wire.Untrue):
        wire.decode(line)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(wire.Untrue):
        wire.decode(b"[" * 1_000_000)
