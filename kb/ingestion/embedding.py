"""Embed: units of waiting chunks across all documents are encoded, and their embeddings written."""

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta

from django.db import transaction

from embeddings import serving
from embeddings.encoder import Embeddings, EncoderError, EncoderOutOfMemory, EncoderUnavailable
from kb import storing
from kb.ingestion import lanes, publishing
from kb.reading.failures import Reason

log = logging.getLogger(__name__)

OUTAGE_PAUSE = timedelta(seconds=15)
"""So long at least is the work of an encoder left alone that does not answer."""

_claiming = threading.Lock()
"""A claim passes over what another is looking at: of two lanes at once one would find nothing where there is enough."""


def embed_while(go_on: Callable[[], bool]) -> None:
    """Embed unit by unit, one encoded while another is claimed or written, until nothing is due or `go_on` says no."""
    lanes.run(embed_next, go_on=go_on)


def embed_next() -> bool:
    """Claim one unit of waiting chunks across all documents, encode them and publish what is complete. False when
    nothing was due in the space this process serves."""
    try:
        server = serving.server()
    except EncoderUnavailable as error:
        log.warning("Nothing is embedded: %s", error)
        return False
    token = uuid.uuid4()
    with _claiming:
        work = storing.claim_work(server.space_id, token, server.encoder.unit_tokens)
    if not work:
        return False
    try:
        with lanes.kept(token):
            _embed(server, work, token)
    except EncoderUnavailable as error:
        log.warning("A unit of %s chunks is put back: %s", len(work), error)
        storing.put_back(token, pause=max(OUTAGE_PAUSE, timedelta(seconds=error.pause)))
        return False
    except Exception:
        # The device, the database or a library failed, not a chunk: give back what is left, so that another worker
        # may try at once.
        storing.put_back(token, pause=timedelta(seconds=5))
        raise
    return True


def _embed(server: serving.Server, work: Sequence[storing.Work], token: uuid.UUID) -> None:
    try:
        embeddings = server.encode_passages([one.text for one in work])
    except EncoderError as error:
        log.warning("A unit of %s chunks could not be encoded (%s); each is tried alone.", len(work), error)
        for one in work:
            _embed_alone(server, one, token)
        return
    write(server.space_id, token, work, embeddings)


def _embed_alone(server: serving.Server, one: storing.Work, token: uuid.UUID) -> None:
    try:
        embedding = server.encode_passages([one.text])
    except EncoderError as error:
        reason = Reason.ENCODER_OUT_OF_MEMORY if isinstance(error, EncoderOutOfMemory) else Reason.ENCODER_FAILED
        publishing.fail(one.revision_id, reason, str(error))
        return
    write(server.space_id, token, [one], embedding)


def write(space_id: uuid.UUID, token: uuid.UUID, work: Sequence[storing.Work], embeddings: Embeddings) -> None:
    with transaction.atomic():
        storing.write_embeddings(space_id, token, work, embeddings)
    for revision_id in dict.fromkeys(one.revision_id for one in work):
        publishing.publish(revision_id)
