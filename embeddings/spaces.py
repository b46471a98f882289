"""Spaces: the one the settings ask for, and any other; their rows, tokenizers and encoders."""

import threading
import uuid
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from embeddings import bundled, devices, estimates, fingerprint, hashing, offer, probe, prompts, tokens
from embeddings.cutting import CutEncoder
from embeddings.encoder import Encoder, EncoderError, Tokenizer
from embeddings.endpoint import Endpoint
from embeddings.fingerprint import Description
from embeddings.models import Space
from embeddings.remote import RemoteEncoder

if TYPE_CHECKING:
    from embeddings.local import LocalEncoder

HASHING = "hashing"
"""The deterministic encoder: tests of everything but meaning run on it."""


MOST_DIMENSIONS = 4_000
"""What an index of pgvector's halfvec takes."""

_NAMESPACE = uuid.UUID("5f0c4f7e-3d7b-4f0e-9a53-0c1f3a0e7c11")


class NoSpace(Exception):
    """There is no space for the configured encoder yet: run `manage.py prepare`."""


# --- What an encoder is, without loading it ---


def describe(model: str, *, dimensions: int | None = None, dtype: str | None = None) -> Description:
    """What the encoder of a model is, read from its files; `dtype` is by default the configured one.

    Downloads or builds what is not on this machine. Raises EncoderError, with a sentence.
    """
    if model == HASHING:
        return hashing.HashingEncoder(dimensions or hashing.DIMENSIONS).description
    return fingerprint.of_folder(folder(model), dimensions=dimensions, dtype=dtype or settings.EMBEDDING_DTYPE)


@cache
def description() -> Description:
    """What the configured encoder is, without loading it. Raises EncoderError, or EncoderUnavailable of a server."""
    if settings.EMBEDDING_URL:
        return offer.describe(
            _endpoint(settings.EMBEDDING_URL),
            settings.EMBEDDING_MODEL,
            prompts_of=_prompts,
            dimensions=settings.EMBEDDING_DIMENSIONS,
            max_tokens=settings.EMBEDDING_MAX_TOKENS,
        )
    return describe(settings.EMBEDDING_MODEL, dimensions=settings.EMBEDDING_DIMENSIONS)


@cache
def tokenizer() -> Tokenizer:
    """What passages are measured with where the configured encoder is used: the tokenizer that the settings name, else
    the encoder's own. Loads no torch and asks no network. Raises EncoderError."""
    if settings.EMBEDDING_TOKENIZER == estimates.NAME:
        return estimates.EstimatingTokenizer()
    if settings.EMBEDDING_TOKENIZER:
        return tokens.load_alone(Path(settings.EMBEDDING_TOKENIZER))
    if settings.EMBEDDING_URL:
        return estimates.EstimatingTokenizer(current().passage_prompt)
    return _tokenizer_in(settings.EMBEDDING_MODEL)


def tokenizer_of(space: Space) -> Tokenizer:
    """What passages for a space are measured with; an estimate where its encoder is on another server. Raises
    EncoderError where its model is not on this machine: on others the same text would be cut elsewhere."""
    if space.url == settings.EMBEDDING_URL and (space.url or space.model == settings.EMBEDDING_MODEL):
        return tokenizer()
    if space.url:
        return estimates.EstimatingTokenizer(space.passage_prompt)
    return _tokenizer_in(space.model)


@cache
def _tokenizer_in(model: str) -> Tokenizer:
    """Of what is on this machine: whoever reads a file does not wait for a download."""
    if model == HASHING:
        return hashing.HashingEncoder().tokenizer
    return tokens.load(tokens.find(model, settings.DATA_DIR))


def folder(model: str) -> Path:
    """The local folder of a model: built, downloaded, or simply there."""
    return tokens.prepare(model, settings.DATA_DIR)


# --- Rows ---


def identity(about: Description) -> uuid.UUID:
    """The id of an encoder's space. Made from its fingerprint, so that every process of every installation gives the
    same space the same id, without asking anyone."""
    return uuid.uuid5(_NAMESPACE, about.fingerprint)


def of(model: str, about: Description) -> Space:
    """The space of an encoder, not saved."""
    return Space(
        id=identity(about),
        name=f"{about.name} · {about.dimensions} · {about.dtype} · {about.fingerprint[:8]}",
        model=model,
        fingerprint=about.fingerprint,
        dimensions=about.dimensions,
        dtype=about.dtype,
        pooling=about.pooling,
        query_prompt=about.query_prompt,
        passage_prompt=about.passage_prompt,
        max_tokens=about.max_tokens,
    )


def configured() -> Space:
    """The space of the configured encoder, not saved: asks no database."""
    about = description()
    space = of(about.name if settings.EMBEDDING_URL else settings.EMBEDDING_MODEL, about)
    space.url = settings.EMBEDDING_URL
    return space


