"""`manage.py ingest`: files and folders from the command line."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.management.base import BaseCommand, CommandError
from rich.progress import track

from embeddings import spaces
from kb import ingestion
from kb.models import Collection, Document, User
from kb.models.document import DocumentQuerySet
from kb.reading import sniffing
from kb.reading.failures import Unreadable


class Command(BaseCommand):
    help = "Add files, and all readable files below folders, to a collection."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--collection", required=True, metavar="SLUG")
        parser.add_argument("--create", action="store_true", help="Make the collection if it is not there.")
        parser.add_argument("--user", help="Whose upload this is; the first administrator's, if left out.")
        parser.add_argument("--wait", action="store_true", help="Wait until every file is searchable or has failed.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = _user(options["user"])
        collection = _collection(options["collection"], user, create=options["create"])
        files = [file for path in options["paths"] for file in _files(path)]
        documents = [self._receive(collection, file, user) for file in track(files, "Receiving", disable=not files)]
        kept = [document for document in documents if document is not None]
        self.stdout.write(f"{len(kept)} of {len(files)} files received into {collection.slug}.")
        if options["wait"] and kept:
            self._wait(kept)

    def _receive(self, collection: Collection, path: Path, user: User) -> Document | None:
        if path.stat().st_size > settings.UPLOAD_LIMIT:
            self.stderr.write(f"{path}: larger than {settings.UPLOAD_LIMIT // 2**20} MiB, the limit here.")
            return None
        try:
            with path.open("rb") as file:
                return ingestion.receive(collection, File(file), path.name, user=user).document
        except (Unreadable, OSError) as error:
            self.stderr.write(f"{path}: {error}")
            return None

    def _wait(self, documents: list[Document]) -> None:
        """Until none is unfinished. Failures go to stderr, one line each, and make the exit status 1."""
        own = Document.objects.filter(pk__in=[document.pk for document in documents])
        for _done in track(_finished(own, len(documents)), "Reading and embedding", total=len(documents)):
            pass
        failed = list(own.failed().with_revisions())
        for document in failed:
            self.stderr.write(f"{document.shown.filename}: {document.shown.detail}")
        self.stdout.write(f"{len(documents) - len(failed)} are ready, {len(failed)} failed.")
        if failed:
            raise SystemExit(1)


def _finished(own: DocumentQuerySet, total: int) -> Iterator[None]:
    """Once for each document, as it is finished."""
    seen = 0
    while seen < total:
        now = total - own.unfinished().count()
        yield from [None] * (now - seen)
        seen = max(seen, now)
        time.sleep(0.5 if seen < total else 0)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise CommandError(f"There is no file or folder {path}.")
    return sorted(file for file in path.rglob("*") if file.is_file() and sniffing.supported(file.name))


def _user(name: str | None) -> User:
    people = User.objects.filter(username=name) if name else User.objects.filter(is_superuser=True)
    user = people.order_by("date_joined").first()
    if user is None:
        raise CommandError(
            f"There is no user {name}." if name else "There is no administrator: run `manage.py prepare`."
        )
    return user


def _collection(slug: str, user: User, *, create: bool) -> Collection:
    collection = Collection.objects.writable_by(user).filter(slug=slug).first()
    if collection is not None:
        return collection
    if create and not Collection.objects.filter(slug=slug).exists():
        return Collection.objects.create(slug=slug, name=slug, owner=user, active_space=spaces.current())
    known = ", ".join(Collection.objects.writable_by(user).values_list("slug", flat=True)) or "none yet"
    raise CommandError(f"{user} cannot add to a collection {slug!r} (there are: {known}; --create makes one).")
