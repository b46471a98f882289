"""The child process: what it may not do, and what its parent makes of one that misbehaves."""

import subprocess
import sys
from pathlib import Path

import docx
import pytest

from kb.reading import sniffing
from kb.reading.confined import sandbox
from kb.reading.confined.sandbox import Limits
from kb.reading.failures import Reason, Unreadable
from kb.reading.sections import Progress, Section
from tests.kb.reading import files
from tests.kb.reading.reading import children, sections

MANY_WORDS = b"BT /F1 12 Tf " + b"1 0 0 1 10 10 Tm (word) Tj 1 0 0 1 300 700 Tm (other) Tj " * 2_000_000 + b"ET"


def test_it_reads(tmp_path: Path) -> None:
    path = files.pdf(tmp_path / "a.pdf", [["Words"], ["More"]])
    items = list(sandbox.read(path, sniffing.PDF))
    assert [section.text for section in sections(items)] == ["Words", "More"]
    assert [item for item in items if isinstance(item, Progress)] == [Progress(1, 2), Progress(2, 2)]
    assert not children()


@pytest.mark.parametrize(
    ("name", "media_type"), [("a.md", sniffing.MARKDOWN), ("a.txt", sniffing.PLAIN), ("a.html", sniffing.HTML)]
)
def test_it_reads_text(tmp_path: Path, name: str, media_type: str) -> None:
    (tmp_path / name).write_text("今天天气很好。😀", encoding="utf-8")
    (section,) = sections(sandbox.read(tmp_path / name, media_type))
    assert section.text == "今天天气很好。😀"


def test_it_reads_word(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("Words")
    document.save(str(tmp_path / "a.docx"))
    (section,) = sections(sandbox.read(tmp_path / "a.docx", sniffing.WORD))
    assert section.text == "Words"


def test_it_draws_a_page(tmp_path: Path) -> None:
    path = files.pdf(tmp_path / "a.pdf", [["Words"]])
    image = sandbox.render_page(path, 1, 1.5)
    assert image.png.startswith(b"\x89PNG")
    assert (image.width_pt, image.height_pt) == (400, 600)
    with pytest.raises(Unreadable):
        sandbox.render_page(path, 2, 1.5)


def refusal(path: Path, media_type: str, limits: Limits = sandbox.DEFAULT) -> Unreadable:
    with pytest.raises(Unreadable) as refused:
        list(sandbox.read(path, media_type, limits))
    assert not children()
    return refused.value


def test_what_the_reader_refuses_comes_through(tmp_path: Path) -> None:
    locked = files.encrypted(files.pdf(tmp_path / "a.pdf", [["Words"]]), password="secret")
    assert refusal(locked, sniffing.PDF).reason == Reason.ENCRYPTED


def test_too_much_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("中" * 400, encoding="utf-8")
    assert refusal(path, sniffing.PLAIN, Limits(text=1_199)).reason == Reason.TOO_MUCH_TEXT
    assert len(list(sandbox.read(path, sniffing.PLAIN, Limits(text=1_200)))) == 2


def test_too_much_output(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a\n\n" * 10_000)
    assert refusal(path, sniffing.PLAIN, Limits(output=100_000)).reason == Reason.OUTPUT_TOO_LARGE


def test_one_page_takes_too_long(tmp_path: Path) -> None:
    path = files.with_content(tmp_path / "a.pdf", MANY_WORDS)
    refused = refusal(path, sniffing.PDF, Limits(page_seconds=0.2))
    assert refused.reason == Reason.TIMEOUT
    assert "one page" in refused.detail


def test_a_file_takes_too_long(tmp_path: Path) -> None:
    path = files.with_content(tmp_path / "a.pdf", MANY_WORDS)
    refused = refusal(path, sniffing.PDF, Limits(seconds=0.2))
    assert refused.reason == Reason.TIMEOUT
    assert "in all" in refused.detail


def test_c_code_runs_out_of_memory(tmp_path: Path) -> None:
    path = files.with_content(tmp_path / "a.pdf", bytes(400_000_000))
    assert refusal(path, sniffing.PDF, Limits(memory=300_000_000)).reason == Reason.OUT_OF_MEMORY


def test_python_runs_out_of_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("* a\n" * 300_000)
    assert refusal(path, sniffing.MARKDOWN, Limits(memory=200_000_000)).reason == Reason.OUT_OF_MEMORY


def test_the_caller_is_called_while_it_lives_and_may_stop_it(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop() -> None:
        assert len(children()) == 1
        raise Stop

    path = files.with_content(tmp_path / "a.pdf", MANY_WORDS)
    with pytest.raises(Stop):
        list(sandbox.read(path, sniffing.PDF, on_alive=stop))
    assert not children()


def test_a_reading_that_is_left_leaves_no_child(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a\n\n" * 200_000)
    items = sandbox.read(path, sniffing.PLAIN)
    assert any(isinstance(item, Section) for item in items)
    assert len(children()) == 1
    items.close()  # type: ignore[attr-defined]
    assert not children()


def test_no_django_in_the_child() -> None:
    source = (
        "import sys, kb.reading.confined.forkserver, kb.chunking; "
        "print([m for m in sys.modules if m in ('django', 'torch')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, check=True, cwd=Path(__file__).parents[4]
    )
    assert done.stdout.strip() == b"[]"
