"""The space the settings ask for, its row, its tokenizer and its encoder. One process has at most one of each."""

import uuid
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from embeddings import bundled, devices, estimates, fingerprint, hashing, offer, probe, prompts, tokens
from embeddings.encoder import Encoder, EncoderError, Tokenizer
from embeddings.endpoint import Endpoint
from embeddings.models import Space
from embeddings.remote import RemoteEncoder

HASHING = "hashing"
"""The deterministic encoder: tests of everything but meaning run on it."""


MOST_DIMENSIONS = 4_000
"""What an index of pgvector's halfvec takes."""

_NAMESPACE = uuid.UUID("5f0c4f7e-3d7b-4f0e-9a53-0c1f3a0e7c11")


class NoSpace(Exception):
    """There is no space for the configured encoder yet: run `manage.py prepare`."""


@cache
def folder() -> Path:
    """The local folder of the configured model: built, downloaded, or simply there."""
    return tokens.prepare(settings.EMBEDDING_MODEL, settings.DATA_DIR)


@cache
def description() -> fingerprint.Description:
    """What the configured encoder is, without loading it. Raises EncoderError, or EncoderUnavailable of a server."""
    if settings.EMBEDDING_URL:
        return offer.describe(
            _endpoint(),
            settings.EMBEDDING_MODEL,
            prompts_of=_prompts,
            dimensions=settings.EMBEDDING_DIMENSIONS,
            max_tokens=settings.EMBEDDING_MAX_TOKENS,
        )
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
    if settings.EMBEDDING_URL:
        return estimates.EstimatingTokenizer(current().passage_prompt)
    if settings.EMBEDDING_MODEL == HASHING:
        return hashing.HashingEncoder().tokenizer
    return tokens.load(folder())


def load_encoder() -> Encoder:
    """The configured encoder itself. Only the process that serves encodings calls this: it loads torch.
    Raises as `ensure` does."""
    if settings.EMBEDDING_URL:
        return _on_server(ensure())
    if settings.EMBEDDING_MODEL == HASHING:
        return hashing.HashingEncoder(settings.EMBEDDING_DIMENSIONS or hashing.DIMENSIONS)
    from embeddings.local import LocalEncoder  # the only door to torch

    return LocalEncoder(folder(), dimensions=settings.EMBEDDING_DIMENSIONS, dtype=settings.EMBEDDING_DTYPE)


def identity() -> uuid.UUID:
    """The id of the configured encoder's space. Made from its fingerprint, so that every process of every
    installation gives the same space the same id, without asking anyone."""
    return uuid.uuid5(_NAMESPACE, description().fingerprint)


def ensure() -> Space:
    """The row of the configured encoder's space, made if it is new.

    Raises EncoderError, or EncoderUnavailable where a server's model is not the one that the space was made with.
    """
    about = description()
    if about.dimensions > MOST_DIMENSIONS:
        raise EncoderError(
            f"{about.name} gives {about.dimensions} dimensions, and a space holds {MOST_DIMENSIONS} at most: "
            "set EMBEDDING_DIMENSIONS."
        )
    found = {
        "model": about.name if settings.EMBEDDING_URL else settings.EMBEDDING_MODEL,
        "url": settings.EMBEDDING_URL,
        "max_tokens": about.max_tokens,
        "configured_at": timezone.now(),
    }
    space, _ = Space.objects.update_or_create(
        fingerprint=about.fingerprint,
        defaults=found,
        create_defaults={
            **found,
            "id": identity(),
            "name": f"{about.name} · {about.dimensions} · {about.dtype} · {about.fingerprint[:8]}",
            "dimensions": about.dimensions,
            "dtype": about.dtype,
            "pooling": about.pooling,
            "query_prompt": about.query_prompt,
            "passage_prompt": about.passage_prompt,
        },
    )
    if settings.EMBEDDING_URL:
        _know_again(space)
    return space


def _know_again(space: Space) -> None:
    """The model on the server is the one whose embeddings the space has kept; a new space keeps them now."""
    if space.probe is not None:
        _on_server(space).verify()
        return
    space.probe = probe.to_bytes(_on_server(space).probe())
    space.save(update_fields=["probe"])


def current() -> Space:
    """The space of the configured encoder, as `prepare` last left it. Touches no model file and asks no server, so a
    web process may ask. Raises NoSpace."""
    spaces = Space.objects.filter(url=settings.EMBEDDING_URL)
    if not settings.EMBEDDING_URL:
        spaces = spaces.filter(model=settings.EMBEDDING_MODEL)
    if settings.EMBEDDING_DIMENSIONS:
        spaces = spaces.filter(dimensions=settings.EMBEDDING_DIMENSIONS)
    space = spaces.order_by(F("configured_at").desc(nulls_last=True), "-created_at").first()
    if space is None:
        encoder = settings.EMBEDDING_URL or settings.EMBEDDING_MODEL
        raise NoSpace(f"There is no space for {encoder} yet: run `python manage.py prepare`.")
    return space


@cache
def direct(space_id: uuid.UUID) -> RemoteEncoder | None:
    """The encoder of a space, where any process may ask it because it is on a server. None where only the process that
    loaded the model can."""
    if not settings.EMBEDDING_URL:
        return None
    space = Space.objects.filter(pk=space_id, url=settings.EMBEDDING_URL).first()
    return None if space is None else _on_server(space)


def model_name(space: Space) -> str:
    """What others call the model of a space: a folder by its own name, not by where it lies."""
    if space.model == devices.BUNDLED:
        return bundled.NAME
    return space.model if space.url or tokens.is_hub_name(space.model) else Path(space.model).name


def _on_server(space: Space) -> RemoteEncoder:
    about = fingerprint.Description(
        fingerprint=space.fingerprint,
        name=space.model,
        dimensions=space.dimensions,
        dtype=space.dtype,
        pooling=space.pooling,
        query_prompt=space.query_prompt,
        passage_prompt=space.passage_prompt,
        max_tokens=space.max_tokens,
        native_dimensions=space.dimensions,
    )
    known = None if space.probe is None else probe.from_bytes(bytes(space.probe), dimensions=space.dimensions)
    return RemoteEncoder(_endpoint(), about, tokenizer=tokenizer(), known=known)


@cache
def _endpoint() -> Endpoint:
    return Endpoint(settings.EMBEDDING_URL, settings.EMBEDDING_API_KEY)


def _prompts(name: str) -> prompts.Prompts:
    """Those of the settings before those that the model's name tells."""
    told = prompts.of_model(name)
    query, passage = settings.EMBEDDING_QUERY_PROMPT, settings.EMBEDDING_PASSAGE_PROMPT
    return prompts.Prompts(told.query if query is None else query, told.passage if passage is None else passage)
