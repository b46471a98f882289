"""Golden queries as files: what goes out comes back the same, and a file is taken whole or not at all."""

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import translation
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from kb.models import Collection, RevisionText
from kb.reading import text as texts
from search import exchange, formats
from search.models import GoldenQuery, Judgement
from search.models.golden import Grade
from tests.kb.test_at_once import together
from tests.search.conftest import chunk_with
from tests.search.conftest import place as place_of

pytestmark = pytest.mark.django_db

FORMS = sorted(formats.FORMATS)

BringIn = Callable[..., exchange.Imported]


@pytest.fixture
def bring_in(collection, alice, tmp_path) -> BringIn:
    """Import a file of this content and name as alice."""

    def do(content: bytes | str, name: str = "golden.csv") -> exchange.Imported:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        kind = formats.of(path, name)
        assert kind is not None
        return exchange.bring_in(alice, collection, path, kind)

    return do


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return written.getvalue()


def written(collection: Collection, form: str) -> bytes:
    file = io.BytesIO()
    exchange.write_out(GoldenQuery.objects.filter(collection=collection), formats.FORMATS[form], file)
    return file.getvalue()


def kept(collection: Collection) -> list[tuple[object, ...]]:
    rows = GoldenQuery.objects.filter(collection=collection).values_list(
        "text", "language", "note", "judgements__document", "judgements__revision", "judgements__start",
        "judgements__end", "judgements__grade",
    )  # fmt: skip
    return sorted(rows, key=str)


def mistakes(bring_in: BringIn, *file: bytes | str) -> list[str]:
    with pytest.raises(exchange.Mistaken) as raised:
        bring_in(*file)
    assert not GoldenQuery.objects.exists()
    return [str(one) for one in raised.value.mistakes]


# What a person can have typed, and everything that means something in one of the forms.
_WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40)
_TRICKY = st.sampled_from(["'=1+1", "=1+1", "''@x", "<top>", "a & b", "&amp;", '"', "a,b", "Number: 1", "x\ty", "年假"])
_QUERIES = st.lists(
    st.tuples(
        (_WORDS | _TRICKY).map(texts.one_line).filter(bool),
        st.sampled_from(["en", "zh", "und"]),
        st.lists(_WORDS | _TRICKY, max_size=3).map(lambda lines: texts.clean("\n".join(lines)).strip()),
        st.lists(st.tuples(st.integers(0, 5), st.sampled_from(Grade)), max_size=4, unique_by=lambda one: one[0]),
    ),
    max_size=5,
    unique_by=lambda one: one[0],
)


