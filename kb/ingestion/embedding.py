"""Embed: units of waiting chunks across all documents are encoded, and their embeddings written."""

import logging
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial

from django.db import transaction

from embeddings import serving
from embeddings.encoder import Embeddings, EncoderError, EncoderOutOfMemory, EncoderUnavailable
from kb import reembedding, spaces, storing
from kb.ingestion import lanes, publishing
from kb.models import Collection
from kb.reading.failures import Reason

log = logging.getLogger(__name__)

OUTAGE_PAUSE = timedelta(seconds=15)
"""So long at least is the work of an encoder left alone that does not answer."""

CLAIMING_SECONDS = 10
"""So long is waited for a claim under way before the process ends without it."""

_claiming = threading.Lock()
"""A claim passes over what another is looking at: of two lanes at once one would find nothing where there is enough."""


def embed_while(go_on: Callable[[], bool], *, is_interrupted: Callable[[], bool] = serving.never) -> None:
    """Embed unit by unit, one encoded while another is claimed or written, until nothing is due or `go_on` says no."""
    lanes.run(partial(embed_next, is_interrupted), go_on=go_on)


def embed_next(is_interrupted: Callable[[], bool] = serving.never) -> bool:
    """Claim one unit of waiting chunks across all documents, encode them and publish what is complete. False when
    nothing was due in the spaces this process serves, nor is in re-embeddings into them; or when it was interrupted,
    and the unit is put back."""
    servers = {server.space_id: server for server in serving.servers(spaces.wanted()) if not server.rests}
    token = uuid.uuid4()
    with lanes.kept(token):
        with _claiming:
            server, work = _claim(servers, token)
            if server is None:
                return reembedding.feed(servers.keys())  # the other lane waits, and claims from what is queued here
        return _embed_claimed(server, work, token, is_interrupted)


def put_down() -> None:
    """Give back what all lanes have in hand, because this process ends. The unit that brought the device down is this
    thread's: it has been tried. The others have not. Nothing is claimed any more from here on."""
    _claiming.acquire(timeout=CLAIMING_SECONDS)
    for thread, token in list(lanes.in_hand.items()):
        if thread == threading.get_ident():
            storing.put_down(token)
        else:
            storing.put_back(token, pause=timedelta())


def _claim(
    servers: Mapping[uuid.UUID, serving.Server], token: uuid.UUID
) -> tuple[serving.Server | None, list[storing.Work]]:
    """The next unit, and who encodes it; nobody when nothing is due."""
    for space_id in storing.spaces_in_turn(list(servers)):
        server = servers[space_id]
        work = storing.claim_work(space_id, token, server.encoder.unit_tokens)
        if work:
            return server, work
    return None, []


def _embed_claimed(
    server: serving.Server, work: Sequence[storing.Work], token: uuid.UUID, is_interrupted: Callable[[], bool]
) -> bool:
    try:
        _embed(server, work, token, is_interrupted)
    except serving.Interrupted:
        storing.put_back(token, pause=timedelta())
        return False
    except EncoderUnavailable as error:
        log.warning("A unit of %s chunks is put back: %s", len(work), error)
        pause = max(OUTAGE_PAUSE, timedelta(seconds=error.pause))
        storing.put_back(token, pause=pause)
        server.rest(pause.total_seconds())
    except Exception:
        # The device, the database or a library failed, not a chunk: give back what is left, so that another worker
        # may try at once.
        storing.put_back(token, pause=timedelta(seconds=5))
        raise
    return True


def _embed(
    server: serving.Server, work: Sequence[storing.Work], token: uuid.UUID, is_interrupted: Callable[[], bool]
) -> None:
    try:
        embeddings = server.encode_passages([one.text for one in work], is_interrupted)
    except EncoderError as error:
        log.warning("A unit of %s chunks could not be encoded (%s); each is tried alone.", len(work), error)
        for one in work:
            _embed_alone(server, one, token, is_interrupted)
        return
    write(server.space_id, token, work, embeddings)


def _embed_alone(
    server: serving.Server, one: storing.Work, token: uuid.UUID, is_interrupted: Callable[[], bool]
) -> None:
    try:
        embedding = server.encode_passages([one.text], is_interrupted)
    except EncoderError as error:
        reason = Reason.ENCODER_OUT_OF_MEMORY if isinstance(error, EncoderOutOfMemory) else Reason.ENCODER_FAILED
        _give_up(server.space_id, one, token, reason, str(error))
        return
    write(server.space_id, token, [one], embedding)


def _give_up(space_id: uuid.UUID, one: storing.Work, token: uuid.UUID, reason: Reason, detail: str) -> None:
    """A text that cannot be encoded fails its revision; in a space nobody searches yet, the re-embedding into it."""
    if Collection.objects.filter(pk=one.collection_id, active_space=space_id).exists():
        publishing.fail(one.revision_id, reason, detail)
    else:
        storing.discard(one, token)
        reembedding.stop_at(one.collection_id, space_id, detail)


def write(space_id: uuid.UUID, token: uuid.UUID, work: Sequence[storing.Work], embeddings: Embeddings) -> None:
    with transaction.atomic():
        storing.write_embeddings(space_id, token, work, embeddings)
    for revision_id in dict.fromkeys(one.revision_id for one in work):
        publishing.publish(revision_id)
