"""Scans: what Tesseract reads on them, what is said of those it cannot read, and what its process may not do."""

import re
import subprocess
import sys
from collections.abc import Callable
from difflib import SequenceMatcher
from io import BytesIO
from pathlib import Path

import psutil
import pypdfium2
import pytest
from PIL import Image, ImageDraw

from kb.reading import sniffing
from kb.reading.confined import sandbox, tesseract
from kb.reading.confined.confinement import landlock_version
from kb.reading.confined.sandbox import Limits
from kb.reading.failures import Reason, Unreadable
from kb.reading.options import Options
from kb.reading.pdf import reader as pdf
from kb.reading.pdf import rendering
from kb.reading.sections import Box, Item, Page, Progress, Warned
from kb.running.folder import REPOSITORY
from tests.kb.reading import files
from tests.kb.reading.reading import children, marked, sections

LANGUAGES = ("eng", "chi_sim")
PAGE = ["Sampling the river", "The intake is cleaned every", "second Tuesday of the month."]

# Its first argument after the picture names nothing; what it prints stands for what Tesseract reads.
FAKE = """#!{python}
import os, sys
if sys.argv[1] == "--list-langs":
    print('List of available languages in "/tessdata/" (2):\\n' + "\\n".join({languages!r}))
    sys.exit()
def say(*lines):
    spans = "".join(
        f"<span class='ocr_line' title='bbox 100 {{200 + 100 * n}} 900 {{240 + 100 * n}}; baseline 0 -8; x_size 48'>"
        f"<span class='ocrx_word' title='bbox 0 0 1 1; x_wconf {confidence}'>{{line}}</span></span>"
        for n, line in enumerate(lines))
    print(f"<html xmlns='http://www.w3.org/1999/xhtml'><body><p class='ocr_par'>{{spans}}</p></body></html>")
{body}
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Makes a program the only Tesseract on the PATH."""

    def made(body: str, *, languages: tuple[str, ...] = LANGUAGES, confidence: int = 90) -> None:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "tesseract"
        program.write_text(
            FAKE.format(python=sys.executable, languages=languages, confidence=confidence, body=body), encoding="utf-8"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))

    return made


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    return files.scanned(tmp_path / "scan.pdf", [files.printed(PAGE)])


@pytest.fixture
def mixed(tmp_path: Path, scan: Path) -> Path:
    """A page of text, a scan, another page of text."""
    words = [files.pdf(tmp_path / f"{word}.pdf", [[word]]) for word in ("First", "Last")]
    return files.joined(tmp_path / "mixed.pdf", [words[0], scan, words[1]])


def working() -> list[psutil.Process]:
    """The reader, and Tesseract or what is about to become it."""
    begun = ("kb.reading.confined.launcher", "tesseract")
    programs = [one for one in psutil.Process().children() if any(arg.endswith(begun) for arg in one.cmdline())]
    return [*children(), *programs]


def read(
    path: Path, limits: tesseract.Limits = tesseract.DEFAULT, languages: tuple[str, ...] = LANGUAGES
) -> list[Item]:
    options = Options(ocr_languages=languages)
    items = list(sandbox.read(path, sniffing.PDF, Limits(recognition=limits), options=options))
    assert not working()
    return items


def lines(items: list[Item]) -> list[str]:
    """The text line by line, whatever paragraphs are made of the lines."""
    return [words for section in sections(items) for _unit, words in marked(section)]


def warned(items: list[Item]) -> dict[str, str]:
    return {item.code: item.detail for item in items if isinstance(item, Warned)}


def refusal(path: Path, limits: tesseract.Limits = tesseract.DEFAULT) -> str:
    with pytest.raises(Unreadable) as refused:
        read(path, limits)
    assert refused.value.reason == Reason.NO_TEXT
    return refused.value.detail