@pytest.mark.parametrize("form", FORMS)
@hypothesis(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(asked=_QUERIES)
def test_what_goes_out_comes_back_the_same(notes, golden, collection, alice, tmp_path, form, asked):
    passages = [chunk_with(words) for words in ("moon pulls", "outboard", "年假")]
    places = [*notes.values(), *passages]
    GoldenQuery.objects.all().delete()
    for asks, language, note, judged in asked:
        query = golden(asks, language=language, note=note)
        for place, grade in judged:
            Judgement.objects.create(golden_query=query, grade=grade, **place_of(places[place]))
    before, file = kept(collection), tmp_path / f"golden{formats.FORMATS[form].suffix}"
    file.write_bytes(written(collection, form))
    GoldenQuery.objects.all().delete()
    imported = exchange.bring_in(alice, collection, file, formats.FORMATS[form])
    assert kept(collection) == before
    assert imported == exchange.Imported(len(asked), sum(len(judged) for *_, judged in asked))
    assert formats.of(file, file.name) == formats.FORMATS[form]


@pytest.mark.parametrize("form", FORMS)
def test_the_same_file_twice_changes_nothing(notes, golden, collection, alice, tmp_path, form):
    golden("what pulls the sea?", chunk_with("moon pulls"), notes["leave"], note="of the moon")
    before, file = kept(collection), tmp_path / "golden"
    file.write_bytes(written(collection, form))
    exchange.bring_in(alice, collection, file, formats.FORMATS[form])
    assert kept(collection) == before


class TestCsv:
    def test_documents_are_named_by_id_title_or_file_name(self, notes, collection, bring_in):
        rows = [f"x,{name}" for name in (notes["tides"].pk, "boats", "leave.md")]
        assert bring_in("\n".join(["query,document", *rows])) == exchange.Imported(1, 3)
        assert set(Judgement.objects.values_list("document", flat=True)) == {one.pk for one in notes.values()}

    def test_what_is_left_out_has_a_sensible_value(self, notes, bring_in):
        bring_in("\ufeffquery,document\n每年有多少天年假？,leave\n")
        query = GoldenQuery.objects.get()
        assert (query.language, query.judgements.get().grade) == ("zh", Grade.ANSWERS)

    def test_a_spreadsheet_computes_nothing_of_it(self, notes, golden, collection):
        golden("=HYPERLINK(1)", note="+1")
        rows = list(csv.DictReader(io.StringIO(written(collection, "csv").decode())))
        assert [(row["query"], row["note"]) for row in rows] == [("'=HYPERLINK(1)", "'+1")]

    BAD = (
        (",boats,,,,", "query: This field is required."),
        ("x,ships,,,,", "There is no document “ships” in this collection."),
        ("x,boats,,,,7", "grade: A grade is 0, 1, 2 or 3."),
        ("x,boats,1,0,,", "A passage needs a revision, a start and an end."),
        ("x,boats,1,5,5,", "A passage ends after it begins."),
        ('x,"boats\n\n",,,,9', "grade: A grade is 0, 1, 2 or 3."),
        (
            "x,boats,1,0,999999,",
            "Revision 1 of “boats” in this collection ends at 41 characters, before 999999.",
        ),
        ("x,boats,9,0,5,", "“boats” has no revision 9 in this collection."),
        ("x,,1,0,5,", "A passage needs a document."),
        ("x,boats,,,,,,", "This line has more cells than the head has columns."),
        (
            'x,"boats" y,,,,',
            "This line cannot be read: its quotation marks do not match, or a cell is too long.",
        ),
    )

    def test_each_line_that_cannot_be_used_is_named(self, notes, bring_in):
        file, expected = "query,document,revision,start,end,grade\nwhat,boats,,,,3\n", []
        for row, sentence in self.BAD:
            expected.append(f"Line {file.count(chr(10)) + 1}: {sentence}")
            file += f"{row}\n"
        assert mistakes(bring_in, file) == expected

    def test_a_name_that_two_documents_have_is_refused(self, notes, bring_in, upload, work):
        upload("other.md", "# Other\n\nOther.\n", title="boats")
        work()
        assert "More than one document is called “boats”" in mistakes(bring_in, "query,document\nx,boats\n")[0]

    def test_a_document_of_another_collection_is_not_known(self, notes, bring_in, upload, work, alice, space):
        other = Collection.objects.create(name="Other", owner=alice, active_space=space)
        elsewhere = upload("far.md", "# Far\n\nFar away.\n", into=other)
        work()
        assert "There is no document" in mistakes(bring_in, f"query,document\nx,{elsewhere.pk}\n")[0]

    def test_a_title_goes_before_a_file_name(self, notes, collection, bring_in, upload, work):
        other = upload("other.md", "# Other\n\nOther.\n", title="boats.md")
        work()
        bring_in("query,document\nx,boats.md\n")
        assert Judgement.objects.get().document == other

    @pytest.mark.parametrize("head", ["document\nboats\n", "query,colour\nx,red\n", "query;colour\nx;red\n"])
    def test_its_columns_must_be_known(self, notes, bring_in, head):
        assert mistakes(bring_in, head)[0].startswith("Line 1: The head must name columns out of these: query,")

    @pytest.mark.parametrize("head", ["query,{0},{0}", "{0};query;{0}"])
    @pytest.mark.parametrize("name", ["query", "grade"])
    def test_a_column_that_is_named_twice_is_refused(self, notes, bring_in, head, name):
        told = mistakes(bring_in, f"\n{head.format(name)}\nx\n")
        assert told == [f"Line 2: The head names the column “{name}” twice."]

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    @pytest.mark.parametrize("separator", [",", ";", "\t"])
    def test_it_is_read_as_spreadsheets_write_it(self, notes, bring_in, separator, encoding):
        rows = [["query", "document", "grade"], ['"engine, or\r\n; motör"', "boats", "2"]]
        file = "\r\n".join(separator.join(row) for row in rows)
        assert bring_in(file.encode(encoding)) == exchange.Imported(1, 1)
        assert GoldenQuery.objects.get().text == "engine, or ; motör"
        assert Judgement.objects.get().grade == Grade.PARTLY

    @pytest.mark.parametrize("file", [b"", b"\xef\xbb\xbf", b"\xff\xfe", b" \r\n\r\n"])
    def test_an_empty_file_is_called_empty(self, notes, bring_in, file):
        assert mistakes(bring_in, file) == ["This file is empty."]

    def test_blank_lines_before_its_head_are_passed_over(self, notes, bring_in):
        assert bring_in("\n \r\nquery,document\nx,boats\n") == exchange.Imported(1, 1)
        GoldenQuery.objects.all().delete()
        assert mistakes(bring_in, "\n\nquery,document\nx,ships\n")[0].startswith("Line 4: ")
        assert mistakes(bring_in, "\nquestion\nx\n")[0].startswith("Line 2: The head must name")

    def test_a_file_has_an_end(self, notes, bring_in, monkeypatch):
        monkeypatch.setattr(formats, "ROWS", 2)
        queries = "".join(f'{{"_id": "{n}", "text": "{n}"}}\n' for n in range(3))
        topics = "".join(f"<top>\n<num> {n}\n<title> {n}\n</top>\n" for n in range(3))
        for name, file in {
            "rows.csv": b"query\na\nb\nc\n",
            "mistakes.jsonl": b"x\n" * 3,
            "beir.zip": zipped({"queries.jsonl": queries, "qrels.tsv": ""}),
            "trec.zip": zipped({"topics.txt": topics, "qrels.txt": ""}),
        }.items():
            assert mistakes(bring_in, file, name) == ["A file may have at most 2 rows."]


class TestFromElsewhere:
    """Ids are of another place; titles are the same in both."""

    ELSEWHERE = "73dd5a1e-0000-4000-8000-000000000000"

    def file(self, form: str, **one: object) -> tuple[bytes | str, str]:
        """A judgement as it is written elsewhere, and the name of its file."""
        told = {"document": self.ELSEWHERE, "title": "boats", "revision": 1, "start": 2, "end": 5, **one}
        if form == "csv":
            return f"query,{','.join(told)}\nx,{','.join(map(str, told.values()))}\n", "golden.csv"
        chars = [told.pop("start"), told.pop("end")]
        if form == "jsonl":
            return json.dumps({"query": "x", "judgements": [{**told, "chars": chars}]}), "golden.jsonl"
        name = f"{told['document']}@{told['revision']}:{chars[0]}-{chars[1]}"
        files = {
            "corpus.jsonl": json.dumps({"_id": name, "title": told["title"]}),
            "queries.jsonl": json.dumps({"_id": "7", "text": "x"}),
            "qrels/test.tsv": f"7\t{name}\t3\n",
        }
        return zipped(files), "golden.zip"

    @pytest.mark.parametrize("form", ["csv", "jsonl", "beir"])
    @pytest.mark.parametrize("title", ["boats", "boats.md"])
    def test_a_document_is_known_by_its_title_or_file_name(self, notes, bring_in, form, title):
        assert bring_in(*self.file(form, title=title)) == exchange.Imported(1, 1)
        one = Judgement.objects.get()
        assert (one.document, one.revision, one.start, one.end) == (notes["boats"], notes["boats"].live_revision, 2, 5)

    @pytest.mark.parametrize("form", ["csv", "jsonl"])
    def test_an_id_may_be_left_out(self, notes, bring_in, form):
        assert bring_in(*self.file(form, document="")) == exchange.Imported(1, 1)

    def test_an_id_goes_before_a_title(self, notes, bring_in):
        bring_in(*self.file("csv", document=notes["tides"].pk))
        assert Judgement.objects.get().document == notes["tides"]

    @pytest.mark.parametrize("form", ["csv", "jsonl", "beir"])
    @pytest.mark.parametrize(
        ("told", "sentence"),
        [
            ({"title": "ships"}, f"There is no document “{ELSEWHERE}” in this collection, and none called “ships”."),
            ({"revision": 4}, "“boats” has no revision 4 in this collection."),
            ({"end": 500}, "Revision 1 of “boats” in this collection ends at 41 characters, before 500."),
        ],
    )
    def test_what_was_looked_for_is_named(self, notes, bring_in, form, told, sentence):
        assert mistakes(bring_in, *self.file(form, **told))[0].endswith(f": {sentence}")

    @pytest.mark.parametrize("form", ["csv", "jsonl", "beir"])
    def test_two_of_one_title_are_refused(self, notes, bring_in, upload, work, form):
        upload("other.md", "# Other\n\nOther.\n", title="boats")
        work()
        assert "More than one document is called “boats”: give its id." in mistakes(bring_in, *self.file(form))[0]


class TestJsonLines:
    def test_a_judgement_without_a_document_is_refused(self, notes, bring_in):
        told = mistakes(bring_in, '{"query": "x", "judgements": [{"grade": 1}]}', "golden.jsonl")
        assert told == ["Line 1: A judgement needs a document."]

    def test_a_line_that_cannot_be_used_is_named(self, notes, bring_in):
        lines = [
            '{"query": "x"}', "", '{"query": "x", "judgements": [{"grade": "high"}]}',
            '{"query": "x", "colour": "red"}', '{"note": "x"}', "[]", "{",
        ]  # fmt: skip
        assert mistakes(bring_in, "\n".join(lines), "golden.jsonl") == [
            "Line 3: The field “judgements[0].grade” has a value of another kind than it must have.",
            "Line 4: There is no field “colour” here.",
            "Line 5: The field “query” is missing.",
            "Line 6: This line is not a JSON object.",
            "Line 7: This line is not JSON.",
        ]

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
    def test_a_byte_order_mark_is_left_out(self, notes, bring_in, encoding):
        assert bring_in('{"query": "年假"}'.encode(encoding), "golden.jsonl") == exchange.Imported(1, 0)


class TestBeir:
    def test_a_set_made_elsewhere_is_matched_by_titles(self, notes, collection, bring_in):
        files = {
            "set/corpus.jsonl": json.dumps({"_id": "MED-10", "title": "boats", "text": "…"}) + "\n",
            "set/queries.jsonl": json.dumps({"_id": "7", "text": "engine?"}) + "\n",
            "set/qrels/test.tsv": "query-id\tcorpus-id\tscore\n7\tMED-10\t2\n",
        }
        assert bring_in(zipped(files), "set.zip") == exchange.Imported(1, 1)
        assert Judgement.objects.get().document == notes["boats"]
        assert Judgement.objects.get().grade == Grade.PARTLY

    def test_the_corpus_has_what_was_judged_in_its_own_words(self, notes, golden, collection):
        passage = chunk_with("moon pulls")
        golden("what pulls?", passage, notes["boats"])
        with zipfile.ZipFile(io.BytesIO(written(collection, "beir"))) as archive:
            corpus = [json.loads(line) for line in archive.read("corpus.jsonl").splitlines()]
        whole = RevisionText.objects.get(revision=notes["boats"].live_revision).text
        assert {(one["title"], one["text"]) for one in corpus} == {("tides", passage.text), ("boats", whole)}

    def test_lines_that_cannot_be_used_are_named_with_their_file(self, notes, bring_in):
        files = {"queries.jsonl": '{"_id": "1", "text": "x"}\n', "qrels.tsv": "2\tboats\t1\n1\tboats\n1\tships\t1\n"}
        assert mistakes(bring_in, zipped(files), "set.zip") == [
            "qrels.tsv, line 1: There is no query “2”.",
            "qrels.tsv, line 2: This line has 2 columns; there must be 3.",
            "qrels.tsv, line 3: There is no document “ships” in this collection.",
        ]

    def test_it_must_be_whole(self, notes, bring_in):
        assert "has the files queries.jsonl" in mistakes(bring_in, zipped({"queries.jsonl": ""}), "set.zip")[0]


class TestEncodings:
    """What is not UTF-8 is refused: a guess would be kept as rubbish."""

    ASKED = "每年有多少天年假？"

    @pytest.mark.parametrize(
        ("name", "file"),
        [("golden.csv", f"query\n{ASKED}\n"), ("golden.jsonl", json.dumps({"query": ASKED}, ensure_ascii=False))],
    )
    def test_a_file_must_be_utf_8(self, notes, bring_in, name, file):
        [told] = mistakes(bring_in, file.encode("gb18030"), name)
        assert told.startswith("This is not a text file in UTF-8")

    FILES = {
        "queries.jsonl": json.dumps({"_id": "1", "text": ASKED}, ensure_ascii=False),
        "qrels.tsv": "1\t年假\t1\n",
        "topics.txt": f"<top>\n<num> 1\n<title> {ASKED}\n</top>\n",
        "qrels.txt": "1 0 年假 1\n",
    }

    @pytest.mark.parametrize("name", FILES)
    def test_so_must_each_in_a_zip(self, notes, bring_in, name):
        form = {"queries.jsonl", "qrels.tsv"} if name in ("queries.jsonl", "qrels.tsv") else {"topics.txt", "qrels.txt"}
        files = {one: self.FILES[one].encode("gb18030" if one == name else "utf-8") for one in form}
        [told] = [one for one in mistakes(bring_in, zipped(files), "set.zip") if "document" not in one]
        assert told == f"“{name}” is not text in UTF-8. Save it as UTF-8 and put it into the zip again."


class TestTrec:
    TOPICS = "<top>\n<num> Number: 301\n<title> Outboard &amp; engine\n<desc> Description:\nFind it.\n</top>\n"

    def test_classic_topics_and_qrels(self, notes, bring_in):
        files = {"topics.301-350": self.TOPICS, "qrels.trec6": "301 0 boats 1\n301 0 tides 0\n"}
        assert bring_in(zipped(files), "trec.zip") == exchange.Imported(1, 2)
        assert GoldenQuery.objects.get().text == "Outboard & engine"
        assert dict(Judgement.objects.values_list("document__title", "grade")) == {"boats": 1, "tides": 0}

    def test_folders_and_byte_order_marks_in_the_zip_are_passed_over(self, notes, bring_in):
        files = {"topics/": "", "topics/topics.txt": f"\ufeff{self.TOPICS}", "qrels/": "", "qrels/a": "301 0 boats 1\n"}
        assert bring_in(zipped(files), "trec.zip") == exchange.Imported(1, 1)

    def test_a_topic_needs_a_number_and_words(self, notes, bring_in):
        topics = "<top>\n<title> x\n</top>\n\n<top>\n<num> Number: 2\n</top>\n"
        assert mistakes(bring_in, zipped({"topics.txt": topics, "qrels.txt": ""}), "trec.zip") == [
            "topics.txt, line 1: This topic has no number.",
            "topics.txt, line 5: query: This field is required.",
        ]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("quotes.csv", b'"query" x\n'),
        ("deep.jsonl", b'{"query": "x", "judgements": ' + b"[" * 100_000),
        ("open.zip", zipped({"topics.txt": "<top>" * 200_000, "qrels.txt": ""})),
        ("deep.zip", zipped({"queries.jsonl": '{"_id": "1", "metadata": ' + '{"a":' * 100_000, "qrels.tsv": ""})),
    ],
)  # fmt: skip
def test_a_hostile_file_is_refused_in_good_time(notes, bring_in, name, file):
    assert mistakes(bring_in, file, name)


