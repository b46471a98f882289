"""A collection is switched to another space and back while people search and upload: no error, nothing missing, and no
answer in which passages were compared with a query of another space."""

import threading
from collections.abc import Callable, Iterator

import pytest
from django.core.files.base import ContentFile
from django.db import connections

from embeddings import queries, serving, spaces
from embeddings.models import Space
from kb import ingestion, reembedding
from kb.models import Chunk, Collection, Stage
from search import retrieval
from search.hits import Answer, Query
from tests.conftest import ANSWERED
from tests.kb.test_doctor import examine

pytestmark = pytest.mark.django_db(transaction=True)

PASSAGES = [f"The ferry number {n} sails to island {n * 7} at dawn." for n in range(40)]
QUERY = "which ferry sails to island 49"


@pytest.fixture
def both(space: Space, answering: None) -> Iterator[tuple[Space, Space]]:
    """Two spaces of different sizes, both answered for."""
    other = spaces.keep(spaces.of("hashing", spaces.describe("hashing", dimensions=128)))
    ANSWERED.append(other)
    serving.server(other)
    while not queries.is_answering(other.pk):
        pass
    yield space, other
    ANSWERED.remove(other)


class Load:
    """Threads that do the same again and again until they are told to stop, and what went wrong in them."""

    def __init__(self, *actions: Callable[[], None]) -> None:
        self.errors: list[Exception] = []
        self.rounds = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._repeat, args=(action,)) for action in actions]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, action: Callable[[], None]) -> None:
        try:
            while not self._stop.is_set():
                action()
                self.rounds += 1
        except Exception as error:
            self.errors.append(error)
        finally:
            connections.close_all()


def own_scores(both: tuple[Space, Space]) -> list[dict[str, float]]:
    """What each passage scores for the query, in either space."""
    texts = list(Chunk.objects.values_list("text", flat=True).distinct())
    scores = []
    for space in both:
        encoder = serving.server(space).encoder
        products = encoder.encode_passages(texts) @ encoder.encode_queries([QUERY])[0]
        scores.append(dict(zip(texts, products.tolist(), strict=True)))
    return scores


def is_of(answer: Answer, scores: dict[str, float]) -> bool:
    return all(hit.scores.semantic == pytest.approx(scores[hit.text], abs=2e-3) for hit in answer.hits)


def test_it_works(both, collection, alice, work):
    for n, passage in enumerate(PASSAGES):
        ingestion.receive(collection, ContentFile(passage.encode()), f"{n}.txt", user=alice)
    work()
    answers: list[Answer] = []
    uploaded: list[str] = []

    def search() -> None:
        answers.append(retrieval.search(alice, Query(QUERY, mode="semantic", limit=100, balance_languages=False)))

    def upload() -> None:
        if len(uploaded) < 60:
            text = f"Late ferry {len(uploaded)} sails to island 49."
            uploaded.append(text)
            ingestion.receive(collection, ContentFile(text.encode()), f"late{len(uploaded)}.txt", user=alice)
        ingestion.read_next()

    def embed() -> None:
        ingestion.embed_next()
        ingestion.sweep()

    with Load(search, search, upload, embed, embed) as load:
        one = reembedding.start(collection, both[1], user=alice)
        for stage, act in [
            (Stage.BUILT, reembedding.switch),
            (Stage.SWITCHED, reembedding.roll_back),
            (Stage.BUILT, reembedding.switch),
            (Stage.SWITCHED, None),
        ]:
            while one.state != stage and not load.errors:
                one.refresh_from_db()
            if act is not None:
                act(one)
    assert load.errors == []
    work()
    assert Collection.objects.get().active_space == both[1]
    live, other = own_scores(both)
    mixed = [answer for answer in answers if not is_of(answer, live) and not is_of(answer, other)]
    assert (len(mixed), {answer.degraded for answer in answers}) == (0, {""})
    assert min(len(answer.hits) for answer in answers) >= len(PASSAGES)
    assert any(is_of(answer, live) for answer in answers)
    assert any(is_of(answer, other) for answer in answers)
    found = {hit.text for hit in retrieval.search(alice, Query(QUERY, mode="semantic", limit=100)).hits}
    assert found >= set(uploaded[-50:])
    assert "All is well" in examine()
