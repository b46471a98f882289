"""The forms in which golden queries come and go: CSV, JSON lines, BEIR and TREC, read into rows and written from them.

A row is one judgement, or a query that has none. In BEIR and TREC a passage is called `DOCUMENT@REVISION:START-END`.
BEIR: Thakur et al., NeurIPS 2021, as its loader reads a folder. TREC: topics in their tags, and qrels.
"""

import csv
import html
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

import msgspec
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from kb import sentences
from kb.reading import archive, encoding, text
from kb.reading.failures import Reason, Unreadable

ROWS = 20_000
"""Of a file, at most."""

COLUMNS = ("query", "language", "note", "document", "title", "revision", "start", "end", "grade")
"""Of the CSV file. `title` says which document is meant where its id is not known."""


@dataclass(frozen=True)
class Row:
    """One row as it was read, unchecked, and where it stands. `names` are what the document may be called."""

    line: int
    values: dict[str, Any]
    names: tuple[str, ...] = ()
    file: str = ""


@dataclass(frozen=True)
class Mistake:
    """What cannot be used, and why, in a sentence."""

    line: int
    sentence: str
    file: str = ""

    def __str__(self) -> str:
        if not self.line:
            return self.sentence
        told = {"file": self.file, "line": self.line, "sentence": self.sentence}
        if self.file:
            return _("%(file)s, line %(line)s: %(sentence)s") % told
        return _("Line %(line)s: %(sentence)s") % told


@dataclass(frozen=True)
class Judged:
    """A judgement as it is written. `text` is called for only where the words themselves are wanted."""

    document: str
    title: str
    grade: int
    text: Callable[[], str]
    revision: int | None = None
    chars: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """Of the document, or of the passage in it."""
        if self.chars is None:
            return self.document
        return f"{self.document}@{self.revision}:{self.chars[0]}-{self.chars[1]}"


@dataclass(frozen=True)
class Asked:
    """A golden query as it is written."""

    id: str
    text: str
    language: str
    note: str
    judged: Sequence[Judged]


Found = Iterator[Row | Mistake]


def too_many() -> Mistake:
    """What is said of a file that is too long."""
    return Mistake(0, _("A file may have at most %s rows.") % ROWS)


@dataclass(frozen=True)
class Format:
    """One form: how files of it end, what they are, and how they are read and written."""

    title: str
    suffix: str
    media_type: str
    read: Callable[[Path], Found]
    write: Callable[[Iterable[Asked], IO[bytes]], None]


# --- CSV ---

_FORMULA = re.compile(r"'*[=+\-@\t]")
"""What a spreadsheet would compute. An apostrophe in front makes it text; reading takes one away again."""

_SEPARATORS = ",;\t"
"""What stands between cells: spreadsheets write a semicolon where the comma is in their numbers."""


def _read_csv(path: Path) -> Found:
    try:
        file = _text(path)
    except Unreadable as failure:
        yield _unusable(failure)
        return
    blank, head = next(((n, line) for n, line in enumerate(file) if line.strip()), (0, ""))
    if not head:
        yield Mistake(0, _("This file is empty."))
        return
    reader = csv.DictReader(chain([head], file), strict=True, delimiter=_separator(head))
    begin = blank + 1
    try:
        if wrong := _wrong_with_head(reader.fieldnames or ()):
            yield Mistake(begin, wrong)
            return
        begin = blank + reader.line_num + 1
        while values := next(reader, None):
            yield _csv_row(begin, values)
            begin = blank + reader.line_num + 1
    except csv.Error:
        yield Mistake(begin, _("This line cannot be read: its quotation marks do not match, or a cell is too long."))


def _text(path: Path) -> io.StringIO:
    """The text of a file, which ends its lines as it did. Raises Unreadable."""
    return io.StringIO("".join(encoding.pieces(path)), newline="")


def _unusable(failure: Unreadable) -> Mistake:
    return Mistake(0, sentences.said(str(failure.detail)))


def _separator(head: str) -> str:
    """What divides the head into more cells than anything else; a comma where nothing does."""
    return max(_SEPARATORS, key=head.count)


def _wrong_with_head(named: Sequence[str]) -> str:
    """Why a file with these columns cannot be used; empty where it can."""
    if "query" not in named or set(named) - set(COLUMNS):
        return _("The head must name columns out of these: %s.") % ", ".join(COLUMNS)
    twice = next((name for name in named if named.count(name) > 1), "")
    return _("The head names the column “%s” twice.") % twice if twice else ""


def _csv_row(line: int, values: dict[Any, Any]) -> Row | Mistake:
    if None in values:
        return Mistake(line, _("This line has more cells than the head has columns."))
    told = {name: _unguarded(value or "") for name, value in values.items()}
    return Row(line, told, _names(told.pop("document", ""), told.pop("title", "")))


