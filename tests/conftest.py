"""People, a collection, and hands that do the workers' work, for every test.

alice owns, bob shares, charlie never.
"""

import gc
import os
from collections.abc import Callable, Iterator

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import translation
from rest_framework.test import APIClient

from embeddings import queries, serving, spaces
from embeddings.models import Space
from kb import ingestion
from kb.models import AccessToken, Collection, Document, Membership, Role, User
from search import beside

Upload = Callable[..., Document]

ANSWERED: list[Space] = []
"""Spaces that queries are answered for beside the configured one."""


@pytest.fixture(autouse=True)
def _folders(settings) -> None:
    for folder in (settings.MEDIA_ROOT, settings.FILE_UPLOAD_TEMP_DIR, settings.STATIC_ROOT):
        folder.mkdir(parents=True, exist_ok=True)
    settings.DISK_RESERVE = 0
    # The real ones are slow on purpose, and nothing here is worth guarding.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Nothing collects the static files for the tests; they are served from where they lie.
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture(autouse=True)
def _language() -> Iterator[None]:
    """A request leaves its language behind in its thread, here that of the tests."""
    yield
    translation.deactivate()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """At the end nobody else is connected to the database, so that it can be dropped."""
    yield
    beside.threads(os.getpid()).shutdown()
    gc.collect()  # a connection is closed with its thread


@pytest.fixture
def space(db) -> Space:
    return spaces.ensure()


@pytest.fixture
def alice(db) -> User:
    return User.objects.create_user("alice", password="alice-password")


@pytest.fixture
def bob(db) -> User:
    return User.objects.create_user("bob", password="bob-password")


@pytest.fixture
def charlie(db) -> User:
    return User.objects.create_user("charlie", password="charlie-password")


@pytest.fixture
def collection(alice: User, space: Space) -> Collection:
    return Collection.objects.create(name="Field notes", owner=alice, active_space=space)


@pytest.fixture
def shared_with_bob(collection: Collection, bob: User) -> Membership:
    return Membership.objects.create(collection=collection, user=bob, role=Role.VIEWER)


@pytest.fixture
def upload(collection: Collection, alice: User) -> Upload:
    """Receive a file as alice; the collection can be given. Nothing has read it yet."""

    def receive(filename: str, content: bytes | str, into: Collection = collection, **more: object) -> Document:
        data = content.encode() if isinstance(content, str) else content
        user = more.pop("user", alice)
        return ingestion.receive(into, ContentFile(data), filename, user=user, **more).document  # type: ignore[arg-type]

    return receive


@pytest.fixture
def work() -> Callable[[], None]:
    """Do all that is due, as the workers would."""

    def do() -> None:
        while ingestion.read_next() or ingestion.embed_next():
            pass

    return do


@pytest.fixture(scope="module")
def answering() -> Iterator[None]:
    """The encoder answers queries, as it does in the embed worker; in the next file nobody does."""
    own = spaces.configured()  # once: a test that sets another encoder has that one for itself
    thread = serving.Answering(lambda: [own, *ANSWERED])
    while not queries.is_answering(own.pk):
        pass
    yield
    thread.stop()
    queries.connect().delete(queries._pulse_key(own.pk))


def client_of(user: User, *, scopes: tuple[str, ...] = ("manage",)) -> APIClient:
    """A program that carries a token of this person's."""
    _token, secret = AccessToken.objects.issue(user, "test", scopes=scopes)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def browser_of(user: User) -> Client:
    """A browser in which this person has signed in."""
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def api(alice: User) -> APIClient:
    return client_of(alice)
