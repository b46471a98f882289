"""Golden queries into a collection from a file, all of them or none; and out of it into one."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple
from uuid import UUID

from django import forms
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Length
from django.http import FileResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kb import language
from kb.models import Collection, Document, Revision, RevisionText, User
from kb.reading import text
from search import formats, golden, scope
from search.formats import Asked, Format, Mistake, Row
from search.forms import LanguageField, QueryTextField
from search.models import GoldenQuery, Judgement
from search.models.golden import LONGEST, Grade

BYTES = 32 * 1024 * 1024
"""Of a file, at most."""

SHOWN = 100
"""Mistakes of a file that are told."""


class Mistaken(ValueError):
    """Nothing was imported; `mistakes` says what is wrong where, the first of them."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__(_("Nothing was imported: some lines cannot be used."))
        self.mistakes = mistakes[:SHOWN]
        self.more = max(0, len(mistakes) - SHOWN)


@dataclass(frozen=True)
class Imported:
    """How much of a file was in it. What was there already is counted too."""

    queries: int
    judgements: int


def bring_in(user: User, collection: Collection, path: Path, kind: Format) -> Imported:
    """Add the golden queries of a file to a collection, in one transaction. A query that is there already is given what
    the file says of it. Raises Mistaken; Http404 where the collection has been deleted meanwhile."""
    rows: list[Row] = []
    mistakes: list[Mistake] = []
    for found in kind.read(path):
        (mistakes if isinstance(found, Mistake) else rows).append(found)  # type: ignore[arg-type]
        if max(len(rows), len(mistakes)) > formats.ROWS:
            raise Mistaken([formats.too_many()])
    checked = list(_checked(rows, mistakes))
    places = _places(collection, checked, mistakes)
    if mistakes:
        raise Mistaken(sorted(mistakes, key=lambda one: (one.file, one.line)))
    with transaction.atomic():
        golden.hold(collection)
        queries = _keep_queries(user, collection, checked)
        judgements = _keep_judgements(queries, checked, places)
    return Imported(len(queries), judgements)


def receive(user: User, collection: Collection, file: TemporaryUploadedFile) -> Imported:
    """Import an uploaded file, whose form is told by its name and content. Raises Mistaken."""
    path = Path(file.temporary_file_path())
    if path.stat().st_size > BYTES:
        raise Mistaken([Mistake(0, _("The file is larger than %s MiB.") % (BYTES >> 20))])
    kind = formats.of(path, file.name or "")
    if kind is None:
        raise Mistaken([Mistake(0, _("This must be a .csv or .jsonl file, or a .zip in the form of BEIR or TREC."))])
    return bring_in(user, collection, path, kind)


