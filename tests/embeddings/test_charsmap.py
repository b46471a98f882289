"""What `tokenizers` reads out of a charsmap is what was put in."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import normalizers

from embeddings import charsmap

_CHARACTER = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_TEXT = st.text(_CHARACTER, max_size=4)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(_CHARACTER, _TEXT, min_size=1, max_size=300), st.lists(_CHARACTER, max_size=50))
def test_each_character_is_replaced_and_no_other(replacements: dict[str, str], others: list[str]) -> None:
    normalizer = normalizers.Precompiled(charsmap.build(replacements))
    for character in [*replacements, *others]:
        assert normalizer.normalize_str(character) == replacements.get(character, character)


def test_every_character_of_a_script_can_be_replaced() -> None:
    replacements = {chr(code): chr(code + 1) for code in range(0x4E00, 0x9FFF)}
    normalizer = normalizers.Precompiled(charsmap.build(replacements))
    text = "".join(replacements)
    assert normalizer.normalize_str(text) == "".join(replacements.values())
