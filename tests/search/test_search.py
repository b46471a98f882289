"""From a query to cited passages. The encoder here knows words only; `test_meaning` asks the real one."""

import base64
import struct
import uuid

import pytest
from django.core.files.base import ContentFile
from hypothesis import given
from hypothesis import strategies as st

from embeddings.models import Space
from kb import ingestion, lexemes, stems
from kb.models import Chunk, Collection, Document, Membership
from search import ranking, retrieval, stopwords
from search.hits import BadQuery, Query
from search.ranking import Candidate
from search.serializers import QuerySerializer
from tests.conftest import client_of

pytestmark = pytest.mark.django_db

TIDES = "# Tides\n\nThe tide turns twice a day.\n\n## The moon\n\nThe moon pulls the sea towards it.\n"
BOATS = "# Boats\n\nThe dinghy has an outboard engine. Its part number is KB-2041/7.\n"
LEAVE = "# 员工手册\n\n## 年假\n\n每位员工每年享有十五天带薪年假。\n"


@pytest.fixture
def library(upload, work, answering):
    documents = {
        name: upload(f"{name}.md", text) for name, text in [("tides", TIDES), ("boats", BOATS), ("leave", LEAVE)]
    }
    work()
    return documents


def found(user, text: str, **more) -> list[str]:
    return [hit.citation.document_title for hit in retrieval.search(user, Query(text, **more)).hits]


@pytest.mark.parametrize("mode", ["hybrid", "semantic", "lexical"])
def test_it_works(library, alice, mode):
    answer = retrieval.search(alice, Query("what pulls the sea", mode=mode))
    best = answer.hits[0]
    assert best.citation.document_title == "tides"
    assert best.citation.heading_path == ["Tides", "The moon"]
    assert "moon pulls" in best.text
    assert (answer.mode, answer.degraded) == (mode, "")
    assert [hit.rank for hit in answer.hits] == list(range(1, len(answer.hits) + 1))
    assert 0 <= best.score <= 1


def test_a_citation_opens_at_its_passage(library, alice):
    citation = retrieval.search(alice, Query("moon sea")).hits[0].citation
    start, end = citation.chars
    document = library["tides"]
    assert citation.url == f"/documents/{document.pk}/?revision=1&chars={start}-{end}#passage"
    assert citation.label == "tides, Tides › The moon"


def test_a_code_is_found_as_written(library, alice):
    assert found(alice, "KB-2041/7")[0] == "boats"
    assert found(alice, "2041", mode="lexical") == ["boats"]


def test_chinese_words_are_found_inside_sentences(library, alice):
    answer = retrieval.search(alice, Query("带薪年假", mode="lexical"))
    best = answer.hits[0]
    assert best.citation.document_title == "leave"
    assert [best.text[start:end] for start, end in best.highlights][-1] == "带薪年假"


def test_every_hit_there_is_comes_up_to_the_limit(library, alice):
    every = len(retrieval.search(alice, Query("anything at all", mode="semantic", limit=100)).hits)
    assert every == Chunk.objects.count()


def test_pages_follow_each_other(library, alice):
    whole = retrieval.search(alice, Query("the sea", limit=100))
    pages = [retrieval.search(alice, Query("the sea", limit=1, offset=n)) for n in range(len(whole.hits))]
    assert [p.hits[0].citation.id for p in pages] == [hit.citation.id for hit in whole.hits]
    assert [p.has_more for p in pages] == [True] * (len(pages) - 1) + [False]


def test_filters(library, alice, space):
    other = Collection.objects.create(name="Other", owner=alice, active_space=space)
    assert found(alice, "sea", collections=(other.slug,)) == []
    assert set(found(alice, "sea", collections=(str(library["tides"].collection_id),), languages=("ZH_CN",))) == {
        "leave"
    }
    Document.objects.filter(pk=library["boats"].pk).update(tags=["fleet"])
    assert set(found(alice, "sea", tags=("fleet",))) == {"boats"}
    assert found(alice, "sea", media_types=("application/pdf",)) == []
    assert found(alice, "sea", created_before=library["tides"].created_at.replace(year=2000)) == []


def test_an_empty_query_says_so(alice):
    with pytest.raises(BadQuery):
        retrieval.search(alice, Query("  "))


