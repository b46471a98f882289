"""The benchmark of search runs, prints what it measures and keeps nothing; how fast it was is nobody's to assert."""

import json
import re
from io import StringIO

import pytest
from django.core.management import call_command

from kb.models import Chunk, Collection, Embedding

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_works():
    printed = StringIO()
    arguments = ("--chunks", "200", "400", "--dimensions", "16", "--queries", "10")
    call_command("bench", "search", *arguments, "--json", stdout=printed)
    for figures in json.loads(printed.getvalue()).values():
        assert figures["bare index"]["p50"] > 0
        assert figures["hybrid, round trips to the database"] >= figures["semantic, round trips to the database"]
        assert figures["recall@10, 100 % in scope"] >= 0.9
    assert not any(model.objects.exists() for model in (Chunk, Collection, Embedding))
    call_command("bench", "search", *arguments, stdout=printed)
    assert re.search(r"400 chunks beside 200, hybrid, times at p50  [\d.]+ \(goal: 2 or less\)", printed.getvalue())
    assert re.search(r"hybrid, times the bare index +[\d.]+ \(goal: 2 or less\)", printed.getvalue())
    assert re.search(r"recall@10, 0.05 % in scope +[\d.]+ \(goal: 0.95 or more\)", printed.getvalue())
