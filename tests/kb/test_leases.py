"""What a worker has leased is found without looking at all that waits."""

import uuid
from typing import Any

import pytest
from django.db import connection

from kb import storing

pytestmark = pytest.mark.django_db

OURS: Any = {"token": uuid.uuid4(), "lease": 60, "pause": 5, "chunks": [uuid.uuid4()], "space": uuid.uuid4()}


@pytest.mark.parametrize("statement", [storing._RENEW, storing._PUT_BACK, storing._FINISH])
def test_it_works(statement):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {statement}", OURS)
        plan = "".join(line for (line,) in cursor.fetchall())
    assert "Seq Scan on kb_embeddingwork" not in plan
    assert any(index in plan for index in ("work_of_lease", "work_once_a_chunk_and_space"))