def test_it_works(install: Install, mixed: Path) -> None:
    install('say("read", "below")')
    items = read(mixed)
    assert lines(items) == ["First", "read", "below", "Last"]
    places = [(mark.unit, mark.box) for section in sections(items) for mark in section.marks]
    assert places[1:3] == [(2, (24.0, 48.0, 216.0, 57.6)), (2, (24.0, 72.0, 216.0, 81.6))]
    assert [item for item in items if isinstance(item, Progress)] == [Progress(number, 3) for number in (1, 2, 3)]
    assert warned(items) == {"ocr_used": "1 of 3 pages were recognised by OCR (eng+chi_sim): check quotations from 2."}


def test_not_installed(mixed: Path, scan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    items = read(mixed)
    assert lines(items) == ["First", "Last"]
    assert warned(items) == {
        "ocr_unavailable": "Tesseract is not installed on the server: scans are not recognised.",
        "pages_without_text": "1 of 3 pages have no text: 2.",
    }
    assert "have Tesseract installed" in refusal(scan)


def test_no_languages_are_wanted(install: Install, mixed: Path) -> None:
    install('say("read")')
    items = read(mixed, languages=())
    assert warned(items) == {"pages_without_text": "1 of 3 pages have no text: 2."}


def test_a_language_is_missing(install: Install, mixed: Path) -> None:
    install('say(sys.argv[sys.argv.index("-l") + 1])', languages=("eng",))
    items = read(mixed)
    assert lines(items) == ["First", "eng", "Last"]
    assert warned(items)["ocr_languages_missing"] == (
        "Tesseract has no data for chi_sim: install tesseract-ocr-chi-sim."
    )


def test_every_language_is_missing(install: Install, mixed: Path, scan: Path) -> None:
    install('say("read")', languages=("osd",))
    assert set(warned(read(mixed))) == {"ocr_languages_missing", "pages_without_text"}
    assert "install tesseract-ocr-eng tesseract-ocr-chi-sim" in refusal(scan)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("sys.exit(1)", "ocr_failed"),
        ("os.abort()", "ocr_failed"),
        ('say("read"); sys.exit(1)', "ocr_failed"),
        ('print("no hOCR")', "ocr_failed"),
        ("os.write(1, bytes(9_000_000))", "ocr_failed"),
        ("bytearray(2 << 30)", "ocr_failed"),
        ("say()", "ocr_nothing"),
        ('say("—", "||")', "ocr_nothing"),
    ],
)
def test_what_cannot_be_read_is_said_and_the_rest_stays(install: Install, mixed: Path, body: str, code: str) -> None:
    install(body)
    items = read(mixed)
    assert lines(items) == ["First", "Last"]
    assert set(warned(items)) == {code, "pages_without_text"}


def test_a_page_of_rubbish(install: Install, mixed: Path, scan: Path) -> None:
    install('say("oO~ lf")', confidence=35)
    items = read(mixed)
    assert lines(items) == ["First", "Last"]
    assert set(warned(items)) == {"ocr_rubbish", "pages_without_text"}
    assert "nothing that makes sense" in refusal(scan)


HANGS = "import signal\nwhile True: signal.pause()"


def test_it_hangs(install: Install, mixed: Path) -> None:
    install(HANGS)
    items = read(mixed, tesseract.Limits(page_seconds=0.5))
    assert lines(items) == ["First", "Last"]
    assert warned(items)["ocr_timeout"] == "On 1 of 3 pages text recognition took too long: 2."


def test_it_says_all_and_does_not_end(install: Install, mixed: Path) -> None:
    install(f'say("read")\nsys.stdout.flush(); os.close(1)\n{HANGS}')
    assert set(warned(read(mixed))) == {"ocr_failed", "pages_without_text"}


def test_the_time_for_the_file_is_used_up(install: Install, mixed: Path, scan: Path) -> None:
    install('say("read")')
    items = read(mixed, tesseract.Limits(file_seconds=0))
    assert warned(items)["ocr_timeout"] == "The time for text recognition was used up before 1 of 3 pages: 2."
    assert "used up" in refusal(scan, tesseract.Limits(file_seconds=0))


