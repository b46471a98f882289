"""Small files made on the spot, with fonts that every PDF reader has: the tests depend on no fonts of the machine."""

import io
import math
import zlib
from pathlib import Path

from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont
from pypdf import PdfWriter
from pypdf.generic import DictionaryObject, NameObject, StreamObject

LEADING = 14


def pdf(path: Path, pages: list[list[str]], *, outline: bool = False) -> Path:
    """Pages of 12-point lines, 14 points apart. With `outline`, lines that begin with "# " are headings."""
    document = FPDF(unit="pt", format=(400, 600))
    document.set_title("A title")
    document.set_auto_page_break(auto=False)
    for lines in pages:
        document.add_page()
        document.set_font("helvetica", size=12)
        for number, line in enumerate(lines):
            document.set_xy(40, 40 + number * LEADING)
            if outline and line.startswith("# "):
                document.start_section(line[2:])
                line = line[2:]
            if line:
                document.cell(text=line)
    document.output(str(path))
    return path


def printed(lines: list[str], *, size: int = 40) -> Image.Image:
    """A page of 4 by 6 inches as a scanner would give it, in the font that comes with Pillow."""
    picture = Image.new("L", (1200, 1800), 255)
    for number, line in enumerate(lines):
        place = (100, 120 + number * 2 * size)
        ImageDraw.Draw(picture).text(place, line, font=ImageFont.load_default(size), fill=0)
    return picture


def scanned(path: Path, pictures: list[Image.Image], *, stamp: str = "") -> Path:
    """A PDF of pictures, 300 dots an inch; with a stamp, that is text upon each of them."""
    document = FPDF(unit="pt")
    document.set_auto_page_break(auto=False)
    for picture in pictures:
        size = picture.width * 72 / 300, picture.height * 72 / 300
        document.add_page(format=size)
        document.image(picture, x=0, y=0, w=size[0], h=size[1])
        if stamp:
            document.set_font("helvetica", size=8)
            document.text(10, 10, stamp)
    document.output(str(path))
    return path


def joined(path: Path, parts: list[Path]) -> Path:
    """The pages of several PDFs in one."""
    writer = PdfWriter()
    for part in parts:
        writer.append(part)
    writer.write(path)
    return path


def only_page(path: Path, number: int, target: Path) -> Path:
    """One page of a PDF, its number from 1."""
    writer = PdfWriter()
    writer.append(path, pages=(number - 1, number))
    writer.write(target)
    return target


def changed(path: Path, *, rotate: int = 0, crop: tuple[float, float, float, float] | None = None) -> Path:
    """The same PDF with its pages turned clockwise or cut to a crop box (in the page's own space)."""
    writer = PdfWriter(clone_from=path)
    for page in writer.pages:
        page.rotate(rotate)
        if crop:
            page.cropbox.lower_left, page.cropbox.upper_right = crop[:2], crop[2:]
    changed_path = path.with_name(f"changed-{rotate}-{path.name}")
    writer.write(changed_path)
    return changed_path


def encrypted(path: Path, *, password: str) -> Path:
    """The same PDF, encrypted with AES-256."""
    writer = PdfWriter(clone_from=path)
    writer.encrypt(password, "the owner's", algorithm="AES-256")
    locked = path.with_name(f"locked-{path.name}")
    writer.write(locked)
    return locked


def without_pages(path: Path) -> Path:
    """A PDF in order in all but that it has no page."""
    PdfWriter().write(path)
    return path


def words(said: str, x: float, y: float, *, font: str = "F1", size: float = 12, turned: int = 0) -> bytes:
    """What draws one line from (x, y) in a page's own space, `turned` degrees counterclockwise.

    The fonts: F1 is Helvetica, F2 Courier, F3 Helvetica's bold; F4 and F5 have a character for every code point,
    all of one width; F5 is made for code.
    """
    shown = said.encode("utf-16-be" if font in ("F4", "F5") else "latin-1")
    along, up = math.cos(math.radians(turned)), math.sin(math.radians(turned))
    return b"BT /%b %g Tf %.4f %.4f %.4f %.4f %g %g Tm <%b> Tj ET\n" % (
        font.encode(),
        size,
        along,
        up,
        -up,
        along,
        x,
        y,
        shown.hex().encode(),
    )


