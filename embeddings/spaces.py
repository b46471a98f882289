"""The space the settings ask for, its row, its tokenizer and its encoder. One process has at most one of each."""

import uuid
from functools import cache
from pathlib import Path

from django.conf import settings

from embeddings import estimates, fingerprint, hashing, tokens
from embeddings.encoder import Encoder, Tokenizer
from embeddings.models import Space

HASHING = "hashing"
"""The deterministic encoder: tests of everything but meaning run on it."""


_NAMESPACE = uuid.UUID("5f0c4f7e-3d7b-4f0e-9a53-0c1f3a0e7c11")


class NoSpace(Exception):
    """There is no space for the configured encoder yet: run `manage.py prepare`."""


@cache
def folder() -> Path:
    """The local folder of the configured model: built, downloaded, or simply there."""
    return tokens.prepare(settings.EMBEDDING_MODEL, settings.DATA_DIR)


@cache
def description() -> fingerprint.Description:
    """What the configured encoder is, without loading it."""
    if settings.EMBEDDING_MODEL == HASHING:
        return hashing.HashingEncoder(settings.EMBEDDING_DIMENSIONS or hashing.DIMENSIONS).description
    return fingerprint.of_folder(folder(), dimensions=settings.EMBEDDING_DIMENSIONS, dtype=settings.EMBEDDING_DTYPE)


@cache
def tokenizer() -> Tokenizer:
    """What passages are measured with: the tokenizer that the settings name, else the encoder's own. Loads no torch."""
    if settings.EMBEDDING_TOKENIZER == estimates.NAME:
        return estimates.EstimatingTokenizer()
    if settings.EMBEDDING_TOKENIZER:
        return tokens.load_alone(Path(settings.EMBEDDING_TOKENIZER))
    if settings.EMBEDDING_MODEL == HASHING:
        return hashing.HashingEncoder().tokenizer
    return tokens.load(folder())


def load_encoder() -> Encoder:
    """The configured encoder itself. Only the process that serves encodings calls this: it loads torch."""
    if settings.EMBEDDING_MODEL == HASHING:
        return hashing.HashingEncoder(settings.EMBEDDING_DIMENSIONS or hashing.DIMENSIONS)
    from embeddings.local import LocalEncoder  # the only door to torch

    return LocalEncoder(folder(), dimensions=settings.EMBEDDING_DIMENSIONS, dtype=settings.EMBEDDING_DTYPE)


def identity() -> uuid.UUID:
    """The id of the configured encoder's space. Made from its fingerprint, so that every process of every
    installation gives the same space the same id, without asking anyone."""
    return uuid.uuid5(_NAMESPACE, description().fingerprint)


def ensure() -> Space:
    """The row of the configured encoder's space, made if it is new."""
    about = description()
    space, _ = Space.objects.get_or_create(
        fingerprint=about.fingerprint,
        defaults={
            "id": identity(),
            "name": f"{about.name} · {about.dimensions} · {about.dtype} · {about.fingerprint[:8]}",
            "model": settings.EMBEDDING_MODEL,
            "dimensions": about.dimensions,
            "dtype": about.dtype,
            "pooling": about.pooling,
            "query_prompt": about.query_prompt,
            "passage_prompt": about.passage_prompt,
            "max_tokens": about.max_tokens,
        },
    )
    return space


def current() -> Space:
    """The newest space of the configured encoder, as `prepare` left it. Touches no model file, so a web process may
    ask. Raises NoSpace."""
    spaces = Space.objects.filter(model=settings.EMBEDDING_MODEL)
    if settings.EMBEDDING_DIMENSIONS:
        spaces = spaces.filter(dimensions=settings.EMBEDDING_DIMENSIONS)
    space = spaces.order_by("-created_at").first()
    if space is None:
        raise NoSpace(f"There is no space for {settings.EMBEDDING_MODEL} yet: run `python manage.py prepare`.")
    return space