def test_nobody_is_asked_about_a_blank_page(install: Install, tmp_path: Path) -> None:
    install("sys.exit(1)")
    paper = Image.new("L", (1200, 1800), 240)
    ImageDraw.Draw(paper).rectangle((0, 0, 600, 900), fill=225)
    parts = [files.pdf(tmp_path / "a.pdf", [["First"]]), files.scanned(tmp_path / "b.pdf", [paper])]
    assert set(warned(read(files.joined(tmp_path / "c.pdf", parts)))) == {"ocr_nothing", "pages_without_text"}


@pytest.mark.parametrize(
    ("read_on_it", "said"),
    [("Exhibit 12 Words of the page below it, many more than that", None), ("Exhibit l2 and specks", "Exhibit 12")],
)
def test_a_stamp_on_a_scan(install: Install, tmp_path: Path, read_on_it: str, said: str | None) -> None:
    """All of the page is taken from one of the two: from recognition only where that reads much more."""
    install(f"say({read_on_it!r})")
    path = files.scanned(tmp_path / "a.pdf", [files.printed(PAGE)], stamp="Exhibit 12")
    items = read(path)
    assert lines(items) == [said or read_on_it]
    assert set(warned(items)) == (set() if said else {"ocr_used"})


def test_the_caller_is_called_while_it_reads_and_may_stop_it(install: Install, scan: Path) -> None:
    class Stop(Exception):
        pass

    def stop() -> None:
        if len(working()) == 2:  # the reader, and Tesseract
            raise Stop

    install(HANGS)
    with pytest.raises(Stop):
        list(sandbox.read(scan, sniffing.PDF, options=Options(ocr_languages=LANGUAGES), on_alive=stop))
    assert not working()


PARENT = """
import sys
from pathlib import Path
import psutil
from kb.reading.confined import sandbox
from kb.reading.options import Options
def tell():
    for one in psutil.Process().children():
        if any(arg.endswith("/tesseract") for arg in one.cmdline()[:2]):
            print(one.pid, flush=True)
list(sandbox.read(Path(sys.argv[1]), "application/pdf", options=Options(ocr_languages=("eng",)), on_alive=tell))
"""


def test_tesseract_dies_with_its_parent(install: Install, scan: Path) -> None:
    install(HANGS)
    command = [sys.executable, "-c", PARENT, str(scan)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY) as parent:
        assert parent.stdout is not None
        begun = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    begun.wait(timeout=10)


ATTEMPTS = """
import signal, socket
opened = [os.readlink(f"/proc/self/fd/{n}") for n in range(32) if os.path.exists(f"/proc/self/fd/{n}")]
def attempt(name, do):
    try:
        do()
    except OSError as error:
        return f"{name}: {type(error).__name__}"
    return f"{name}: done"
def write():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    os.write(os.open(PATH, os.O_CREAT | os.O_WRONLY), b"x")
say(attempt("socket", socket.socket), attempt("fork", os.fork), attempt("write", write),
    attempt("spawn", lambda: os.posix_spawn("/bin/true", ["true"], {})),
    attempt("kill", lambda: os.kill(os.getppid(), 0)), attempt("read", lambda: open(sys.argv[1], "rb").read()),
    "environment: " + " ".join(sorted(set(os.environ) - {"LC_CTYPE"})),
    "open: " + " ".join(sorted(name.partition(":")[0] for name in opened)))
"""


def test_it_may_read_the_picture_and_no_more(
    install: Install, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "only for us")
    install(ATTEMPTS.replace("PATH", repr(str(tmp_path / "written"))))
    assert lines(read(scan)) == [
        *(f"{name}: PermissionError" for name in ("socket", "fork")),
        f"write: {'OSError' if landlock_version() < 1 else 'PermissionError'}",
        *(f"{name}: PermissionError" for name in ("spawn", "kill")),
        "read: done",
        "environment: OMP_THREAD_LIMIT",
        "open: /dev/null /memfd pipe",
    ]


