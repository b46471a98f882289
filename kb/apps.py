"""The Django application `kb`."""

from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class KbConfig(AppConfig):
    name = "kb"
    verbose_name = _("Knowledge base")

    def ready(self) -> None:
        """Make the folders that processes write to. Uploads move from one to the other, so both lie together."""
        try:
            for folder in (settings.MEDIA_ROOT, settings.FILE_UPLOAD_TEMP_DIR):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SystemExit(f"Concordance cannot start: {settings.DATA_DIR} cannot be written: {error}.") from error
