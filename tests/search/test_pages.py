"""The search page."""

import json
import re
import uuid
from html import unescape

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from embeddings.models import Space
from kb import ingestion
from kb.models import Chunk, Collection, User
from search import retrieval
from search.hits import Citation, Hit, Query, Scores
from search.templatetags import passages

pytestmark = pytest.mark.django_db

TIDES = "# Tides\n\nThe tide turns twice a day.\n\n## Moon\n\nThe moon pulls the sea & the land.\n"
SEA = "# 海\n\n月亮引起潮汐，每天两次。\n"


@pytest.fixture
def browser(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def corpus(upload, work) -> None:
    upload("tides.md", TIDES, title="Tides")
    upload("sea.md", SEA, title="海")
    work()
    ingestion.sweep()


def titles(page: str) -> list[str]:
    return re.findall(r'<a class="open" [^>]*><bdi>([^<]*)</bdi>', page)


def trails(page: str) -> list[list[str]]:
    """Where each hit stands, in steps."""
    return [re.findall(r"<bdi>([^<]*)</bdi>", trail) for trail in re.findall(r'<ol class="trail".*?</ol>', page, re.S)]


def test_a_question_is_answered_with_cited_passages(browser, corpus, answering):
    page = browser.get("/", {"q": "moon pulls the sea"}).content.decode()
    assert titles(page)[0] == "Tides"
    assert trails(page)[0] == ["Field notes", "Moon"]
    assert "<mark>moon</mark>" in page
    assert 'lang="en"' in page
    address = unescape(re.search(r'<a class="open" href="([^"]*)"', page)[1])  # type: ignore[index]
    opened = browser.get(address.partition("#")[0]).content.decode()
    assert "sea &amp; the land" in opened.partition('id="passage"')[2]


def test_it_begins_with_a_box_and_no_answer(browser, corpus):
    page = browser.get("/").content.decode()
    assert 'name="q"' in page
    assert 'class="hits"' not in page


def test_it_needs_a_person():
    assert Client().get("/?q=moon")["Location"] == "/sign-in/?next=/%3Fq%3Dmoon"


def test_a_stranger_finds_nothing_and_sees_no_filter(corpus, charlie, answering):
    client = Client()
    client.force_login(charlie)
    page = client.get("/", {"q": "moon"}).content.decode()
    assert titles(page) == []
    assert "Field notes" not in page
    assert 'type="checkbox" name="language"' not in page


def test_it_is_narrowed_to_a_language(browser, corpus, answering):
    page = browser.get("/", {"q": "潮汐 moon", "language": "zh-CN"}).content.decode()
    assert set(re.findall(r'class="passage" lang="(\w+)"', page)) == {"zh"}
    assert 'value="zh" id="language-zh" autocomplete="off" checked' in page


def test_it_is_narrowed_to_a_collection(browser, corpus, alice, space, answering):
    Collection.objects.create(name="Empty", owner=alice, active_space=space)
    assert titles(browser.get("/", {"q": "moon", "collection": "empty"}).content.decode()) == []
    assert titles(browser.get("/", {"q": "moon", "collection": "field-notes"}).content.decode())


def test_a_filter_by_what_is_not_there_is_told_in_words(browser, corpus):
    asked = {"q": "moon", "mode": "lexical", "collection": ["nope", "field-notes"], "kind": "x/y"}
    page = browser.get("/", asked).content.decode()
    assert "There is no collection nope that you may see." in page
    assert "No kind of file that is read here has the media type x/y." in page
    page = browser.get("/", asked, headers={"Accept-Language": "zh"}).content.decode()
    assert "没有您可以查看的文档集 nope。" in page
    assert (
        "notice" not in browser.get("/", {"q": "moon", "mode": "lexical"}).content.decode().partition('id="answer"')[2]
    )


def test_nothing_found_says_so(browser, corpus):
    page = browser.get("/", {"q": "zebra", "mode": "lexical"}).content.decode()
    assert "No passage was found" in page
    page = browser.get("/", {"q": '"zebra moon"'}).content.decode()
    assert "Take the quotes away" in page
    page = browser.get("/", {"q": "-zebra"}).content.decode()
    assert "A minus leaves passages out" in page


def test_the_command_line_names_the_collections_there_are(corpus, answering, capsys):
    call_command("search", "moon", "--collection", "nope", "--collection", "field-notes", "--user", "alice")
    printed = capsys.readouterr()
    assert "The moon pulls the sea" in printed.out
    told = ["There is no collection nope that you may see.", "alice sees the collections: field-notes."]
    assert printed.err.splitlines() == told
    with pytest.raises(CommandError, match="There is no collection nope"):
        call_command("search", "moon", "--collection", "nope", "--user", "alice")


def test_the_command_line_gives_the_answer_of_the_api(corpus, collection, api, answering, capsys):
    for named in (["nope"], [str(collection.pk)], ["field-notes", "nope"]):
        options = [option for name in named for option in ("--collection", name)]
        call_command("search", "moon", *options, "--user", "alice", "--json")
        printed = json.loads(capsys.readouterr().out)
        answered = api.post("/api/v1/search/", {"query": "moon", "collections": named, "limit": 5}).json()
        timeless = dict.fromkeys(("took_ms", "timings_ms"))
        assert {**printed, **timeless} == {**answered, **timeless}
        assert bool(printed["notices"]) == ("nope" in named)


def test_the_command_line_takes_bytes_that_are_no_text(corpus, alice, answering, capsys):
    call_command("search", "moon \udce9", "--user", "alice\udce9", "--collection", "field-notes\udce9")
    assert "The moon pulls the sea" in capsys.readouterr().out


def test_nothing_to_be_searched_is_no_fault_of_the_encoder(charlie, answering):
    answer = retrieval.search(charlie, Query("moon"))
    assert (answer.mode, answer.degraded, answer.hits) == ("hybrid", "", [])


def test_without_the_encoder_it_goes_on_by_words_and_says_so(browser, corpus, collection):
    gone = Space.objects.create(
        id=uuid.uuid4(), name="gone", model="gone", fingerprint="gone", dimensions=8, dtype="float32", max_tokens=8
    )
    Collection.objects.filter(pk=collection.pk).update(active_space=gone)
    page = browser.get("/", {"q": "moon"}).content.decode()
    assert titles(page) == ["Tides"]
    assert "Search by meaning is not available" in page


def test_pages_follow_each_other_and_keep_the_question(browser, upload, work, answering):
    for number in range(25):
        upload(f"{number}.md", f"# Note {number}\n\nThe moon, note {number}.\n", title=f"Note {number}")
    work()
    first = browser.get("/", {"q": "moon", "mode": "lexical"}).content.decode()
    following = unescape(re.search(r'rel="next" href="([^"]*)"', first)[1])  # type: ignore[index]
    second = browser.get(f"/{following}").content.decode()
    assert len(titles(first)) == len(titles(second)) == 10
    assert not set(titles(first)) & set(titles(second))
    assert 'rel="prev"' in second


@pytest.mark.parametrize(
    "asked",
    ["q=%00moon", "q=moon&page=x", "q=moon&page=-1", "q=moon&page=9999", "q=moon&mode=x", "q=moon&language=%00",
     "q=moon&collection=%00&collection=", "q=" + "moon " * 2_000, "q=%ED%A0%80"],
)  # fmt: skip
def test_an_odd_address_is_no_error(browser, corpus, asked):
    assert browser.get(f"/?{asked}").status_code == 200


def test_it_costs_the_same_number_of_queries_however_many_hits(
    browser, upload, work, answering, django_assert_max_num_queries
):
    for number in range(12):
        upload(f"{number}.md", f"The moon, note {number}.")
    work()
    with django_assert_max_num_queries(30):
        assert len(titles(browser.get("/", {"q": "moon"}).content.decode())) == 10


def test_the_sentences_that_answer_are_told_apart(browser, upload, work, answering, charlie):
    upload("sea.md", "Boats are kept in the harbour. The moon pulls the sea. Nobody sails in a storm.", title="Sea")
    work()
    chunk = Chunk.objects.get()
    asked = {"q": "moon pulls the sea", "passage": [str(chunk.pk), "x"]}
    [[start, end]] = browser.get(reverse("search_sentences"), asked).json()[str(chunk.pk)]
    assert chunk.text[start:end] == "The moon pulls the sea."
    assert browser.get(reverse("search_sentences"), {"q": "", "passage": str(chunk.pk)}).json() == {}
    browser.force_login(charlie)
    assert browser.get(reverse("search_sentences"), asked).json() == {}


def test_more_like_a_passage(browser, corpus, answering, charlie):
    chunk = Chunk.objects.get(text__contains="sea & the land")
    page = browser.get("/", {"like": str(chunk.pk)}).content.decode()
    assert "Passages that say something like" in page
    assert titles(page)
    assert "There is no such passage" in browser.get("/", {"like": str(uuid.uuid4())}).content.decode()
    browser.force_login(charlie)
    page = browser.get("/", {"like": str(chunk.pk)}).content.decode()
    assert "There is no such passage" in page
    assert "Tides" not in page


def test_what_is_no_id_is_no_passage(browser, corpus):
    assert "There is no such passage" in browser.get("/", {"like": "nope"}).content.decode()
    assert "There is no such passage" not in browser.get("/", {"like": ""}).content.decode()


def test_beyond_the_last_page_there_is_a_way_back_to_the_first(browser, corpus):
    page = browser.get("/", {"q": "moon", "mode": "lexical", "page": "999"}).content.decode()
    assert "There are no further passages" in page
    assert "No passage was found" not in page
    assert 'href="/?q=moon&amp;mode=lexical"' in page


def test_no_sentence_is_said_to_answer_where_no_passage_does(browser, corpus, answering):
    assert "data-sentences" in browser.get("/", {"q": "moon pulls the sea"}).content.decode()
    page = browser.get("/", {"q": "zebra crossing"}).content.decode()
    assert "No passage answers this well" in page
    assert "data-sentences" not in page


def test_the_page_tells_what_is_underlined_and_what_is_marked(browser, corpus):
    page = browser.get("/", {"q": "moon", "mode": "lexical"}).content.decode()
    assert '<mark class="answers">Underlined</mark> are the sentences' in page


def hit(text: str, highlights: list[tuple[int, int]]) -> Hit:
    citation = Citation.__new__(Citation)
    return Hit(1, 0.5, Scores(None, None, 0.5), text, highlights, "en", citation)


@pytest.mark.parametrize(
    ("text", "highlights"),
    [
        ("the moon and the sea", [(4, 8), (17, 20)]),
        ("the moon\n\nand the sea", [(4, 8), (18, 21)]),
        ("the moon\n \nand the sea\n\n", [(4, 15)]),
        ("", []),
    ],
)
def test_paragraphs_are_the_text_with_its_highlights(text, highlights):
    found = list(passages.paragraphs(hit(text, highlights)))
    assert "".join("".join(piece for piece, _ in pieces) + gap for pieces, gap in found) == text
    shown = "".join(piece for pieces, _ in found for piece, highlighted in pieces if highlighted)
    assert shown == "".join(re.sub(r"\n\s*\n", "", text[start:end]) for start, end in highlights)


def test_every_score_has_words():
    assert {str(passages.closeness(score)) for score in (0.0, 0.3, 0.6, 1.0)} == {
        "Loosely related", "Related", "Close", "Very close",
    }  # fmt: skip