def _names(*names: str) -> tuple[str, ...]:
    """What a document may be called, its id first: each once, as clean as titles are, without those that are empty."""
    return tuple(dict.fromkeys(filter(None, map(text.clean, names))))


def _write_csv(queries: Iterable[Asked], file: IO[bytes]) -> None:
    wrapped = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(wrapped)
    writer.writerow(COLUMNS)
    for query in queries:
        told = [query.text, query.language, query.note]
        for one in query.judged:
            start, end = one.chars or ("", "")
            place = [one.document, one.title, one.revision or "", start, end, one.grade]
            writer.writerow(map(_guarded, [*told, *place]))
        if not query.judged:
            writer.writerow(map(_guarded, told))
    wrapped.detach()


def _guarded(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


# --- JSON lines ---


class _JsonJudgement(msgspec.Struct, forbid_unknown_fields=True):
    document: str = ""
    title: str = ""
    revision: int | None = None
    chars: tuple[int, int] | None = None
    grade: int = 3


class _JsonQuery(msgspec.Struct, forbid_unknown_fields=True):
    query: str
    language: str = ""
    note: str = ""
    judgements: list[_JsonJudgement] = []  # msgspec makes a new list for each


def _read_jsonl(path: Path) -> Found:
    try:
        file = _text(path)
    except Unreadable as failure:
        yield _unusable(failure)
        return
    for line, told in _decoded(enumerate(file, start=1), _JsonQuery):
        if isinstance(told, Mistake):
            yield told
            continue
        query = {"query": told.query, "language": told.language, "note": told.note}
        yield from (_json_row(line, query, one) for one in told.judgements)
        if not told.judgements:
            yield Row(line, query)


def _json_row(line: int, query: dict[str, Any], one: _JsonJudgement) -> Row | Mistake:
    names = _names(one.document, one.title)
    if not names:
        return Mistake(line, _("A judgement needs a document."))
    return Row(line, {**query, **_placed(one.revision, one.chars), "grade": one.grade}, names)


def _write_jsonl(queries: Iterable[Asked], file: IO[bytes]) -> None:
    for query in queries:
        judgements = [
            {"document": one.document, "title": one.title, "revision": one.revision, "chars": one.chars,
             "grade": one.grade}
            for one in query.judged
        ]  # fmt: skip
        told = {"query": query.text, "language": query.language, "note": query.note, "judgements": judgements}
        _write_line(file, told)


def _placed(revision: int | None, chars: tuple[int, int] | None) -> dict[str, Any]:
    return {"revision": revision, "start": chars and chars[0], "end": chars and chars[1]}


def _decoded(lines: Iterable[tuple[int, str]], kind: type[Any], name: str = "") -> Iterator[tuple[int, Any]]:
    decoder = msgspec.json.Decoder(kind)
    for line, written in lines:
        if not written.strip():
            continue
        try:
            yield line, decoder.decode(written)
        except (msgspec.DecodeError, RecursionError) as error:
            yield line, Mistake(line, _wrong_with(error), name)


_WRONG_FIELD = (
    (re.compile(r"unknown field `(.+?)`"), gettext_noop("There is no field “%s” here.")),
    (re.compile(r"missing required field `(.+?)`"), gettext_noop("The field “%s” is missing.")),
    (re.compile(r" - at `\$\.(.+?)`"), gettext_noop("The field “%s” has a value of another kind than it must have.")),
)
"""What msgspec says of a field, in English, and what people are told."""


def _wrong_with(error: Exception) -> str:
    if not isinstance(error, msgspec.ValidationError):
        return _("This line is not JSON.")
    for pattern, sentence in _WRONG_FIELD:
        if named := pattern.search(str(error)):
            return _(sentence) % named[1]
    return _("This line is not a JSON object.")


def _write_line(file: IO[bytes], told: dict[str, Any]) -> None:
    file.write(json.dumps(told, ensure_ascii=False).encode() + b"\n")


# --- Zips of several files ---

_PASSAGE = re.compile(r"(.+)@(\d{1,9}):(\d{1,9})-(\d{1,9})")


@dataclass
class _Linked:
    """A query, until the judgements that name it have been read."""

    row: Row
    judged: bool = False


@dataclass(frozen=True)
class _Qrel:
    """One line of the qrels."""

    line: int
    query: str
    document: str
    grade: str


def _join(queries: dict[str, _Linked], qrels: Iterable[_Qrel | Mistake], titles: dict[str, str], file: str) -> Found:
    """A row for each line of the qrels, and one for each query that none is about."""
    for qrel in qrels:
        if isinstance(qrel, Mistake):
            yield qrel
        elif qrel.query not in queries:
            yield Mistake(qrel.line, _("There is no query “%s”.") % qrel.query, file)
        else:
            query = queries[qrel.query]
            query.judged = True
            yield _judged_row(qrel, query.row.values, titles, file)
    yield from (query.row for query in queries.values() if not query.judged)


def _judged_row(qrel: _Qrel, asked: dict[str, Any], titles: dict[str, str], file: str) -> Row | Mistake:
    title, passage = titles.get(qrel.document, ""), _PASSAGE.fullmatch(qrel.document)
    document, place = qrel.document, {}
    if passage:
        document, revision, start, end = passage.groups()
        place = _placed(int(revision), (int(start), int(end)))
    names = _names(document, title)
    if not names:
        return Mistake(qrel.line, _("A judgement needs a document."), file)
    return Row(qrel.line, {**asked, **place, "grade": qrel.grade}, names, file)


def _qrels(
    zipped: zipfile.ZipFile, name: str, separator: str | None, columns: Sequence[str]
) -> Iterator[_Qrel | Mistake]:
    """The lines of the qrels, which have these columns; the line that names them is passed over."""
    for line, written in _lines(zipped, name):
        cells = written.strip().split(separator)
        if cells in ([], [""]) or cells == list(_BEIR_HEADER):
            continue
        if len(cells) != len(columns):
            told = {"found": len(cells), "wanted": len(columns)}
            yield Mistake(line, _("This line has %(found)s columns; there must be %(wanted)s.") % told, name)
            continue
        named = dict(zip(columns, cells, strict=True))
        yield _Qrel(line, named["query"], named["document"], named["grade"])


def _lines(zipped: zipfile.ZipFile, name: str) -> Iterator[tuple[int, str]]:
    """The lines of a file in the zip, numbered. Raises Unreadable where it is not UTF-8."""
    with zipped.open(name) as file:
        try:
            yield from enumerate(io.TextIOWrapper(file, encoding="utf-8-sig", newline="\n"), start=1)
        except UnicodeDecodeError as error:
            why = _("“%s” is not text in UTF-8. Save it as UTF-8 and put it into the zip again.") % name
            raise Unreadable(Reason.TYPE_MISMATCH, why) from error


def _member(zipped: zipfile.ZipFile, *names: str) -> str | None:
    """The first of the files that the zip has, in whatever folder."""
    files = [one.filename for one in zipped.infolist() if not one.is_dir()]
    for wanted in names:
        for found in files:
            if re.fullmatch(rf"(?:.*/)?{wanted}", found):
                return found
    return None


def _unzipped(read: Callable[[zipfile.ZipFile], Found]) -> Callable[[Path], Found]:
    """The reader of an open zip as the reader of a path: the zip's limits come first."""

    def of(path: Path) -> Found:
        try:
            archive.check(path)
            with zipfile.ZipFile(path) as zipped:
                yield from read(zipped)
        except Unreadable as failure:
            yield _unusable(failure)

    return of


# --- BEIR ---


_BEIR_HEADER = ("query-id", "corpus-id", "score")


class _BeirQuery(msgspec.Struct, rename={"id": "_id"}):
    id: str
    text: str
    metadata: dict[str, Any] = {}  # msgspec makes a new one for each


class _BeirDocument(msgspec.Struct, rename={"id": "_id"}):
    id: str
    title: str = ""


def _read_beir(zipped: zipfile.ZipFile) -> Found:
    asked, judged = (
        _member(zipped, r"queries\.jsonl"),
        _member(zipped, r"qrels/test\.tsv", r"qrels\.tsv", r"qrels/.*\.tsv"),
    )
    if asked is None or judged is None:
        yield Mistake(0, _("A BEIR zip has the files %s.") % "queries.jsonl, qrels/test.tsv")
        return
    queries: dict[str, _Linked] = {}
    for line, told in _decoded(_lines(zipped, asked), _BeirQuery, asked):
        if isinstance(told, Mistake):
            yield told
            continue
        about = {name: str(told.metadata.get(name, "")) for name in ("language", "note")}
        queries[told.id] = _Linked(Row(line, {"query": told.text, **about}, (), asked))
        if len(queries) > ROWS:
            yield too_many()
            return
    columns = ("query", "document", "grade")
    first = islice(_qrels(zipped, judged, "\t", columns), ROWS)
    titles = _titles(zipped, {one.document for one in first if isinstance(one, _Qrel)})
    yield from _join(queries, _qrels(zipped, judged, "\t", columns), titles, judged)


def _titles(zipped: zipfile.ZipFile, wanted: set[str]) -> dict[str, str]:
    """The titles of these documents of the corpus: what people call the documents of a set that was made elsewhere."""
    corpus = _member(zipped, r"corpus\.jsonl")
    if corpus is None:
        return {}
    lines = _decoded(_lines(zipped, corpus), _BeirDocument)
    documents = (told for _line, told in lines if not isinstance(told, Mistake))
    return {told.id: told.title for told in documents if told.id in wanted}


def _write_beir(queries: Iterable[Asked], file: IO[bytes]) -> None:
    asked = list(queries)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        with zipped.open("corpus.jsonl", "w") as member:
            for one in {one.name: one for query in asked for one in query.judged}.values():
                _write_line(member, {"_id": one.name, "title": one.title, "text": one.text()})
        with zipped.open("queries.jsonl", "w") as member:
            for query in asked:
                about = {"language": query.language, "note": query.note}
                _write_line(member, {"_id": query.id, "text": query.text, "metadata": about})
        with zipped.open("qrels/test.tsv", "w") as member:
            member.write("\t".join(_BEIR_HEADER).encode() + b"\n")
            for query in asked:
                for one in query.judged:
                    member.write(f"{query.id}\t{one.name}\t{one.grade}\n".encode())


# --- TREC ---

_LANGUAGE = re.compile(r'\s+lang="([^"]*)"')
_FIELD = re.compile(r"<(num|title|narr)>([^<]*)")
_LABEL = re.compile(r"\s*(?:Number|Narrative):")


def _read_trec(zipped: zipfile.ZipFile) -> Found:
    asked, judged = _member(zipped, r"topics.*"), _member(zipped, r"qrels.*")
    if asked is None or judged is None:
        yield Mistake(0, _("A TREC zip has the files %s.") % "topics.txt, qrels.txt")
        return
    queries: dict[str, _Linked] = {}
    topics = "".join(written for _line, written in _lines(zipped, asked))
    for line, head, body in _topics(topics):
        told = {name: html.unescape(value) for name, value in _FIELD.findall(body)}
        key = _LABEL.sub("", told.get("num", ""), count=1).strip()
        if not key:
            yield Mistake(line, _("This topic has no number."), asked)
            continue
        note = _LABEL.sub("", told.get("narr", ""), count=1).strip()
        spoken = _LANGUAGE.match(head)
        values = {"query": told.get("title", ""), "language": spoken[1] if spoken else "", "note": note}
        queries[key] = _Linked(Row(line, values, (), asked))
        if len(queries) > ROWS:
            yield too_many()
            return
    qrels = _qrels(zipped, judged, None, ("query", "iteration", "document", "grade"))
    yield from _join(queries, qrels, {}, judged)


def _topics(written: str) -> Iterator[tuple[int, str, str]]:
    """The line each topic begins on, the rest of its tag, and what is in it; in one pass, whatever the text."""
    line = 1
    for number, part in enumerate(written.split("<top")):
        if number and part[:1] in (">", " ", "\t", "\n"):
            head, _sign, body = part.partition(">")
            yield line, head, body.partition("</top>")[0]
        line += part.count("\n")


def _write_trec(queries: Iterable[Asked], file: IO[bytes]) -> None:
    asked = list(queries)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("topics.txt", "".join(map(_topic, asked)))
        zipped.writestr(
            "qrels.txt", "".join(f"{query.id} 0 {one.name} {one.grade}\n" for query in asked for one in query.judged)
        )


def _topic(query: Asked) -> str:
    title, note = html.escape(query.text, quote=False), html.escape(query.note, quote=False)
    head = f'<top lang="{query.language}">\n<num> Number: {query.id}\n'
    return f"{head}<title> {title}\n<narr> Narrative: {note}\n</top>\n\n"


FORMATS = {
    "csv": Format("CSV", ".csv", "text/csv; charset=utf-8", _read_csv, _write_csv),
    "jsonl": Format("JSON lines", ".jsonl", "application/jsonl", _read_jsonl, _write_jsonl),
    "beir": Format("BEIR", ".beir.zip", "application/zip", _unzipped(_read_beir), _write_beir),
    "trec": Format("TREC", ".trec.zip", "application/zip", _unzipped(_read_trec), _write_trec),
}


def of(path: Path, name: str) -> Format | None:
    """The form of a file, by how its name ends, and for a zip by what is in it. None for one that is not known."""
    suffix = Path(name.lower()).suffix
    if suffix == ".zip":
        return FORMATS["beir" if _has_queries(path) else "trec"]
    return next((one for one in FORMATS.values() if one.suffix == suffix), None)


def _has_queries(path: Path) -> bool:
    """Whether the zip has the queries of BEIR. One that is damaged has nothing: whoever reads it says so."""
    try:
        with zipfile.ZipFile(path) as zipped:
            return _member(zipped, r"queries\.jsonl") is not None
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        return False
