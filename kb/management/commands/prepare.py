"""`manage.py prepare`: everything the processes need before they start. Safe to run again, and at every start."""

import json
import logging
import os
import secrets
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from embeddings import reranking, spaces
from embeddings.encoder import EncoderError, EncoderUnavailable
from embeddings.reranker import RerankerError
from kb.models import AccessToken, User

log = logging.getLogger(__name__)

OLDEST_PGVECTOR = (0, 8)
"""Iterative index scans came with 0.8.0: without them a filtered search returns too few."""


class Command(BaseCommand):
    help = "Migrate, build the encoder and its space, and make an administrator if there is none."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--quiet", action="store_true", help="Print only the new administrator, as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        _check_pgvector()
        call_command("migrate", verbosity=0 if options["quiet"] else 1, interactive=False)
        _prepare_space()
        _prepare_reranker()
        created = _make_administrator()
        if created:
            self.stdout.write(json.dumps(created))


def _check_pgvector() -> None:
    """Raises CommandError when the server cannot give pgvector 0.8 or newer."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT coalesce((SELECT extversion FROM pg_extension WHERE extname = 'vector'),
                               (SELECT default_version FROM pg_available_extensions WHERE name = 'vector'))"""
        )
        (version,) = cursor.fetchone()
    if version is None:
        raise CommandError("The database server has no pgvector: install it (0.8 or newer).")
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_PGVECTOR:
        raise CommandError(
            f"The database has pgvector {version}; 0.8 or newer is needed (then ALTER EXTENSION vector UPDATE)."
        )


def _prepare_space() -> None:
    """Raises CommandError when the settings ask for an encoder that is none. One on a server that only does not answer
    now is waited for while everything else works, if it has been here before."""
    try:
        spaces.ensure()
    except EncoderError as error:
        raise CommandError(str(error)) from error
    except EncoderUnavailable as error:
        try:
            spaces.current()
        except spaces.NoSpace:
            raise CommandError(str(error)) from error
        log.warning("Nothing is embedded until this is put right: %s", error)


def _prepare_reranker() -> None:
    """Raises CommandError when the settings ask for a reranker that is none. Searches go on without one that only does
    not answer now."""
    try:
        reranking.prepare()
    except RerankerError as error:
        raise CommandError(str(error)) from error
    except EncoderUnavailable as error:
        log.warning("Nothing is reranked until this is put right: %s", error)


def _make_administrator() -> dict[str, str] | None:
    """The first administrator with password and token, or None when there is one already."""
    if User.objects.filter(is_superuser=True).exists():
        _take_token_from_environment()
        return None
    name = os.environ.get("KB_ADMIN_USER") or "admin"
    password = os.environ.get("KB_ADMIN_PASSWORD") or secrets.token_urlsafe(12)
    user = User.objects.create_superuser(name, password=password)
    _token, secret = AccessToken.objects.issue(
        user, "first administrator", scopes=["manage"], secret=os.environ.get("KB_ADMIN_TOKEN", "")
    )
    return {"admin": name, "password": password, "token": secret}


def _take_token_from_environment() -> None:
    """KB_ADMIN_TOKEN works from the next start on, also where the administrator was made before it was set."""
    secret = os.environ.get("KB_ADMIN_TOKEN", "")
    if not secret or AccessToken.objects.known(secret):
        return  # one that was revoked stays revoked
    name = os.environ.get("KB_ADMIN_USER") or "admin"
    user = User.objects.filter(username=name, is_superuser=True).first()
    if user is not None:
        AccessToken.objects.issue(user, "from the environment", scopes=["manage"], secret=secret)
