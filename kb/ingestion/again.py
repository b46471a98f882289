"""A revision is started again: everything made of it goes, and it is due for reading as on its first day."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models.functions import Now

from kb import bell, storing
from kb.models import Revision, State


def start(revision: Revision, *, from_states: Sequence[State]) -> bool:
    with transaction.atomic():
        started = Revision.objects.filter(pk=revision.pk, state__in=from_states).update(
            state=State.RECEIVED, reason="", detail="", warnings=[], attempts=0, next_attempt_at=Now()
        )
        if started:
            storing.forget(revision.pk)
            transaction.on_commit(lambda: bell.ring("read"))
    return bool(started)
