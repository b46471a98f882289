"""`manage.py reembed`: a collection into another space, from the command line."""

import time
import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from rich.progress import Progress

from embeddings.models import Space
from kb import reembedding
from kb.models import Collection, Reembedding, Stage


class Command(BaseCommand):
    help = "Embed a collection into another space behind the one it is searched in; go on where that was begun."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("collection", metavar="COLLECTION", help="Its slug.")
        parser.add_argument("--to", required=True, metavar="SPACE", help="Id, name, model or beginning of fingerprint.")
        parser.add_argument("--wait", action="store_true", help="Wait until every passage is embedded.")
        parser.add_argument("--switch", action="store_true", help="Wait, then search in the new space.")

    def handle(self, *args: Any, **options: Any) -> None:
        collection = Collection.objects.filter(slug=options["collection"]).first()
        if collection is None:
            raise CommandError(f"There is no collection {options['collection']!r}.")
        space = _space(options["to"])
        try:
            one = self._begun(collection, space)
            if options["wait"] or options["switch"]:
                _wait(one, Stage.BUILT)
            if options["switch"]:
                reembedding.switch(one)
                _wait(one, Stage.SWITCHED)
        except reembedding.Refused as why:
            raise CommandError(str(why)) from why
        self.stdout.write(f"{collection.slug}: {one.get_state_display()}.")

    def _begun(self, collection: Collection, space: Space) -> Reembedding:
        one = collection.reembeddings.open().filter(target=space).first()
        if one is None:
            one = reembedding.start(collection, space, user=None)
            self.stdout.write(f"{collection.slug} is embedded into {space.name}.")
        return one


def _space(named: str) -> Space:
    """Raises CommandError when no space, or more than one, is called so."""
    called = Q(name=named) | Q(model=named) | Q(fingerprint__startswith=named)
    if _is_uuid(named):
        called |= Q(pk=named)
    found = list(Space.objects.filter(called))
    if len(found) != 1:
        known = "\n".join(f"  {space.fingerprint[:12]}  {space.name}" for space in Space.objects.all())
        raise CommandError(f"{len(found)} spaces are called {named!r}. There are:\n{known}")
    return found[0]


def _is_uuid(named: str) -> bool:
    try:
        uuid.UUID(named)
    except ValueError:
        return False
    return True


def _wait(one: Reembedding, stage: Stage) -> None:
    """Until it is as far. Raises CommandError when it stops before."""
    with Progress() as shown:
        bar = shown.add_task(one.get_state_display(), total=one.total)
        while one.state not in (stage, Stage.SWITCHED):
            if not one.unfinished and one.state != Stage.BUILT:
                raise CommandError(f"{one.get_state_display()}. {one.detail}".strip())
            now = reembedding.progress_of(one)
            shown.update(bar, completed=now.done, total=now.total, description=one.get_state_display())
            time.sleep(0.5)
            one.refresh_from_db()
