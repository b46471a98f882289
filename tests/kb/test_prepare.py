"""What is made before anything starts."""

import json
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from embeddings import endpoint, reranking
from embeddings.models import Space
from kb.models import AccessToken, User
from tests.embeddings import rerankers, scripted

pytestmark = pytest.mark.django_db


def test_it_makes_an_administrator_once(capsys):
    call_command("prepare", "--quiet")
    made = json.loads(capsys.readouterr().out)
    assert User.objects.get(username=made["admin"]).check_password(made["password"])
    token = AccessToken.objects.presented(made["token"])
    assert token is not None
    assert token.user.is_superuser
    assert Space.objects.count() == 1
    call_command("prepare", "--quiet")
    assert capsys.readouterr().out == ""


def test_a_token_from_the_environment_works_until_it_is_revoked(monkeypatch, capsys):
    secret = "a-token-from-the-environment"
    call_command("prepare", "--quiet")
    monkeypatch.setenv("KB_ADMIN_TOKEN", secret)
    call_command("prepare", "--quiet")
    assert AccessToken.objects.presented(secret)
    AccessToken.objects.update(revoked_at=timezone.now())
    call_command("prepare", "--quiet")
    assert AccessToken.objects.presented(secret) is None


class TestReranker:
    @pytest.fixture(autouse=True)
    def _server(self, settings, monkeypatch) -> Iterator[None]:
        monkeypatch.setattr(endpoint, "_FIRST_PAUSE", 0.001)
        with rerankers.Server().running() as self.server:
            settings.RERANKER_URL = self.server.url
            reranking._on_server.cache_clear()
            yield
        reranking._on_server.cache_clear()

    def test_one_that_is_none_stops_the_start_with_a_sentence(self):
        self.server.usually = scripted.refusing(401)
        with pytest.raises(CommandError, match="set RERANKER_API_KEY"):
            call_command("prepare", "--quiet")

    def test_one_that_is_away_does_not(self, caplog):
        self.server.usually = scripted.refusing(500)
        call_command("prepare", "--quiet")
        assert "Nothing is reranked" in caplog.text

    def test_one_that_answers_is_nothing_to_speak_of(self, caplog):
        call_command("prepare", "--quiet")
        assert "reranked" not in caplog.text
