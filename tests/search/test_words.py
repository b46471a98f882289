"""Searching by words: phrases, exclusions, codes, and words inside sentences of scripts without spaces."""

import uuid

import pytest
from django.db.models.expressions import RawSQL

from embeddings.models import Space
from kb import lexemes
from kb.models import Chunk, Collection, CommonLexeme, Document, LanguageMean
from search import lexical, retrieval, scope, syntax
from search.hits import BadQuery, Query

pytestmark = pytest.mark.django_db

TEXTS = {
    "leave": "Every employee has thirty days of annual leave.",
    "annual": "They leave after the annual meeting.",
    "code": "The spare part KB-2041/7 fits the older pump.",
    "other-code": "The spare part KB-2041/8 fits the newer pump.",
    "zh": "每位员工每年享有十五天带薪年假，饮水机在二楼。",
    "ja": "新入社員は有給休暇を申請できます。",
    "ko": "신입 사원은 연차휴가를 신청할 수 있습니다.",
    "th": "พนักงานทุกคนมีสิทธิลาพักร้อนสิบห้าวัน",
    "tides": "In the harbour of the old town the tides were rising very slowly in the evening.",
    "ru": "Сотрудники подают заявления начальникам отделов до начала отпусков.",
    "de": "Die Anlagen werden jährlich von einem Fachmann geprüft und danach gereinigt.",
}


@pytest.fixture(params=["few rows", "many rows"])
def library(request, upload, work, answering, monkeypatch):
    if request.param == "many rows":
        monkeypatch.setattr(lexical, "FEW_ROWS", 0)
    for name, text in TEXTS.items():
        upload(f"{name}.txt", text)
    work()


def found(user, text: str, mode="lexical", **more) -> list[str]:
    return [hit.citation.document_title for hit in retrieval.search(user, Query(text, mode=mode, **more)).hits]


@pytest.mark.parametrize(
    "text", ["annual leave", "annual leave meetings", " ".join(["annual leave", *("zorq" + end for end in "abcdefgh")])]
)
@pytest.mark.parametrize("mode", ["lexical", "hybrid", "semantic"])
def test_words_that_stand_together_come_first_where_words_alone_decide(library, alice, collection, mode, text):
    """Also where meaning was asked for and nobody encodes the query; whatever other words stand in another form."""
    gone = Space.objects.create(
        id=uuid.uuid4(), name="gone", model="gone", fingerprint="gone", dimensions=8, dtype="float32", max_tokens=8
    )
    Collection.objects.filter(pk=collection.pk).update(active_space=gone)
    near, far = "Annual leave is for the meeting.", "Leave it to them, the annual one is a meeting."
    first, last = Chunk.objects.filter(text__in=[TEXTS["leave"], TEXTS["annual"]]).order_by("id")
    for chunk, passage in ((first, far), (last, near)):  # equals stand in the order of their ids
        vector = RawSQL("%s::tsvector", [lexemes.tsvector(passage, "en")])
        Chunk.objects.filter(pk=chunk.pk).update(text=passage, language="en", lexemes=vector)
    answer = retrieval.search(alice, Query(text, mode=mode))
    assert [hit.text for hit in answer.hits][:2] == [near, far]
    assert answer.hits[0].scores.lexical == answer.hits[1].scores.lexical


@pytest.mark.parametrize(("few_rows", "drivers"), [(lexical.FEW_ROWS, 500), (0, 500), (0, 2)])
def test_words_alone_find_all_and_those_that_stand_together_first(upload, work, alice, monkeypatch, few_rows, drivers):
    """However many cover as much, and however few are fetched at first."""
    monkeypatch.setattr(lexical, "FEW_ROWS", few_rows)
    monkeypatch.setattr(retrieval, "CANDIDATES", 5)
    monkeypatch.setattr(lexical, "DRIVERS", drivers)
    texts = [f"Vessel {n} lies in the dock, where in spring all of the wall was painted." for n in range(24)]
    for n, text in enumerate([*texts, *(f"Vessel painted: {n}." for n in range(6))]):
        upload(f"{n}.txt", text)
    work()
    seen, cursor = [], None
    while answer := retrieval.search(
        alice, Query("vessel painted", mode="lexical", limit=3, after=cursor, folding=False)
    ):
        seen += answer.hits
        cursor = answer.next
        if cursor is None:
            break
    assert len({hit.citation.id for hit in seen}) == len(seen) == 30
    together = ["Vessel painted" in hit.text for hit in seen]
    assert together == sorted(together, reverse=True)