class TestWhoMay:
    def test_a_stranger_finds_nothing(self, library, charlie):
        assert found(charlie, "moon sea") == []

    def test_a_member_finds_it_until_the_grant_is_gone(self, library, bob, shared_with_bob):
        assert found(bob, "moon sea")[0] == "tides"
        Membership.objects.all().delete()
        assert found(bob, "moon sea") == []

    def test_what_one_may_not_see_changes_nothing(self, library, bob, shared_with_bob, charlie, space, work):
        before = retrieval.search(bob, Query("moon sea"))
        hidden = Collection.objects.create(name="Hidden", owner=charlie, active_space=space)
        ingestion.receive(hidden, ContentFile(b"moon sea " * 50), "hidden.txt", user=charlie)
        work()
        after = retrieval.search(bob, Query("moon sea"))
        assert [(h.text, h.score) for h in after.hits] == [(h.text, h.score) for h in before.hits]

    def test_a_deleted_document_is_gone_from_the_next_query(self, library, alice):
        ingestion.remove(Document.objects.filter(pk=library["tides"].pk))
        assert "tides" not in found(alice, "moon sea")

    def test_a_superseded_revision_is_not_found(self, library, alice, work):
        ingestion.receive_revision(library["tides"], ContentFile(b"# Tides\n\nNothing here."), "tides.md", user=alice)
        work()
        assert not any("pulls" in hit.text for hit in retrieval.search(alice, Query("moon pulls sea")).hits)


class TestWithoutTheEncoder:
    def test_words_are_searched_and_the_answer_says_so(self, library, alice, collection):
        gone = Space.objects.create(
            id=uuid.uuid4(), name="gone", model="gone", fingerprint="gone", dimensions=8, dtype="float32", max_tokens=8
        )
        Collection.objects.filter(pk=collection.pk).update(active_space=gone)
        answer = retrieval.search(alice, Query("moon"))
        assert answer.mode == "lexical"
        assert "only words were looked for" in answer.degraded
        assert answer.hits[0].citation.document_title == "tides"


