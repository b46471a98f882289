"""What a query names that is not there for who asks: to them what they may not see is nothing."""

from collections.abc import Iterator
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext as _

from kb import wording
from kb.models import Document, User
from search import scope
from search.hits import Query


def named_in(query: Query, user: User | AnonymousUser) -> list[str]:
    """A sentence for each collection, document and media type of the filters that nothing can be found by."""
    return [*_collections(query, user), *_documents(query, user), *_media_types(query)]


def _collections(query: Query, user: User | AnonymousUser) -> Iterator[str]:
    if not query.collections:
        return
    known = {name for pk, slug in scope.collections(user, query).values_list("pk", "slug") for name in (pk, slug)}
    for name in query.collections:
        if name not in known and not (scope.is_uuid(name) and UUID(name) in known):
            yield _("There is no collection %(name)s that you may see.") % {"name": name}


def _documents(query: Query, user: User | AnonymousUser) -> Iterator[str]:
    if not query.documents:
        return
    visible = Document.objects.visible_to(user).filter(pk__in=query.documents)
    known = set(map(str, visible.values_list("pk", flat=True)))
    for name in query.documents:
        if name not in known:
            yield _("There is no document %(name)s that you may see.") % {"name": name}


def _media_types(query: Query) -> Iterator[str]:
    for name in query.media_types:
        if not wording.is_kind(name):
            yield _("No kind of file that is read here has the media type %(name)s.") % {"name": name}
