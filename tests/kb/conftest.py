"""A browser in which alice has signed in, and a document to look at."""

import pytest
from django.test import Client

from kb.models import Document, User
from kb.reading.confined import children
from kb.reading.confined.children import Lost
from tests.conftest import browser_of

TIDES = "# Tides\n\nThe tide turns twice a day.\n\n## Moon\n\nThe moon pulls the sea.\n"


@pytest.fixture
def browser(alice: User) -> Client:
    return browser_of(alice)


@pytest.fixture
def tides(upload, work) -> Document:
    document = upload("tides.md", TIDES, title="Tides", tags=["sea"])
    work()
    return Document.objects.get(pk=document.pk)


@pytest.fixture
def cannot_read(monkeypatch):
    def fail(*_given, **_named):
        raise Lost

    monkeypatch.setattr(children, "start", fail)
