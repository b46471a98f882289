"""Spaces: the one the settings ask for, and any other; their rows, tokenizers and encoders."""

import threading
import uuid
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from django.conf import settings
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from embeddings import estimates, fingerprint, hashing, tokens
from embeddings.cutting import CutEncoder
from embeddings.encoder import Encoder, EncoderError, Tokenizer
from embeddings.fingerprint import Description
from embeddings.models import Space

if TYPE_CHECKING:
    from embeddings.local import LocalEncoder

HASHING = "hashing"
"""The deterministic encoder: tests of everything but meaning run on it."""


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
    return fingerprint.of_folder(_folder(model), dimensions=dimensions, dtype=dtype or settings.EMBEDDING_DTYPE)


@cache
def description() -> Description:
    """What the configured encoder is, without loading it."""
    return describe(settings.EMBEDDING_MODEL, dimensions=settings.EMBEDDING_DIMENSIONS)


@cache
def tokenizer() -> Tokenizer:
    """What passages are measured with where the configured encoder is used: the tokenizer that the settings name, else
    the encoder's own. Loads no torch."""
    if settings.EMBEDDING_TOKENIZER == estimates.NAME:
        return estimates.EstimatingTokenizer()
    if settings.EMBEDDING_TOKENIZER:
        return tokens.load_alone(Path(settings.EMBEDDING_TOKENIZER))
    return _tokenizer_in(settings.EMBEDDING_MODEL)


def tokenizer_of(space: Space) -> Tokenizer:
    """What passages for a space are measured with; an estimate where its model cannot be had on this machine."""
    if space.model == settings.EMBEDDING_MODEL:
        return tokenizer()
    return _other_tokenizer(space.model, space.passage_prompt)


@cache
def _other_tokenizer(model: str, passage_prompt: str) -> Tokenizer:
    try:
        return _tokenizer_in(model)
    except EncoderError:
        return estimates.EstimatingTokenizer(passage_prompt)


def _tokenizer_in(model: str) -> Tokenizer:
    return hashing.HashingEncoder().tokenizer if model == HASHING else tokens.load(_folder(model))


def _folder(model: str) -> Path:
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
    return of(settings.EMBEDDING_MODEL, description())


def keep(space: Space) -> Space:
    """The row of a space, made if it is new. The model is remembered under the name it was last asked for by."""
    kept, _new = Space.objects.get_or_create(
        fingerprint=space.fingerprint,
        defaults={field.attname: getattr(space, field.attname) for field in Space._meta.concrete_fields},
    )
    if kept.model != space.model:
        kept.model = space.model
        kept.save(update_fields=["model"])
    return kept


def ensure() -> Space:
    """The row of the configured encoder's space, made if it is new: the one that new collections take."""
    space = keep(configured())
    Space.objects.filter(pk=space.pk).update(configured_at=Now())
    return space


def current() -> Space:
    """The space of the configured encoder, as `prepare` left it. Touches no model file, so a web process may ask.
    Raises NoSpace."""
    spaces = Space.objects.filter(model=settings.EMBEDDING_MODEL, configured_at__isnull=False)
    if settings.EMBEDDING_DIMENSIONS:
        spaces = spaces.filter(dimensions=settings.EMBEDDING_DIMENSIONS)
    space = spaces.order_by("-configured_at").first()
    if space is None:
        raise NoSpace(f"There is no space for {settings.EMBEDDING_MODEL} yet: run `python manage.py prepare`.")
    return space


# --- Encoders ---


def load_encoder(space: Space) -> Encoder:
    """The encoder of a space. Only the process that serves encodings calls this: it loads torch.

    Spaces that differ in dimensions only share one loaded model. Raises EncoderError when the model cannot be had, or
    when its fingerprint is not the space's: what it gives must not stand among that space's embeddings.
    """
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
            encoder = _loaded[model, dtype] = LocalEncoder(_folder(model), dtype=dtype)
    return encoder


def _cut(whole: "LocalEncoder", dimensions: int) -> Encoder:
    if dimensions == whole.dimensions:
        return whole
    return CutEncoder(whole, dimensions, whole.description.cut(dimensions).fingerprint)