# --- With Tesseract itself ---

# A program of the system, which no wheel brings: `make test` installs it where it may, and the product does without, so
# a machine that lacks it is no failure. What was not run for want of it stands in pytest's summary (`-ra`).
FOUND = tesseract.installed()
real = pytest.mark.skipif(
    FOUND is None or not {*LANGUAGES, "osd"} <= FOUND.languages,
    reason="needs Tesseract with English and Chinese: install tesseract-ocr tesseract-ocr-chi-sim",
)


def drawn(path: Path, *, turn: int = 0) -> list[Image.Image]:
    """The pages of a PDF as a scanner gives them."""
    document = pypdfium2.PdfDocument(path)
    return [page.render(scale=300 / 72, grayscale=True).to_pil().rotate(turn, expand=True) for page in document]


def letters(items: list[Item]) -> str:
    return re.sub(r"\s", "", "".join(lines(items)))


@real
@pytest.mark.parametrize(
    ("name", "number", "least"), [("sampler-manual.en.pdf", 2, 0.99), ("leave-policy.zh.pdf", 1, 0.95)]
)
def test_a_scan_says_what_the_page_said(tmp_path: Path, name: str, number: int, least: float) -> None:
    original = files.only_page(REPOSITORY / "kb/demo" / name, number, tmp_path / "original.pdf")
    items = read(files.scanned(tmp_path / "a.pdf", drawn(original)))
    said, wanted = letters(items), letters(list(pdf.read(original, Options())))
    matched = SequenceMatcher(None, wanted, said, autojunk=False).get_matching_blocks()
    assert sum(block.size for block in matched) >= least * len(wanted)
    assert len(said) < 1.02 * len(wanted)
    assert all(mark.unit == 1 and mark.box for section in sections(items) for mark in section.marks)


def ink(image: Image.Image, box: Box) -> bool:
    return min(image.crop(tuple(round(side * 2) for side in box)).tobytes()) < 100  # type: ignore[arg-type]


@real
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("rotate", [0, 90])
def test_boxes_cover_their_words_whichever_way_the_page_was_scanned(tmp_path: Path, turn: int, rotate: int) -> None:
    page = [*PAGE, "Close the valve and rinse the filter", "with clean water. Then open it", "again and note the time."]
    picture = files.printed(page).rotate(turn, expand=True)
    path = files.changed(files.scanned(tmp_path / "a.pdf", [picture]), rotate=rotate)
    items = read(path)
    assert lines(items) == page
    (shown,) = (item for item in items if isinstance(item, Page))
    image = Image.open(BytesIO(rendering.render(path, 1, scale=2).png)).convert("L")
    assert image.size == (round(shown.width * 2), round(shown.height * 2))
    for section in sections(items):
        for mark in section.marks:
            assert mark.box is not None
            assert ink(image, mark.box)
            left, top, right, bottom = (side * 2 for side in mark.box)
            ImageDraw.Draw(image).rectangle((left - 3, top - 3, right + 3, bottom + 3), fill=255)
    assert min(image.tobytes()) > 200


@real
def test_specks_are_no_letters(tmp_path: Path) -> None:
    page = files.printed(PAGE)
    speckled = Image.blend(page, Image.effect_noise(page.size, 60), 0.4).point(lambda shade: min(255, shade * 5 // 4))
    assert lines(read(files.scanned(tmp_path / "a.pdf", [speckled]))) == PAGE


@real
def test_a_photograph_says_nothing(tmp_path: Path) -> None:
    photograph = Image.radial_gradient("L").resize((1200, 1800))
    assert "found n" in refusal(files.scanned(tmp_path / "a.pdf", [photograph]))