def test_words_are_found(library, alice):
    """One test asks for everything: the library is the same, and slow to make."""
    expected = {
        "annual leave": {"leave", "annual"},
        '"annual leave"': {"leave"},
        "“annual leave” employee": {"leave"},
        "annual -meeting": {"leave"},
        'annual -"annual leave"': {"annual"},
        "带薪年假": {"zh"},
        "「带薪年假」": {"zh"},
        "“年带薪”": set(),
        "水": {"zh"},
        "机": {"zh"},
        "楼": {"zh"},
        "休暇": {"ja"},
        "申請": {"ja"},
        "연차휴가": {"ko"},
        "ลาพักร้อน": {"th"},
        "when the evening tide rises": {"tides"},
        '"tide rises"': set(),
        "tides -tide": {"tides"},
        "заявление начальнику": {"ru"},
        "Prüfung der Anlage": {"de"},
    }
    assert {text: set(found(alice, text)) for text in expected} == expected
    assert found(alice, "KB-2041/7")[0] == "code"
    assert found(alice, "kb-2041/8")[0] == "other-code"
    assert found(alice, '"KB-2041/7"', mode="hybrid") == ["code"]
    assert "code" not in found(alice, "spare part -KB-2041/7", mode="semantic")


@pytest.mark.parametrize("beside", ["每位员工怎么清洗", "Wird das danach jährlich geprüft?", "เปลี่ยนเมื่อไหร่"])
def test_a_code_is_found_whatever_stands_beside_it(library, alice, beside):
    assert found(alice, f"{beside} KB-2041/7", mode="hybrid")[0] == "code"
    assert found(alice, f"KB-2041/8 {beside}", mode="hybrid")[0] == "other-code"


def test_codes_come_before_the_words_of_a_long_question_and_without_what_is_glued_to_them(library, alice):
    long = "公司规定每位员工在每年年底之前必须把旧水泵上的密封零件更换一次并且做好详细书面记录请问这个零件的编号是不是"
    for text in (f"{long}KB-2041/7", "Welche KB-2041/7-Pumpe?", "A KB-2041/7-ben mi a teendő?", "מה זה ב-KB-2041/7"):
        assert found(alice, text, mode="hybrid")[0] == "code", text


def term(lexeme: str, passages: int) -> lexical.Term:
    return lexical.Term((lexeme,), lexeme, 1.0, passages, is_code=lexemes.is_code(lexeme))


@pytest.mark.parametrize(
    ("terms", "rare"),
    [
        ([term("kb-2041/7", 1)], {"kb-2041/7": 1}),
        ([term("kb-2041/7", 0), term("tide", 1)], {}),
        ([term("kb-2041/7-pumpe", 0), term("kb-2041/7", 1)], {"kb-2041/7": 1}),
        ([term("ec8246-113", 1), term("ec8246", 2)], {"ec8246-113": 1}),
        ([term("kb-2000", 100), term("e-17", 1)], {"kb-2000": 0.04, "e-17": 1}),
    ],
)
def test_a_code_counts_as_far_as_it_is_rare(terms, rare):
    asked = lexical.Asked(tuple(terms), 1_000)
    assert {one.lexemes[0]: pytest.approx(rarity, abs=0.02) for one, rarity in asked.codes.items()} == rare
    [words] = lexical.words(asked, [(uuid.uuid4(), None)]).values()
    assert words.coded == pytest.approx(1.0 if rare else 0.0, abs=0.05)


@pytest.mark.parametrize(
    ("query", "wanted", "words", "phrases", "excluded"),
    [
        ("annual leave", "annual leave", "annual leave", (), ()),
        ('"annual leave" rules', '"annual leave" rules', "rules", ("'annual' <1> 'leave'",), ()),
        ("boat -dinghy", "boat", "boat", (), ("'dinghy'",)),
        ("at -5 degrees", "at -5 degrees", "at -5 degrees", (), ()),
        ("sea-water", "sea-water", "sea-water", (), ()),
        ("-dinghy", "", "", (), ("'dinghy'",)),
        ('"-dinghy"', '"-dinghy"', "", ("'dinghy'",), ()),
        ("“年假”", "“年假”", "", ("'年假'",), ()),
        ('"!?"', '"!?"', "", (), ()),
        ("年假 －请假", "年假", "年假", (), ("'请假'",)),
        ("boat −dinghy", "boat", "boat", (), ("'dinghy'",)),
    ],
)
def test_a_query_is_taken_apart(query, wanted, words, phrases, excluded):
    assert syntax.parse(query) == syntax.Parsed(wanted, words, phrases, excluded)