def with_content(path: Path, *contents: bytes) -> Path:
    """A PDF of a page for each content stream, compressed: it may be a thousand times the file's size."""
    first = 5
    pages = range(first, first + 2 * len(contents), 2)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%b] /Count %d >>" % (b" ".join(b"%d 0 R" % page for page in pages), len(pages)),
        b"<< /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
        b" /F2 << /Type /Font /Subtype /Type1 /BaseFont /Courier >>"
        b" /F3 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>"
        b" /F4 %b /F5 %b >>" % (_any_character(b"Any"), _any_character(b"AnyMono")),
        _stream(
            b"/CIDInit /ProcSet findresource begin begincmap\n1 begincodespacerange <0000> <FFFF> endcodespacerange\n"
            b"1 beginbfrange <0000> <FFFF> <0000> endbfrange\nendcmap end"
        ),
    ]
    for page, content in zip(pages, contents, strict=True):
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R /Resources << /Font 3 0 R >> >>"
            % (page + 1),
            _stream(content),
        ]
    path.write_bytes(assembled(objects))
    return path


def _any_character(name: bytes) -> bytes:
    return (
        b"<< /Type /Font /Subtype /Type0 /BaseFont /%b /Encoding /Identity-H /ToUnicode 4 0 R /DescendantFonts"
        b" [<< /Type /Font /Subtype /CIDFontType2 /BaseFont /%b /DW 1000"
        b" /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> >>] >>"
    ) % (name, name)


def _stream(content: bytes) -> bytes:
    compressed = zlib.compress(content, 9)
    return b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(compressed), compressed)


def assembled(objects: list[bytes]) -> bytes:
    """The objects of a PDF, numbered from 1, with the table of where they are; the first is its catalogue."""
    body = io.BytesIO()
    body.write(b"%PDF-1.7\n")
    places = []
    for number, written in enumerate(objects, start=1):
        places.append(body.tell())
        body.write(b"%d 0 obj\n%b\nendobj\n" % (number, written))
    table = body.tell()
    body.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    body.write(b"".join(b"%010d 00000 n \n" % place for place in places))
    body.write(b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, table))
    return body.getvalue()


def many_pages(path: Path, count: int) -> Path:
    """A PDF of so many empty pages."""
    writer = PdfWriter()
    for _page in range(count):
        writer.add_blank_page(100, 100)
    writer.write(path)
    return path


def with_private_letters(path: Path, words: str) -> Path:
    """A PDF whose font says that its glyphs are letters of the private use area, as careless programs write it."""
    codes = sorted(set(words))
    glyphs = {letter: number for number, letter in enumerate(codes, start=33)}
    mapping = "\n".join(f"<{number:02X}> <{ord(letter):04X}>" for letter, number in glyphs.items())
    unicode = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def 1 begincodespacerange <00> <FF> "
        f"endcodespacerange {len(codes)} beginbfchar\n{mapping}\nendbfchar endcmap end end"
    )
    document = PdfWriter()
    page = document.add_blank_page(612, 792)
    cmap = StreamObject()
    cmap.set_data(unicode.encode())
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
            NameObject("/ToUnicode"): document._add_object(cmap),
        }
    )
    page[NameObject("/Resources")] = DictionaryObject(
        {NameObject("/Font"): DictionaryObject({NameObject("/F1"): document._add_object(font)})}
    )
    content = StreamObject()
    shown = "".join(f"{glyphs[letter]:02X}" for letter in words)
    content.set_data(f"BT /F1 12 Tf 40 700 Td <{shown}> Tj ET".encode())
    page[NameObject("/Contents")] = document._add_object(content)
    document.write(path)
    return path