NAMED = [
    ("golden.jsonl", '{{"query": "x", "judgements": [{{"document": "{escaped}"}}]}}'),
    ("beir.zip", {"queries.jsonl": '{{"_id": "1", "text": "x"}}', "qrels.tsv": "1\t{raw}\t1\n"}),
    ("trec.zip", {"topics.txt": "<top>\n<num> 1\n<title> x\n</top>\n", "qrels.txt": "1 0 {raw} 1\n"}),
]
"""A query and a judgement on a document, whose name is to be put in."""


def named(file: str | dict[str, str], name: str) -> bytes | str:
    escaped = json.dumps(name)[1:-1]
    if isinstance(file, str):
        return file.format(escaped=escaped)
    return zipped({path: content.format(raw=name) for path, content in file.items()})


@pytest.mark.parametrize(("name", "file"), NAMED)
def test_a_document_is_known_by_a_name_that_is_not_clean(notes, bring_in, name, file):
    bring_in(named(file, "bo\0ats"), name)
    assert Judgement.objects.get().document == notes["boats"]


@pytest.mark.parametrize(("name", "file"), NAMED)
def test_a_name_of_which_nothing_is_left_is_none(notes, bring_in, name, file):
    assert mistakes(bring_in, named(file, "\0"), name)[0].endswith("ine 1: A judgement needs a document.")