def download(collection: Collection, kind: Format) -> FileResponse:
    """The golden queries of a collection as a file."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
    write_out(GoldenQuery.objects.filter(collection=collection), kind, file)
    file.seek(0)
    name = f"golden-{collection.slug}{kind.suffix}"
    return FileResponse(file, as_attachment=True, filename=name, content_type=kind.media_type)


def write_out(queries: QuerySet[GoldenQuery], kind: Format, file: IO[bytes]) -> None:
    """Write golden queries with their judgements into an open file, oldest first."""
    related = queries.order_by("created_at", "pk").prefetch_related("judgements__document", "judgements__revision")
    kind.write((_asked(query) for query in related.iterator(chunk_size=500)), file)


# --- Out ---


def _asked(query: GoldenQuery) -> Asked:
    judged = [_judged(one) for one in query.judgements.all()]
    return Asked(str(query.pk), query.text, query.language, query.note, judged)


def _judged(one: Judgement) -> formats.Judged:
    if one.revision is None:
        live = one.document.live_revision_id
        return formats.Judged(str(one.document_id), one.document.title, one.grade, lambda: _text(live))
    chars = (one.start or 0, one.end or 0)
    revision = one.revision
    return formats.Judged(
        str(one.document_id),
        one.document.title,
        one.grade,
        lambda: _text(revision.pk)[chars[0] : chars[1]],
        revision.number,
        chars,
    )


def _text(revision_id: UUID | None) -> str:
    return RevisionText.objects.filter(pk=revision_id).values_list("text", flat=True).first() or ""


# --- In: what a row says ---


class _RowForm(forms.Form):
    """A row as it must be. Its sentences are what people are told."""

    query = QueryTextField()
    language = LanguageField()
    note = forms.CharField(required=False, max_length=LONGEST)
    revision = forms.IntegerField(required=False, min_value=1)
    start = forms.IntegerField(required=False, min_value=0)
    end = forms.IntegerField(required=False, min_value=1)
    grade = forms.TypedChoiceField(
        required=False,
        coerce=int,
        choices=Grade.choices,
        error_messages={"invalid_choice": gettext_lazy("A grade is 0, 1, 2 or 3.")},
    )

    def clean_note(self) -> str:
        return text.clean(self.cleaned_data["note"]).strip()

    def clean_grade(self) -> int:
        given = self.cleaned_data["grade"]
        return int(Grade.ANSWERS if given == "" else given)

    def clean(self) -> dict[str, Any]:
        told = self.cleaned_data
        place = [told.get(name) for name in ("revision", "start", "end")]
        if not self.errors and any(one is not None for one in place):
            if None in place:
                raise forms.ValidationError(_("A passage needs a revision, a start and an end."))
            if told["start"] >= told["end"]:
                raise forms.ValidationError(_("A passage ends after it begins."))
        return told


class _Checked(NamedTuple):
    row: Row
    told: dict[str, Any]


def _checked(rows: Iterable[Row], mistakes: list[Mistake]) -> Iterator[_Checked]:
    for row in rows:
        form = _RowForm(row.values)
        if form.is_valid():
            yield _Checked(row, form.cleaned_data)
            continue
        for name, errors in form.errors.items():
            said = " ".join(str(error) for error in errors)
            told = {"field": name, "sentence": said}
            said = said if name == "__all__" else _("%(field)s: %(sentence)s") % told
            mistakes.append(Mistake(row.line, said, row.file))


# --- In: which documents are meant ---


class _Place(NamedTuple):
    """A document of the collection, or characters of one of its revisions."""

    document: UUID
    revision: UUID | None = None
    start: int | None = None
    end: int | None = None


class _Unplaced(ValueError):
    """There is no such place in the collection; the message says why."""


def _places(collection: Collection, checked: Sequence[_Checked], mistakes: list[Mistake]) -> list[_Place | None]:
    """Where in the collection the judgement of each row is; None for a row that has none."""
    documents = _documents(collection, {name for one in checked for name in one.row.names})
    revisions = _revisions({found for one in documents.values() for found in one})
    places: list[_Place | None] = []
    for row, told in checked:
        try:
            places.append(_place(row, told, documents, revisions))
        except _Unplaced as why:
            mistakes.append(Mistake(row.line, str(why), row.file))
    return places


def _place(
    row: Row,
    told: dict[str, Any],
    documents: dict[str, set[UUID]],
    revisions: dict[tuple[UUID, int], tuple[UUID, int]],
) -> _Place | None:
    if not row.names:
        if told["revision"] is not None:
            raise _Unplaced(_("A passage needs a document."))
        return None
    document = _document(row.names, documents)
    if told["revision"] is None:
        return _Place(document)
    about = {"name": row.names[-1], "revision": told["revision"], "end": told["end"]}
    revision, length = revisions.get((document, told["revision"]), (None, 0))
    if revision is None:
        raise _Unplaced(_("“%(name)s” has no revision %(revision)s in this collection.") % about)
    if told["end"] > length:
        ends = _(
            "Revision %(revision)s of “%(name)s” in this collection ends at %(length)s characters, before %(end)s."
        )
        raise _Unplaced(ends % {**about, "length": length})
    return _Place(document, revision, told["start"], told["end"])


def _document(names: Sequence[str], documents: dict[str, set[UUID]]) -> UUID:
    """The one that is called by the first of these names that is known."""
    name = next((one for one in names if one in documents), None)
    if name is None and len(names) > 1:
        nobody = _("There is no document “%(id)s” in this collection, and none called “%(name)s”.")
        raise _Unplaced(nobody % {"id": names[0], "name": names[-1]})
    if name is None:
        raise _Unplaced(_("There is no document “%s” in this collection.") % names[0])
    if len(documents[name]) > 1:
        raise _Unplaced(_("More than one document is called “%s”: give its id.") % name)
    [document] = documents[name]
    return document


def _documents(collection: Collection, names: set[str]) -> dict[str, set[UUID]]:
    """The documents of the collection with these ids; else with these titles; else with these file names."""
    ids = {name for name in names if scope.is_uuid(name)}
    called = Q(title__in=names) | Q(live_revision__filename__in=names)
    meant = Document.objects.filter(Q(pk__in=ids) | called, collection=collection)
    rows = list(meant.values_list("pk", "title", "live_revision__filename"))
    # What is called by the better name hides the others.
    return (
        _by_name((pk, filename) for pk, _title, filename in rows if filename)
        | _by_name((pk, title) for pk, title, _filename in rows)
        | _by_name((pk, str(pk)) for pk, *_names in rows)
    )


def _by_name(named: Iterable[tuple[UUID, str]]) -> dict[str, set[UUID]]:
    found: dict[str, set[UUID]] = {}
    for pk, name in named:
        found.setdefault(name, set()).add(pk)
    return found


def _revisions(documents: set[UUID]) -> dict[tuple[UUID, int], tuple[UUID, int]]:
    """The id of each revision by document and number, with the number of its characters."""
    revisions = Revision.objects.filter(document__in=documents, full_text__isnull=False)
    rows = revisions.values_list("document", "number", "pk", Length("full_text__text"))
    return {(document, number): (pk, length) for document, number, pk, length in rows}


# --- In: what is kept ---


def _keep_queries(user: User, collection: Collection, checked: Sequence[_Checked]) -> dict[str, GoldenQuery]:
    """The golden queries of all rows by their text. What the file leaves empty stays as it is."""
    told: dict[str, dict[str, str]] = {}
    for _row, one in checked:
        about = told.setdefault(one["query"], {})
        about.update({name: one[name] for name in ("language", "note") if one[name]})
    known = {one.text: one for one in GoldenQuery.objects.filter(collection=collection, text__in=told)}
    new = [
        GoldenQuery(
            collection=collection,
            text=asked,
            language=about.get("language") or language.identify(asked),
            note=about.get("note", ""),
            created_by=user,
        )
        for asked, about in told.items()
        if asked not in known
    ]
    for asked, query in known.items():
        query.language = told[asked].get("language", query.language)
        query.note = told[asked].get("note", query.note)
    GoldenQuery.objects.bulk_update(known.values(), ["language", "note"], batch_size=1_000)
    GoldenQuery.objects.bulk_create(new, batch_size=1_000)
    return known | {one.text: one for one in new}


def _keep_judgements(
    queries: dict[str, GoldenQuery], checked: Sequence[_Checked], places: Sequence[_Place | None]
) -> int:
    """Of two rows about one place the later counts."""
    graded = {
        (queries[told["query"]].pk, place): told["grade"]
        for (_row, told), place in zip(checked, places, strict=True)
        if place is not None
    }
    judgements = [
        Judgement(
            golden_query_id=query,
            document_id=place.document,
            revision_id=place.revision,
            start=place.start,
            end=place.end,
            grade=grade,
        )
        for (query, place), grade in graded.items()
    ]
    Judgement.objects.bulk_create(
        judgements,
        batch_size=1_000,
        update_conflicts=True,
        unique_fields=["golden_query", "document", "revision", "start", "end"],
        update_fields=["grade"],
    )
    return len(judgements)
