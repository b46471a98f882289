"""How a text is laid out: every character once, each with its passages, in the block that its kind asks for."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kb import blocks
from kb.blocks import Block, Extent, Piece, Stretch
from kb.reading.sections import Kind


def laid_out(
    text: str,
    kind: Kind = "prose",
    *,
    syntax: str = "",
    extents: tuple[Extent, ...] = (),
    pages: dict[int, int] | None = None,
    marked: tuple[int, int] | None = None,
) -> Block:
    stretch = Stretch(0, len(text), kind, syntax)
    [block] = blocks.lay_out(text, 0, [stretch], levels={0: 2}, extents=extents, pages=pages or {}, marked=marked)
    return block


def texts(pieces: tuple[Piece, ...]) -> str:
    return "".join(piece.text for piece in pieces)


def test_a_table_has_its_header_its_rows_and_its_wide_cells():
    block = laid_out("Bottle | Volume | Use\nGlass |  | acids\nSee the annex", "table")
    assert [texts(cell.pieces) for cell in block.header] == ["Bottle", "Volume", "Use"]
    assert [[texts(cell.pieces) for cell in row] for row in block.rows] == [["Glass", "", "acids"], ["See the annex"]]
    assert block.rows[1][0].span == 3


def test_a_table_begun_in_another_part_has_no_header():
    stretch = Stretch(0, 30, "table")
    [block] = blocks.lay_out("c | d\ne | f", 12, [stretch], levels={}, extents=(), pages={})
    assert block.header == ()
    assert len(block.rows) == 2


def test_items_have_their_markers_and_depths():
    block = laid_out("- one\n  - two\n3. three\n(a) four\n一、five", "list")
    shown = [(item.marker, item.depth, texts(item.pieces)) for item in block.items]
    assert shown == [("•", 0, "one"), ("•", 1, "two"), ("3.", 0, "three"), ("(a)", 0, "four"), ("", 0, "一、five")]


def test_code_keeps_every_character_and_its_language():
    source = "def turn():\n\n    return 'tide'"
    block = laid_out(source, "code", syntax="python")
    assert (texts(block.pieces), block.syntax) == (source, "python")


def test_a_heading_has_its_level_and_can_be_jumped_to():
    block = laid_out("Tides", "heading")
    assert (block.level, block.named) == (2, True)


def test_passages_that_overlap_share_their_pieces():
    block = laid_out("One. Two. Three.", extents=(Extent(0, 0, 9), Extent(1, 5, 16)))
    assert [(piece.text, piece.passages) for piece in block.pieces] == [
        ("One. ", (0,)),
        ("Two.", (0, 1)),
        (" Three.", (1,)),
    ]


def test_what_begins_in_a_bar_begins_with_the_next_cell():
    block = laid_out("one | two", "table", extents=(Extent(0, 0, 4), Extent(1, 4, 9)), pages={4: 7})
    pieces = [piece for cell in block.rows[0] for piece in cell.pieces]
    assert [([one.ordinal for one in piece.begins], piece.page) for piece in pieces] == [([0], None), ([1], 7)]


def test_what_is_marked_opens_once_and_not_again_in_the_next_part():
    block = laid_out("One. Two. Three.", extents=(Extent(0, 0, 9), Extent(1, 5, 16)), marked=(0, 16))
    assert [piece.opens for piece in block.pieces] == [True, False, False]
    stretch = Stretch(0, 16, "prose")
    [later] = blocks.lay_out(" Three.", 9, [stretch], levels={}, extents=(), pages={}, marked=(0, 16))
    assert [(piece.marked, piece.opens) for piece in later.pieces] == [(True, False)]


@given(st.data())
def test_every_character_of_a_text_is_in_one_piece(data):
    text = data.draw(st.text("ab \n", min_size=1, max_size=60))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)) | {0, len(text)})
    extents = tuple(Extent(number, start, end) for number, (start, end) in enumerate(pairwise(cuts)))
    pages = {at: number for number, at in enumerate(cuts, start=1) if at < len(text)}
    kind = data.draw(st.sampled_from(["prose", "code", "heading"]))
    block = laid_out(text, kind, extents=extents, pages=pages, marked=(cuts[0], cuts[1]))
    assert texts(block.pieces) == text
    assert [one.ordinal for piece in block.pieces for one in piece.begins] == list(range(len(extents)))
    assert [piece.page for piece in block.pieces if piece.page] == list(pages.values())
    assert all(text[piece.start : piece.start + len(piece.text)] == piece.text for piece in block.pieces)
