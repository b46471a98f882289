"""Addresses of the pages of collections and documents."""

from django.urls import include, path, register_converter
from django.urls.converters import StringConverter

from kb.views import collections, documents, files, members, reembedding, uploads


class Slug(StringConverter):
    """A slug in letters of any script; Django's own converter takes ASCII only."""

    regex = r"[-\w]+"


register_converter(Slug, "any_slug")

_of_collection = [
    path("", collections.detail, name="collection"),
    path("upload/", uploads.add, name="collection_upload"),
    path("settings/", collections.settings, name="collection_settings"),
    path("preview/", collections.preview, name="collection_preview"),
    path("delete/", collections.delete, name="collection_delete"),
    path("reembedding/", reembedding.show, name="reembedding"),
    path("reembedding/start/", reembedding.start, name="reembedding_start"),
    path("reembedding/<slug:act>/", reembedding.act, name="reembedding_act"),
    path("members/", members.add, name="member_add"),
    path("members/<int:membership_id>/", members.change, name="member_change"),
    path("members/<int:membership_id>/remove/", members.remove, name="member_remove"),
]
_of_document = [
    path("", documents.detail, name="document"),
    path("text/", documents.text, name="document_text"),
    path("place/", documents.place, name="document_place"),
    path("outline/", documents.outline, name="document_outline"),
    path("state/", documents.state, name="document_state"),
    path("edit/", documents.edit, name="document_edit"),
    path("retry/", documents.retry, name="document_retry"),
    path("cancel/", documents.cancel, name="document_cancel"),
    path("reindex/", documents.reindex, name="document_reindex"),
    path("delete/", documents.delete, name="document_delete"),
    path("revisions/", uploads.revise, name="document_revise"),
    path("file/", files.original, name="document_file"),
    path("pages/<int:page>.png", files.page_picture, name="document_page"),
]
urlpatterns = [
    path("collections/", collections.index, name="collections"),
    path("collections/<any_slug:slug>/", include(_of_collection)),
    path("documents/<uuid:document_id>/", include(_of_document)),
]
