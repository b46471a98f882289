"""What is asked of the database beside a search's own questions."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.backends.postgresql.base import DatabaseWrapper

from kb.models import User
from search import beside, lexical, retrieval
from search.hits import Mode, Query


@pytest.mark.django_db(transaction=True)
class TestOnAnotherConnection:
    def test_it_is_begun_at_once_and_its_answer_waited_for(self, alice):
        begun, let = threading.Event(), threading.Event()

        def ask() -> tuple[int, str]:
            begun.set()
            assert let.wait(30)
            return _backend(), User.objects.get().username

        answer = beside.begin(ask)
        assert begun.wait(30)
        here = _backend()
        let.set()
        there, name = answer()
        assert (there != here, name) == (True, "alice")

    def test_what_goes_wrong_is_raised_where_the_answer_is_wanted(self):
        def ask() -> None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")

        answer = beside.begin(ask)
        with pytest.raises(Exception, match="division by zero"):
            answer()

    def test_a_connection_that_broke_is_not_used_again(self):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [beside.begin(_backend)()])
        for _thread in range(beside.THREADS):  # one of them has the one that broke
            assert beside.begin(_backend)()

    def test_where_no_other_is_to_be_had_this_one_serves(self, monkeypatch):
        def refuse(_self: DatabaseWrapper) -> None:
            raise OperationalError("too many clients")

        here = _backend()
        monkeypatch.setattr(DatabaseWrapper, "connect", refuse)
        with ThreadPoolExecutor(1) as fresh:
            monkeypatch.setattr(beside, "threads", lambda _process: fresh)
            assert beside.begin(_backend)() == here

    def test_the_words_of_a_search_are_asked_for_there(self, alice, upload, work, answering, monkeypatch):
        upload("tides.md", "# Tides\n\nThe moon pulls the sea.\n")
        work()
        asked_by = []

        def watch(name: str) -> None:
            asks = getattr(lexical, name)

            def watched(*given: Any, **named: Any) -> Any:
                asked_by.append(threading.current_thread())
                return asks(*given, **named)

            monkeypatch.setattr(lexical, name, watched)

        for name in ("ask", "best", "best_alone"):
            watch(name)
        modes: list[tuple[Mode, bool]] = [("hybrid", True), ("lexical", False)]
        for mode, beside_it in modes:
            asked_by.clear()
            assert retrieval.search(alice, Query("moon", mode=mode)).hits
            assert [one is not threading.main_thread() for one in asked_by] == [beside_it] * 2

    def test_in_a_transaction_it_sees_what_stands_there(self):
        with transaction.atomic():
            User.objects.create_user("dora")
            assert beside.begin(lambda: (_backend(), User.objects.count()))() == (_backend(), 1)


def _backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (found,) = cursor.fetchone()
    return int(found)
