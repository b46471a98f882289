"""What people and files do to the golden queries of one collection at the same moment."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from kb import ingestion
from kb.models import Collection, Document, User
from search import exchange, formats
from search import golden as golden_queries
from search.models import GoldenQuery
from search.models.golden import Grade
from tests.conftest import browser_of, client_of
from tests.kb.running import waiting
from tests.kb.test_at_once import together
from tests.search.conftest import chunk_with

pytestmark = pytest.mark.django_db(transaction=True)

Write = Callable[[], Any]
"""Its answer has a status."""


def somebody_waits() -> bool:
    """Whether somebody waits for what a transaction holds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_locks WHERE NOT granted")
        return bool(cursor.rowcount)


def meanwhile(first: Callable[[], object], second: Callable[[], object]) -> list[Any]:
    """Whether `second`, begun once `first` is done, waits until that is committed; and what it returns."""
    done = Barrier(2)

    def hold() -> bool:
        with transaction.atomic():
            first()
            done.wait()
            waiting.until(somebody_waits, seconds=5)
            return True

    def wait() -> object:
        done.wait()
        return second()

    return together(hold, wait)


@pytest.fixture
def query(notes, golden) -> GoldenQuery:
    return golden("what pulls the sea", notes["tides"])


@pytest.fixture
def writers(query, alice) -> dict[str, Write]:
    """All that changes golden queries, by the address it is posted to."""
    page, browser, api = query.get_absolute_url(), browser_of(alice), client_of(alice)
    judged, to_import = f"{page}judgements/{query.judgements.get().pk}/", page.replace(str(query.pk), "import")
    address = f"/api/v1/collections/{query.collection_id}/golden/"
    verdict = {"q": "moon", "passage": chunk_with("moon pulls").pk}
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    console = f"/console/search/goldenquery/{query.pk}"
    unchanged = {"language": "en", "judgements-TOTAL_FORMS": 0, "judgements-INITIAL_FORMS": 0}
    chosen = {"action": "delete_selected", "_selected_action": [str(query.pk)]}
    return {
        "click": lambda: browser.post("/verdict/", {**verdict, "grade": 3}),
        "take back": lambda: browser.post("/verdict/", {**verdict, "grade": ""}),
        "change": lambda: browser.post(page, {"text": "what pulls the tide"}),
        "delete": lambda: browser.post(f"{page}delete/"),
        "grade": lambda: browser.post(judged, {"grade": 1}),
        "remove": lambda: browser.post(f"{judged}remove/"),
        "import": lambda: browser.post(to_import, {"file": named(b"query\ntides\n")}),
        "console: change": lambda: browser.post(f"{console}/change/", unchanged),
        "console: delete": lambda: browser.post(f"{console}/delete/", {"post": "yes"}),
        "console: delete some": lambda: browser.post("/console/search/goldenquery/", {**chosen, "post": "yes"}),
        "api: add": lambda: api.post(address, {"query": "tides"}),
        "api: delete": lambda: api.delete(f"{address}{query.pk}/"),
        "api: import": lambda: api.post(f"{address}import/", {"file": named(b"query\ntides\n")}, format="multipart"),
    }


WRITERS = (
    "click", "take back", "change", "delete", "grade", "remove", "import", "console: change", "console: delete",
    "console: delete some", "api: add", "api: delete", "api: import",
)  # fmt: skip


def named(content: bytes) -> BytesIO:
    file = BytesIO(content)
    file.name = "golden.csv"
    return file


@pytest.mark.parametrize("writer", WRITERS)
def test_they_go_one_after_the_other(writers, collection, writer):
    waited, answer = meanwhile(lambda: golden_queries.hold(collection), writers[writer])
    assert (waited, answer.status_code < 400) == (True, True)


@pytest.mark.parametrize("writer", WRITERS)
def test_of_a_collection_that_is_just_being_deleted_there_is_nothing(writers, collection, writer):
    waited, answer = meanwhile(lambda: Collection.objects.filter(pk=collection.pk).delete(), writers[writer])
    assert (waited, answer.status_code) == (True, 404)


@pytest.mark.parametrize("accept", ["en", "zh-hans"])
def test_of_a_document_that_is_just_being_deleted_it_is_said(notes, alice, accept):
    call_command("translations", "compile")
    browser, passage = browser_of(alice), chunk_with("moon pulls").pk
    waited, answer = meanwhile(
        lambda: ingestion.remove(Document.objects.filter(pk=notes["tides"].pk)),
        lambda: browser.post(
            "/verdict/", {"q": "moon", "passage": passage, "grade": 3}, headers={"Accept-Language": accept}
        ),
    )
    assert (waited, answer.status_code) == (True, 409)
    told = "changed or deleted by someone else" if accept == "en" else "刚刚有人更改或删除了它"
    assert told in answer.content.decode()


def test_a_file_with_a_query_that_is_just_being_judged(notes, collection, alice, tmp_path):
    file = tmp_path / "golden.csv"
    file.write_text("query,note\ntides,from the file")
    assert meanwhile(
        lambda: golden_queries.judge(alice, chunk_with("moon"), "tides", Grade.ANSWERS),
        lambda: exchange.bring_in(alice, collection, file, formats.FORMATS["csv"]),
    ) == [True, exchange.Imported(1, 0)]
    [query] = GoldenQuery.objects.all()
    assert (query.text, query.note, query.judgements.count()) == ("tides", "from the file", 1)


class TestWhatAFileHasJustBrought:
    @pytest.fixture
    def bring(self, query, collection, alice, tmp_path: Path) -> Callable[[], object]:
        file = tmp_path / "golden.csv"
        file.write_text("query\ntides")
        return lambda: exchange.bring_in(alice, collection, file, formats.FORMATS["csv"])

    def test_is_not_added_again(self, bring, writers):
        waited, answer = meanwhile(bring, writers["api: add"])
        assert (waited, answer.status_code) == (True, 409)

    def test_is_not_what_another_is_made_into(self, bring, query, alice):
        browser = browser_of(alice)
        waited, answer = meanwhile(bring, lambda: browser.post(query.get_absolute_url(), {"text": "tides"}))
        assert waited
        assert "This is a golden query of the collection already." in answer.content.decode()