def test_a_hostile_zip_is_not_opened(notes, bring_in):
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("queries.jsonl", b"\n" * (65 << 20))
    assert mistakes(bring_in, bomb.getvalue(), "bomb.zip")[0].startswith("This file was not opened")


def damaged() -> list[bytes]:
    """Zips of which the directory is wrong, and the end is missing."""
    whole = zipped({"queries.jsonl": '{"_id": "1", "text": "x"}', "qrels.tsv": ""})
    return [whole.replace(b"PK\1\2", b"PK\7\7"), whole[:-30]]


@pytest.mark.parametrize("file", damaged(), ids=["directory", "end"])
def test_a_damaged_zip_is_called_damaged(notes, bring_in, file):
    [told] = mistakes(bring_in, file, "set.zip")
    assert told.startswith("This file cannot be opened: it is damaged.")


def test_what_is_wrong_is_said_in_the_readers_language(notes, bring_in):
    call_command("translations", "compile")
    files: list[tuple[bytes | str, str]] = [
        (damaged()[0], "set.zip"), ("年假".encode("gbk"), "a.csv"), ("query,grade\nx,9", "a.csv"),
        ('query\n"x" y', "a.csv"), ('{"query": 1}', "a.jsonl"), ("{", "a.jsonl"),
    ]  # fmt: skip
    with translation.override("zh-hans"):
        told = [mistakes(bring_in, *file)[0] for file in files]
    assert not [one for one in told if re.search("[A-Za-z]+ [A-Za-z]+", one)]


@pytest.mark.django_db(transaction=True)
def test_one_file_many_times_at_once(collection, alice, tmp_path):
    file = tmp_path / "golden.csv"
    file.write_text("\n".join(["query", *map(str, range(300))]))
    outcomes = together(*[lambda: exchange.bring_in(alice, collection, file, formats.FORMATS["csv"])] * 4)
    assert outcomes == [exchange.Imported(300, 0)] * 4
    assert GoldenQuery.objects.count() == 300


def test_what_it_is_is_told_by_its_name_and_content(tmp_path: Path):
    plain, archive = tmp_path / "a", tmp_path / "b"
    plain.write_text("x")
    archive.write_bytes(zipped({"deep/queries.jsonl": ""}))
    told = [formats.of(plain, "A.CSV"), formats.of(plain, "a.jsonl"), formats.of(archive, "b.zip")]
    assert told == [formats.FORMATS[name] for name in ("csv", "jsonl", "beir")]
    assert formats.of(plain, "a.xlsx") is None
