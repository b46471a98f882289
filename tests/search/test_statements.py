"""Statements whose plans the database keeps, and what becomes of them."""

import threading
from collections.abc import Iterator

import pytest
from django.db import DataError, ProgrammingError, close_old_connections, connection, transaction
from django.test.utils import CaptureQueriesContext

from search import statements
from search.statements import Statement

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """A connection that has planned nothing yet, and a process that has lost no plan."""
    connection.close()
    yield
    statements._pooled.clear()


def asked(*given: Statement) -> str:
    """What was sent for these."""
    with CaptureQueriesContext(connection) as captured:
        statements.together(given)
    [sent] = captured
    return str(sent["sql"])


def plus(number: int, more: int = 1) -> Statement:
    return Statement(f"SELECT %s::int + {more}", [number], kept=True)


def planned() -> int:
    return int(statements.rows("SELECT count(*) FROM pg_prepared_statements", [])[0][0])


def test_what_comes_again_is_not_planned_again():
    assert "PREPARE" in asked(plus(1))
    assert "PREPARE" not in asked(plus(2), plus(3))
    assert statements.together([plus(4), plus(5, more=10)]) == [[(5,)], [(15,)]]
    assert planned() == 2


def test_what_is_best_planned_with_its_parameters_is_not_kept():
    once = Statement("SELECT %s::int", [1])
    assert statements.together([once, plus(1)]) == [[(1,)], [(2,)]]
    assert planned() == 1


def test_those_used_last_are_kept(monkeypatch):
    monkeypatch.setattr(statements, "MOST_KEPT", 2)
    for more in (1, 2, 1, 3):
        statements.together([plus(1, more=more)])
    assert planned() == 2
    assert "PREPARE" not in asked(plus(1, more=1))
    assert "PREPARE" in asked(plus(1, more=2))


def test_of_long_ones_fewer_are_kept(monkeypatch):
    monkeypatch.setattr(statements, "MOST_CHARACTERS", 40)
    for more in (1, 2, 3):
        statements.together([plus(1, more=more)])
    assert planned() == 2
    assert "PREPARE" not in asked(plus(1, more=3))
    monkeypatch.setattr(statements, "MOST_CHARACTERS", 10)
    assert statements.together([plus(1, more=4), plus(1, more=5)]) == [[(5,)], [(6,)]]
    assert planned() == 1
    assert "PREPARE" not in asked(plus(1, more=5))


def test_a_plan_of_what_failed_is_made_again():
    with pytest.raises(DataError, match="division by zero"):
        statements.together([plus(1), Statement("SELECT 1 / %s::int", [0], kept=True)])
    assert statements.together([plus(1), Statement("SELECT 1 / %s::int", [1], kept=True)]) == [[(2,)], [(1,)]]


def test_behind_a_pooler_none_is_kept():
    """There the next statement may meet another connection to the database, which has other plans."""
    statements.together([plus(1)])
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    assert statements.together([plus(1), plus(2)]) == [[(2,)], [(3,)]]
    assert "PREPARE" not in asked(plus(1))
    assert planned() == 0


def test_in_a_transaction_the_loss_of_a_plan_is_an_error_once():
    """Nothing more can be asked in it."""
    statements.together([plus(1)])
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    with pytest.raises(ProgrammingError), transaction.atomic():
        statements.together([plus(1)])
    with transaction.atomic():
        assert statements.together([plus(1)]) == [[(2,)]]


def test_a_connection_that_broke_is_no_pooler():
    statements.together([plus(1)])
    connection.settings_dict["CONN_HEALTH_CHECKS"] = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    _end(pid)
    close_old_connections()
    assert "PREPARE" in asked(plus(1))
    assert "PREPARE" not in asked(plus(1))


def _end(pid: int) -> None:
    """As when the server is started anew."""

    def end() -> None:
        statements.rows("SELECT pg_terminate_backend(%s)", [pid])
        connection.close()

    ending = threading.Thread(target=end)
    ending.start()
    ending.join()


def test_a_plan_that_gives_something_else_now_is_made_anew():
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE thing AS SELECT 'one'::varchar(10) AS name, 1 AS number")
    things = Statement("SELECT name FROM thing WHERE number = %s", [1], kept=True)
    assert "PREPARE" in asked(things)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE thing ALTER name TYPE text")
    assert statements.together([things]) == [[("one",)]]
    assert "PREPARE" in asked(things)
    assert "PREPARE" not in asked(things)


def test_plans_of_what_failed_do_not_gather():
    for more in range(5):
        with pytest.raises(DataError):
            statements.together([plus(1, more=more), Statement("SELECT 1 / %s::int", [0], kept=True)])
    statements.together([plus(1)])
    assert planned() == 1


def test_nothing_stays_set():
    names = ("enable_seqscan", "enable_sort", "plan_cache_mode", "work_mem")
    before = [_setting(name) for name in names]
    statement = Statement("SELECT current_setting('work_mem')", [], {"work_mem": "'8765kB'"})
    for _inside in range(2):
        assert statements.together([statement]) == [[("8765kB",)]]
        assert [_setting(name) for name in names] == before
        with transaction.atomic():
            assert statements.together([statement]) == [[("8765kB",)]]
            assert [_setting(name) for name in names] == before


def _setting(name: str) -> str:
    return str(statements.rows("SELECT current_setting(%s)", [name])[0][0])
