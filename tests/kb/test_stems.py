"""Stems: the forms of a word meet, other words do not, and a word never is its own stem's lexeme."""

import pytest

from kb import lexemes, stems

FORMS = [
    ("en", "installation", "installing", True),
    ("en", "run", "runs", True),
    ("en", "organ", "boat", False),
    ("de", "Häuser", "Hauses", True),
    ("de", "STRASSEN", "Straße", True),
    ("es", "canción", "canciones", True),
    ("fr", "l’élection", "élections", True),
    ("ru", "отпусков", "отпусками", True),
    ("ar", "مدرسة", "المدرسة", True),
    ("tr", "İşlerimiz", "işler", True),
    ("el", "πόλη", "πόλεις", True),
    ("hi", "किताब", "किताबें", True),
]


@pytest.mark.parametrize(("language", "one", "other", "meet"), FORMS)
def test_forms_of_a_word_meet(language, one, other, meet):
    stems_of_one = set(lexemes.stemmed(one, language).values())
    assert bool(stems_of_one & set(lexemes.stemmed(other, language).values())) is meet


@pytest.mark.parametrize(
    ("language", "text"), [("zh", "安装 installation"), ("en", "KB-2041/7 4711 B52 if"), ("und", "installation")]
)
def test_what_has_no_stems(language, text):
    assert lexemes.stemmed(text, language) == {}


@pytest.mark.parametrize("language", sorted(stems.LANGUAGES))
def test_every_language_has_its_algorithm_and_a_stem_is_no_word(language):
    [stem] = lexemes.stemmed("concordances", language).values()
    assert stem not in lexemes.lexemes(f"concordances {stem}")


def test_stems_stand_beside_the_words_and_leave_their_places_alone():
    words, stemmed = lexemes.tsvector("two boats", "und"), lexemes.tsvector("two boats", "en")
    assert words == "'two':1 'boats':2"
    assert stemmed.startswith(f"{words} ")
    assert set(stemmed.split()) == {*words.split(), "'~'", "'~two'", "'~boat'"}
