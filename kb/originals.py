"""The original file of a revision, served so that a browser never runs what is in it."""

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404

from kb.models import Revision


def response(revision: Revision) -> FileResponse:
    """The file as a download under its own name, with the media type that was checked, never the client's word.

    Raises Http404 when the stored file is gone.
    """
    try:
        stored = default_storage.open(revision.stored_name)
    except FileNotFoundError as error:
        raise Http404 from error
    answer = FileResponse(stored, as_attachment=True, filename=revision.filename, content_type=revision.media_type)
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Content-Security-Policy"] = "sandbox; default-src 'none'"
    answer["Cache-Control"] = "private, no-cache"
    return answer
