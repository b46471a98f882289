"""`manage.py search`: ask from the command line."""

import json
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kb.models import Collection, User
from kb.reading import text
from search import retrieval, unknown
from search.hits import MODES, Answer, BadQuery, Query
from search.serializers import answer_json


class Command(BaseCommand):
    help = "Print the passages that answer a query, each with its place."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("query", type=text.clean)
        parser.add_argument(
            "--collection", type=text.clean, action="append", default=[], metavar="SLUG", help="Or its id."
        )
        parser.add_argument("--limit", type=int, default=5)
        parser.add_argument("--mode", choices=MODES, default="hybrid")
        parser.add_argument(
            "--user", type=text.clean, help="Search as this person; as the first administrator, if left out."
        )
        parser.add_argument("--json", action="store_true", help="Print the answer as the API gives it.")

    def handle(self, *args: Any, **options: Any) -> None:
        named = {"username": options["user"]} if options["user"] else {"is_superuser": True}
        user = User.objects.filter(**named).order_by("date_joined").first()
        if user is None:
            raise CommandError("There is no such person, or no administrator yet.")
        query = Query(
            options["query"], tuple(options["collection"]), limit=max(1, options["limit"]), mode=options["mode"]
        )
        try:
            answer = retrieval.search(user, query)
        except BadQuery as error:
            raise CommandError(str(error)) from error
        notices = unknown.named_in(query, user)
        if options["json"]:
            self.stdout.write(json.dumps(answer_json(answer, notices), ensure_ascii=False, indent=2))
            return
        if notices:
            notices.append(f"{user} sees the collections: {_seen_by(user) or 'none'}.")
        if notices and not answer.hits:
            raise CommandError("\n".join(notices))
        self._print(answer, notices)

    def _print(self, answer: Answer, notices: Sequence[str]) -> None:
        for why in filter(None, (*notices, answer.degraded, answer.not_reranked)):
            self.stderr.write(why)
        for hit in answer.hits:
            self.stdout.write(f"{hit.rank}. {hit.citation.label}  [{hit.language} {hit.score:.2f}]")
            self.stdout.write(f"   {' '.join(hit.text.split())[:300]}\n   {hit.citation.url}\n")
        if not answer.hits:
            self.stdout.write("Nothing was found.")


def _seen_by(user: User) -> str:
    return ", ".join(Collection.objects.visible_to(user).order_by("slug").values_list("slug", flat=True))
