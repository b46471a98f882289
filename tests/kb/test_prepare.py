"""What is made before anything starts."""

import json

import pytest
from django.core.management import call_command
from django.utils import timezone

from embeddings.models import Space
from kb.models import AccessToken, User

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
