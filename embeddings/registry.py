"""The registry of spaces: one is added by naming its model, whose files decide the rest."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from embeddings import devices, spaces
from embeddings.encoder import EncoderError
from embeddings.models import Registration, Space

log = logging.getLogger(__name__)

PAUSE = timedelta(minutes=10)
"""So long may one attempt take: a large model is downloaded at its first."""


def is_quick(registration: Registration) -> bool:
    """Whether this one can be worked out where it is asked for, since the model comes with the install; others wait
    for a process that has the models."""
    return registration.model in (spaces.HASHING, devices.BUNDLED)


def work_out(registration: Registration) -> None:
    """Find out what the model is, and add its space; or note why that cannot be done."""
    try:
        space = _space_of(registration)
    except (EncoderError, OSError, ValueError) as error:
        registration.state, registration.detail = Registration.State.FAILED, str(error)
    else:
        registration.state, registration.space, registration.detail = Registration.State.DONE, space, ""
    registration.save(update_fields=["state", "space", "detail"])
    log.info("The space of %s: %s %s", registration.model, registration.state, registration.detail)


def work_out_next() -> bool:
    """Claim a registration that waits, and work it out. False when none was due."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"pause": PAUSE.total_seconds(), "attempts": Registration.ATTEMPTS})
        row = cursor.fetchone()
    if row is None:
        return False
    work_out(Registration.objects.get(pk=row[0]))
    return True


def give_up_spent() -> None:
    """Registrations whose attempts all came to nothing have failed."""
    detail = _("The process that read the files of this model was stopped each time.")
    with connection.cursor() as cursor:
        cursor.execute(_GIVE_UP, {"detail": detail, "attempts": Registration.ATTEMPTS})


def _space_of(registration: Registration) -> Space:
    about = spaces.describe(
        registration.model, dimensions=registration.dimensions, dtype=registration.dtype or settings.EMBEDDING_DTYPE
    )
    space = spaces.of(registration.model, about)
    space.storage = registration.storage
    return spaces.keep(space)


_CLAIM = """
UPDATE embeddings_registration SET attempts = attempts + 1,
  next_attempt_at = statement_timestamp() + make_interval(secs => %(pause)s)
WHERE id = (
  SELECT id FROM embeddings_registration
  WHERE state = 'waiting' AND attempts < %(attempts)s AND next_attempt_at <= statement_timestamp()
  ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING id
"""
_GIVE_UP = """
UPDATE embeddings_registration SET state = 'failed', detail = %(detail)s
WHERE state = 'waiting' AND attempts >= %(attempts)s AND next_attempt_at <= statement_timestamp()
"""
