"""A document of many chunks that is gone afterwards, with its owner, its collection and all that was made of it."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from embeddings.models import Space
from kb import ingestion, storing
from kb.chunking import Passage
from kb.models import Collection, Document, Revision, State, User
from kb.reading.assembly import Reading


@contextmanager
def queued(texts: Sequence[str], tokens: Sequence[int], space: Space) -> Iterator[Revision]:
    """A revision whose chunks are these texts and wait for the encoder."""
    owner = User.objects.create(username=uuid.uuid4().hex)
    collection = Collection.objects.create(name=owner.username, owner=owner, active_space=space)
    try:
        document = Document.objects.create(collection=collection, title=collection.name)
        revision = Revision.objects.create(
            document=document, number=1, size=0, state=State.EMBEDDING, progress_total=len(texts), uploaded_by=owner
        )
        passages = [
            Passage(0, len(text), text, (), "prose", length, {"pages": [1, 1]}, "en")
            for text, length in zip(texts, tokens, strict=True)
        ]
        storing.store(revision, Reading("", (), (), (), (), "page"), passages)
        storing.queue(revision)
        yield revision
    finally:
        ingestion.remove_collection(collection)
        owner.delete()