class TestApi:
    def test_it_answers_as_documented(self, library, api):
        body = api.post("/api/v1/search/", {"query": "what pulls the sea", "limit": 2}).json()
        hit = body["hits"][0]
        assert set(body) >= {"query", "took_ms", "mode", "hits", "next_cursor", "timings_ms"}
        assert set(hit) == {"rank", "score", "scores", "text", "highlights", "language", "citation", "folded"}
        assert set(hit["scores"]) == {"semantic", "lexical", "fused", "rerank"}
        assert hit["citation"]["collection"]["slug"] == "field-notes"
        assert set(body["timings_ms"]) == {"encode", "retrieve", "rank", "cite"}

    def test_a_cursor_that_no_answer_gave_is_refused(self, library, api):
        for made_up in ("abc", base64.urlsafe_b64encode(struct.pack(">Hd16s", 65_535, 0.5, bytes(16))).decode()):
            asked = api.post("/api/v1/search/", {"query": "the sea", "cursor": made_up})
            assert (asked.status_code, "cursor" in asked.json()["errors"]) == (400, True)

    def test_the_cursor_goes_on(self, library, api):
        first = api.post("/api/v1/search/", {"query": "the sea", "limit": 1}).json()
        second = api.post("/api/v1/search/", {"query": "the sea", "limit": 1, "cursor": first["next_cursor"]}).json()
        assert second["hits"][0]["rank"] == 2

    def test_by_address(self, library, api):
        assert api.get("/api/v1/search/?q=moon&limit=1&languages=en").json()["hits"][0]["language"] == "en"

    def test_a_passage_is_permanent_and_says_when_it_is_superseded(self, library, api, alice, work):
        passage = api.post("/api/v1/search/", {"query": "moon pulls"}).json()["hits"][0]["citation"]["id"]
        before = api.get(f"/api/v1/passages/{passage}/").json()
        assert (before["superseded"], before["newer"]) == (False, None)
        ingestion.receive_revision(library["tides"], ContentFile(b"# Tides\n\nNew."), "tides.md", user=alice)
        work()
        after = api.get(f"/api/v1/passages/{passage}/").json()
        assert after["superseded"]
        assert "moon pulls" in after["text"]

    def test_a_superseded_passage_leads_to_the_newer_place(self, library, api, alice, work):
        passage = api.post("/api/v1/search/", {"query": "moon pulls"}).json()["hits"][0]["citation"]
        document = f"/documents/{library['tides'].pk}/"
        start, end = passage["chars"]
        for text, newer in (
            (f"# New\n\nBefore.\n\n{TIDES}", f"{document}?revision=2&chars={start + 14}-{end + 14}#passage"),
            ("# Tides\n\nNew.", document),
            (TIDES.replace("The moon", "Our moon"), f"{document}?revision=4&chars={start}-{end}#passage"),
            (TIDES, f"{document}?revision=5&chars={start}-{end}#passage"),
        ):
            ingestion.receive_revision(library["tides"], ContentFile(text.encode()), "tides.md", user=alice)
            work()
            assert api.get(f"/api/v1/passages/{passage['id']}/").json()["newer"] == newer

    def test_a_strangers_passage_is_missing(self, library, api, charlie):
        passage = api.post("/api/v1/search/", {"query": "moon"}).json()["hits"][0]["citation"]["id"]
        assert client_of(charlie).get(f"/api/v1/passages/{passage}/").status_code == 404

    @pytest.mark.parametrize(
        "bad", [{"query": ""}, {"query": "x", "limit": 0}, {"query": "x", "mode": "magic"}, {"q": 1}]
    )
    def test_what_makes_no_sense_is_400(self, api, bad):
        assert api.post("/api/v1/search/", bad).status_code == 400

    def test_null_is_as_good_as_leaving_out(self, library, api):
        filters = dict.fromkeys(set(QuerySerializer().fields) - {"query", "like"})
        sent = api.post("/api/v1/search/", {**filters, "query": "moon pulls", "like": None}).json()
        left_out = api.post("/api/v1/search/", {"query": "moon pulls"}).json()
        assert sent["hits"] == left_out["hits"]
        assert sent["mode"] == left_out["mode"] == "hybrid"
        like = left_out["hits"][0]["citation"]["id"]
        found = [api.post("/api/v1/search/", asked).json()["hits"] for asked in (
            {**filters, "query": None, "like": like}, {"like": like},
        )]  # fmt: skip
        assert found[0] == found[1] != []

    def test_nothing_but_null_asks_nothing(self, api):
        for sent in (
            api.post("/api/v1/search/", dict.fromkeys(QuerySerializer().fields)),
            api.post("/api/v1/search/", {"query": "", "like": ""}, format="multipart"),
        ):
            assert sent.json()["errors"] == {"query": ["Say what you are looking for."]}

    @pytest.mark.parametrize(
        ("bad", "why"),
        [({}, "请说明您要找什么。"), ({"qeury": "x"}, "没有这个字段。"), ({"query": ""}, "该字段不能为空。"),
         ({"query": "x", "cursor": "abc"}, "这不是先前应答给出的游标。"),
         ({"query": "x", "metadata": "[]"}, "必须是一个 JSON 对象。")],
    )  # fmt: skip
    def test_why_it_is_400_is_told_in_the_language_of_the_caller(self, api, bad, why):
        told = api.post("/api/v1/search/", bad, headers={"Accept-Language": "zh"}).json()
        assert told["detail"] == "所发送的内容有一部分无法使用。"
        assert why in str(told["errors"])

    def test_what_is_missing_is_told_in_the_language_of_the_caller(self, api):
        told = api.get(f"/api/v1/passages/{uuid.uuid4()}/", headers={"Accept-Language": "zh"}).json()
        assert told["detail"] == "这里没有所请求的内容，或者您无权查看。"


class TestStopWords:
    @pytest.mark.parametrize(
        ("query", "left"),
        [
            ("How many days of annual leave can I carry over?", ["many", "days", "annual", "leave", "carry"]),
            (
                "¿Con cuánta antelación hay que solicitar las vacaciones?",
                ["cuanta", "antelacion", "solicitar", "vacaciones"],
            ),
            ("Wann muss ich meine Reisekosten abrechnen?", ["wann", "reisekosten", "abrechnen"]),
            ("年假", ["年假"]),
            ("10 的，整箱 和 瓶", ["10", "整箱", "瓶"]),
            ("東京 の 天気", ["東京", "天気"]),
            ("的", ["的"]),
            ("what does 的 mean", ["的", "mean"]),
            ("who are they", ["who", "are", "they"]),
        ],
    )
    def test_they_are_left_out_unless_nothing_else_is_there(self, query, left):
        assert stopwords.without(query) == left