@pytest.mark.parametrize("text", ["-dinghy", '-"annual leave" －请假'])
def test_who_only_leaves_out_is_asked_what_for(alice, text):
    with pytest.raises(BadQuery, match="A minus leaves passages out"):
        retrieval.search(alice, Query(text))


def test_the_word_itself_comes_before_its_other_forms(upload, work, answering, alice):
    upload("plural.txt", "Where the boats are kept in winter is written on the board.")
    upload("singular.txt", "Where the boat is kept in winter is written on the board.")
    work()
    assert found(alice, "the boat in winter") == ["singular", "plural"]
    assert found(alice, "the boats in winter") == ["plural", "singular"]


def test_other_forms_are_highlighted(library, alice):
    [hit] = retrieval.search(alice, Query("when the tide rises in the harbour", mode="lexical")).hits
    assert [hit.text[start:end] for start, end in hit.highlights] == ["harbour", "tides", "rising"]


def test_where_filters_leave_none_of_the_rarer_words_the_commonest_finds(library, alice, collection, monkeypatch):
    """How common a word is, is known of whole collections, where each passage is not looked at."""
    monkeypatch.setattr(lexical, "FILTERED_ROWS", 0)
    for lexeme, passages in (("annual", 600), ("part", 700), ("pump", 800)):
        CommonLexeme.objects.create(collection=collection, lexeme=f"'{lexeme}'", passages=passages)
    only = {str(one.pk) for one in Document.objects.filter(title="code")}
    assert found(alice, "annual pump part", documents=tuple(only)) == ["code"]
    assert set(found(alice, "annual pump part")) == {"leave", "annual", "code", "other-code"}


@pytest.mark.parametrize("few", [10, 2_000], ids=["many rows", "few rows"])
def test_a_word_is_as_rare_as_it_is_among_what_filters_leave(upload, work, alice, collection, monkeypatch, few):
    """However many there are beside it."""
    for number in range(12):
        upload(f"contract {number}.txt", f"The contract names the party of part {number}.", tags=["signed"])
    upload("hovercraft.txt", "A hovercraft crosses the bay.", tags=["signed"])
    work()
    LanguageMean.objects.filter(collection=collection).update(passages=10_000)
    monkeypatch.setattr(lexical, "FEW_ROWS", few)
    [first, *_more] = found(alice, "contract party hovercraft", tags=("signed",))
    assert first == "hovercraft"


def test_a_word_that_filters_leave_nowhere_is_no_common_one(upload, work, alice, collection, monkeypatch):
    """However many passages of the collection it is known to stand in."""
    monkeypatch.setattr(lexical, "FEW_ROWS", 0)
    upload("harbour.txt", "The harbour is closed.")
    upload("forest.txt", "The forest has mushrooms.", tags=["green"])
    work()
    LanguageMean.objects.filter(collection=collection).update(passages=10_000)
    CommonLexeme.objects.create(collection=collection, lexeme="'harbour'", passages=900)
    [hit] = retrieval.search(alice, Query("harbour mushrooms", tags=("green",))).hits
    assert hit.scores.lexical is not None
    assert hit.scores.lexical < 0.5


@pytest.mark.parametrize(("lexeme", "passages"), [("年假", 900), ("假期", 2)])
def test_one_character_is_as_common_as_the_commonest_pair_it_begins(upload, work, alice, collection, lexeme, passages):
    """As far as that is known; otherwise passages are counted."""
    for text in ("每年年假十五天", "年底放假"):
        upload(f"{text}.txt", text)
    work()
    CommonLexeme.objects.create(collection=collection, lexeme=f"'{lexeme}'", passages=900)
    where = scope.of(alice, Query("年"))
    assert where is not None
    [term] = lexical.ask(where, lexical.wanted("年"), rows=10_000, held=10_000).there
    assert term.passages == passages
