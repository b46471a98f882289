"""The sweep: whatever is due is looked at, whether or not a message for it arrived."""

from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from embeddings import registry
from kb import bell, reembedding, storing
from kb.ingestion import publishing
from kb.models import Collection, CommonLexeme, EmbeddingWork, LanguageMean, Revision, State
from kb.models.revision import ATTEMPTS
from kb.reading.failures import Reason

SMALL = 2_000
"""Passages of a collection whose means are computed whenever something has come."""


def sweep() -> None:
    """Look at everything that is due whether or not a message for it arrived; bring to an end what ran out of
    attempts; ring the workers. Safe at any time, in any number."""
    _fail_exhausted()
    bell.ring_for_each(Revision.objects.due_for_reading().count())
    if EmbeddingWork.objects.filter(next_attempt_at__lte=Now()).exists():
        bell.ring("embed")
    for revision_id in storing.complete_but_unpublished():
        if not publishing.publish(revision_id):
            for revision in Revision.objects.filter(pk=revision_id):  # unless it was deleted just now
                storing.queue(revision)
    registry.give_up_spent()
    reembedding.sweep()
    for collection in Collection.objects.filter(means_due=True):
        refresh_means(collection)


def settle() -> None:
    """What has just come into a small collection need not wait for the sweep until it is compared centred, and counted.
    In a large one the means are near enough till then, and take as long as it has passages."""
    counted = Collection.objects.filter(means_due=True).annotate(known=Sum("language_means__passages", default=0))
    for collection in counted.filter(known__lt=SMALL):
        refresh_means(collection)


def refresh_means(collection: Collection) -> None:
    """Bring the collection's means per language, and its common words, up to date with its live passages."""
    with transaction.atomic():
        Collection.objects.filter(pk=collection.pk).update(means_due=False)
        LanguageMean.objects.refresh(collection)
        CommonLexeme.objects.refresh(collection)


def _fail_exhausted() -> None:
    detail = _("The reader was stopped %(n)s times while it read this file; it may be too heavy.") % {"n": ATTEMPTS}
    spent = Revision.objects.due_for_reading().filter(attempts__gte=ATTEMPTS)
    spent.update(
        state=State.FAILED, reason=Reason.READER_CRASHED, detail=detail, lease_token=None, lease_expires_at=None
    )
    for revision_id in storing.out_of_attempts():
        publishing.fail(
            revision_id, Reason.ENCODER_FAILED, _("The encoder was stopped %(n)s times at this text.") % {"n": ATTEMPTS}
        )