def keep(space: Space) -> Space:
    """The row of a space, made if it is new. Its model is remembered by where it was last asked for. Raises
    EncoderError."""
    if space.dimensions > MOST_DIMENSIONS:
        raise EncoderError(
            f"{space.model} gives {space.dimensions} dimensions, and a space holds {MOST_DIMENSIONS} at most: "
            "set EMBEDDING_DIMENSIONS."
        )
    kept, _new = Space.objects.update_or_create(
        fingerprint=space.fingerprint,
        defaults={"model": space.model, "url": space.url, "max_tokens": space.max_tokens},
        create_defaults={field.attname: getattr(space, field.attname) for field in Space._meta.concrete_fields},
    )
    return kept


def ensure() -> Space:
    """The row of the configured encoder's space, made if it is new: the one that new collections take.

    Raises EncoderError, or EncoderUnavailable where a server's model is not the one that the space was made with.
    """
    space = keep(configured())
    space.configured_at = timezone.now()
    space.save(update_fields=["configured_at"])
    if space.url:
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
    space = spaces.filter(configured_at__isnull=False).order_by("-configured_at").first()
    if space is None:
        encoder = settings.EMBEDDING_URL or settings.EMBEDDING_MODEL
        raise NoSpace(f"There is no space for {encoder} yet: run `python manage.py prepare`.")
    return space


def model_name(space: Space) -> str:
    """What others call the model of a space: a folder by its own name, not by where it lies."""
    if space.model == devices.BUNDLED:
        return bundled.NAME
    return space.model if space.url or tokens.is_hub_name(space.model) else Path(space.model).name


# --- Encoders ---


def load_encoder(space: Space) -> Encoder:
    """The encoder of a space. Only the process that serves encodings calls this: it loads torch.

    Spaces that differ in dimensions only share one loaded model. Raises EncoderError when the model cannot be had, or
    when its fingerprint is not the space's: what it gives must not stand among that space's embeddings. Raises
    EncoderUnavailable of a server that does not answer, or that has another model.
    """
    if space.url:
        kept = keep(space)
        _know_again(kept)
        return _on_server(kept)
    if space.model == HASHING:
        encoder: Encoder = hashing.HashingEncoder(space.dimensions)
    else:
        encoder = _cut(_local(space.model, space.dtype), space.dimensions)
    if encoder.fingerprint != space.fingerprint:
        raise EncoderError(
            _("The files of the model %(model)s are not those that the space %(space)s was made with.")
            % {"model": space.model, "space": space.name}
        )
    return encoder


_loaded: "WeakValueDictionary[tuple[str, str], LocalEncoder]" = WeakValueDictionary()
"""A model stays as long as someone serves a space with it."""
_loading = threading.Lock()


def _local(model: str, dtype: str) -> "LocalEncoder":
    """The encoder of a model at all its dimensions. Its files are hashed when it is made."""
    from embeddings.local import LocalEncoder  # the only door to torch

    with _loading:
        encoder = _loaded.get((model, dtype))
        if encoder is None:
            encoder = _loaded[model, dtype] = LocalEncoder(
                folder(model), dtype=dtype, compiler="inductor" if settings.EMBEDDING_COMPILE else ""
            )
    return encoder


def _cut(whole: "LocalEncoder", dimensions: int) -> Encoder:
    if dimensions == whole.dimensions:
        return whole
    return CutEncoder(whole, dimensions, whole.description.cut(dimensions).fingerprint)


# --- Encoders on a server ---


def direct(space_id: uuid.UUID) -> RemoteEncoder | None:
    """The encoder of a space, where any process may ask it because it is on a server. None where only the process that
    loaded the model can, and of a server that has not been probed yet."""
    if not settings.EMBEDDING_URL:
        return None
    try:
        return _probed(space_id)
    except Space.DoesNotExist:
        return None


@cache
def _probed(space_id: uuid.UUID) -> RemoteEncoder:
    """Raises Space.DoesNotExist, which is not kept: the space or its probe may be there a moment later."""
    return _on_server(Space.objects.get(pk=space_id, url=settings.EMBEDDING_URL, probe__isnull=False))


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
    return RemoteEncoder(_endpoint(space.url), about, tokenizer=tokenizer_of(space), known=known)


@cache
def _endpoint(url: str) -> Endpoint:
    """The key is for the configured server and nobody else."""
    return Endpoint(url, settings.EMBEDDING_API_KEY if url == settings.EMBEDDING_URL else "")


def _prompts(name: str) -> prompts.Prompts:
    """Those of the settings before those that the model's name tells."""
    told = prompts.of_model(name)
    query, passage = settings.EMBEDDING_QUERY_PROMPT, settings.EMBEDDING_PASSAGE_PROMPT
    return prompts.Prompts(told.query if query is None else query, told.passage if passage is None else passage)
