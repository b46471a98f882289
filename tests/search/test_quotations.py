"""A citation written out to be copied."""

import re
import uuid

import pytest
from django.test import Client
from django.urls import reverse

from kb.models import Chunk
from search import citations, quotations

pytestmark = pytest.mark.django_db

ADDRESS = "https://example.org/documents/1/?revision=1&chars=0-9#passage"


@pytest.fixture
def chunk(upload, work) -> Chunk:
    upload("tides.md", "# The moon\n\nThe moon pulls the sea.\n", title="Tides_ & 100 % {true} [1]")
    work()
    return Chunk.objects.select_related("revision__document__collection").get()


def test_each_form_names_the_place_and_opens_it(chunk):
    citation = citations.of(chunk)
    written = quotations.of(citation, citation.label, ADDRESS)
    assert written.text == f"Tides_ & 100 % {{true}} [1], The moon (Field notes, revision 1). {ADDRESS}"
    assert written.markdown == rf"[Tides\_ & 100 % {{true}} \[1\], The moon](<{ADDRESS}>)"
    assert written.bibtex == (
        f"@misc{{tides_-100-true-1-{str(chunk.pk)[:8]}, title = {{{{Tides\\_ \\& 100 \\% \\{{true\\}} [1]}}}}, "
        f"howpublished = {{Field notes}}, edition = {{1}}, note = {{The moon}}, url = {{{ADDRESS}}}}}"
    )


@pytest.mark.parametrize("form", ["text", "markdown", "bibtex"])
def test_each_is_one_line(chunk, form):
    citation = citations.of(chunk)
    assert "\n" not in getattr(quotations.of(citation, citation.label, ADDRESS), form)


def test_the_page_gives_a_whole_address_that_opens_the_passage(alice, chunk):
    client = Client()
    client.force_login(alice)
    page = client.get(reverse("citation", args=[chunk.pk])).content.decode()
    address = re.search(r"&lt;(http://testserver[^<]*)#passage&gt;", page)
    assert address
    opened = client.get(address[1].replace("&amp;", "&")).content.decode()
    assert "The moon pulls the sea." in opened.partition('id="passage"')[2]


def test_a_stranger_gets_what_a_missing_passage_gives(charlie, chunk):
    client = Client()
    client.force_login(charlie)
    hidden, missing = (client.get(reverse("citation", args=[pk])) for pk in (chunk.pk, uuid.uuid4()))
    assert hidden.status_code == missing.status_code == 404
    assert "Tides" not in hidden.content.decode()
