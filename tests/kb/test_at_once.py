"""What people and workers do to the same document at the same moment."""

import uuid
from collections.abc import Callable
from threading import Barrier, Thread

import pytest
from django.core.files.base import ContentFile
from django.db import connections

from embeddings import serving
from kb import ingestion, storing
from kb.ingestion import embedding
from kb.models import Document, EmbeddingWork, State

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "\n\n".join(f"# Heading {n}\n\nWords number {n} are here to be read." for n in range(300))


def together(*actions: Callable[[], object]) -> list[object]:
    """What each returned or raised, all started at once, each with a connection of its own."""
    outcomes: list[object] = [None] * len(actions)
    start = Barrier(len(actions))

    def run(place: int) -> None:
        start.wait()
        try:
            outcomes[place] = actions[place]()
        except Exception as error:
            outcomes[place] = error
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=(place,)) for place in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def embed_all() -> None:
    server = serving.server()
    token = uuid.uuid4()
    while work := storing.claim_work(server.space_id, token, 2_000):
        embedding.write(server.space_id, token, work, server.encode_passages([one.text for one in work]))


@pytest.mark.parametrize("attempt", range(4))
def test_embedding_and_cancelling(upload, attempt):
    document = upload("long.md", f"{LONG} {attempt}")
    ingestion.read_next()
    outcomes = together(embed_all, lambda: ingestion.cancel(document))
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert document.newest.state in (State.CANCELLED, State.READY)
    assert not EmbeddingWork.objects.exists()


@pytest.mark.parametrize("attempt", range(4))
def test_embedding_and_deleting(upload, attempt):
    document = upload("long.md", f"{LONG} {attempt}")
    ingestion.read_next()
    outcomes = together(embed_all, lambda: ingestion.remove(Document.objects.filter(pk=document.pk)))
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert not Document.objects.exists()


def test_the_same_file_eight_times(collection, alice):
    def receive() -> object:
        return ingestion.receive(collection, ContentFile(LONG.encode()), "long.md", user=alice).created

    outcomes = together(*[receive] * 8)
    assert sorted(outcomes, key=str) == [False] * 7 + [True]
    assert Document.objects.count() == 1


def test_two_workers_share_what_is_due(upload):
    for n in range(4):
        upload(f"{n}.md", f"{LONG} {n}")
    while ingestion.read_next():
        pass
    outcomes = together(embed_all, embed_all)
    assert outcomes == [None, None]
    assert not Document.objects.unfinished().exists()