class TestFusion:
    def test_words_decide_only_where_they_cover_much(self):
        meaning, words, nearly_blind = (uuid.UUID(int=n) for n in (1, 2, 3))
        ranked = ranking.fuse(
            [
                Candidate(meaning, semantic=0.86, lexical=0.1),
                Candidate(words, semantic=0.82, lexical=1.0),
                Candidate(nearly_blind, semantic=0.85, lexical=0.2),
            ],
            ranking.RAW,
        )
        assert [one.chunk_id for one in ranked] == [words, meaning, nearly_blind]

    @given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
    def test_more_words_and_codes_never_lower_a_score(self, semantic, some, more, a_code, codes):
        (low, high), (few, many) = sorted((some, more)), sorted((a_code, codes))
        [a] = ranking.fuse([Candidate(uuid.UUID(int=1), semantic, low, coded=few)], ranking.CENTRED)
        [b] = ranking.fuse([Candidate(uuid.UUID(int=1), semantic, high, coded=many)], ranking.CENTRED)
        assert 0 <= a.fused <= b.fused <= 1
        assert 0 <= a.score <= b.score <= 1


class TestLexemes:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Café Münchner", ["cafe", "munchner"]),
            ("ＫＢ－２０４１", ["kb-2041", "kb", "2041"]),
            ("KB-2041/7 works", ["kb-2041/7", "kb", "2041", "7", "works"]),
            ("年假", ["年假", "假"]),
            ("带薪年假", ["带薪", "薪年", "年假", "假"]),
            ("水", ["水"]),
            ("ประชุม", ["ปร", "ระ", "ะช", "ชุ", "ุม", "ม"]),
            ("العَرَبِيَّة", ["العربية"]),
            ("!?。", []),
        ],
    )
    def test_they_are(self, text, expected):
        assert list(lexemes.lexemes(text)) == expected

    @pytest.mark.parametrize(
        "code", ["KB-2041/7", "A380", "5.3.2", "X.25", "кислород-18", "10.0.0.1", "CVE-2024-3094", "v2"]
    )
    def test_codes_are_known(self, code):
        assert lexemes.is_code(lexemes.normalize(code))

    @pytest.mark.parametrize(
        "word",
        [
            "1990s",
            "mid-1990s",
            "post-2008",
            "1990s-2000",
            "1st-2nd-3rd",
            "2.5",
            "2015-16",
            "20-jährige",
            "4711",
            "e-mail",
            "年假",
            "ABC",
            "1.000.000",
            "و2005",
            "ב-2005",
        ],
    )
    def test_numbers_and_words_are_no_codes(self, word):
        assert not lexemes.is_code(lexemes.normalize(word))

    @pytest.mark.parametrize("trap", ["a-", "1.", "ab1-/._", "中", "a\u0301"])
    def test_long_runs_without_spaces_are_no_trap(self, trap):
        """Each of these keeps a pattern that looks back busy for hours."""
        text = trap * 200_000
        assert lexemes.tsvector(text, "en")
        assert lexemes.spans(text, set(lexemes.lexemes(text)), "en")

    @given(st.text(max_size=200))
    def test_spans_lie_within_the_text_in_order(self, text):
        spans = lexemes.spans(text, set(lexemes.lexemes(text)), "en")
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert spans == sorted(spans)

    @given(st.text(max_size=200).map(lambda text: text.replace("\0", "")), st.sampled_from(["en", "tr", "ar", "zh"]))
    def test_postgres_takes_any_text(self, text, language):
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT length(%s::tsvector)", [lexemes.tsvector(text, language)])
            marked = {stems.MARK, *lexemes.stemmed(text, language).values()} if language in stems.LANGUAGES else set()
            assert cursor.fetchone()[0] == len({*lexemes.lexemes(text), *marked})
