"""How the bytes of an upload reach the disk: limited while they stream in, and durable before anyone is answered."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import StopUpload, TemporaryFileUploadHandler
from django.http import HttpRequest
from django.utils.translation import gettext as _

from kb.reading.failures import Reason, Unreadable


class DurableStorage(FileSystemStorage):
    """Files on a local disk, synced with their folder before `save` returns: accepted means kept."""

    def _save(self, name: str, content: File) -> str:  # type: ignore[type-arg]
        Path(self.path(name)).parent.mkdir(parents=True, exist_ok=True)
        _sync(str(self.location))  # the folder may be new
        saved: str = super()._save(name, content)  # type: ignore[misc]  # Django's hook for subclasses, not in its stubs
        _sync(self.path(saved))
        _sync(os.path.dirname(self.path(saved)))
        return saved


class LimitedFileUploadHandler(TemporaryFileUploadHandler):
    """Streams a file to disk and stops reading as soon as it passes the limit or the disk has no room left.

    What it refused is left on the request as `refused`, for the view to answer with: an exception raised here would
    reach the client as a plain error of the parser.
    """

    def handle_raw_input(self, input_data: Any, META: Any, content_length: int, *args: Any, **kwargs: Any) -> None:  # noqa: N803
        self._announced = content_length

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._received = 0
        if shutil.disk_usage(settings.FILE_UPLOAD_TEMP_DIR).free - self._announced < settings.DISK_RESERVE:
            self._refuse(Reason.STORAGE_FULL, _("The server has no room for this file. Tell its operator."))

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._received += len(raw_data)
        if self._received > settings.UPLOAD_LIMIT:
            told = _("The file is larger than %(limit)s MiB, the limit here.")
            self._refuse(Reason.TOO_LARGE, told % {"limit": settings.UPLOAD_LIMIT // (1024 * 1024)})
        super().receive_data_chunk(raw_data, start)

    def _refuse(self, reason: Reason, detail: str) -> None:
        if self.request is not None:
            self.request.refused = Unreadable(reason, detail)  # type: ignore[attr-defined]
        raise StopUpload(connection_reset=False)


def uploaded(request: HttpRequest, field: str = "file") -> Iterator[TemporaryUploadedFile]:
    """The files of a form's field, in order. Raises Unreadable when the upload was cut off by a limit."""
    files = request.FILES.getlist(field)
    refused = getattr(request, "refused", None) or getattr(getattr(request, "_request", None), "refused", None)
    if refused is not None:
        raise refused
    yield from files  # type: ignore[misc]


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
