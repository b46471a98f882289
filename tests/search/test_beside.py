"""What is asked of the database beside a search's own questions."""

import threading

import pytest
from django.db import connection, transaction

from kb.models import User
from search import beside


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
        for _thread in range(beside.THREADS):
            backend = beside.begin(_backend)()
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s)", [backend])
        assert beside.begin(_backend)()

    def test_in_a_transaction_it_sees_what_stands_there(self):
        with transaction.atomic():
            User.objects.create_user("dora")
            assert beside.begin(lambda: (_backend(), User.objects.count()))() == (_backend(), 1)


def _backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (found,) = cursor.fetchone()
    return int(found)
