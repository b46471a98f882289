"""The console, for those who look after the corpus, its people, its spaces and the queue."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from kb.admin import corpus, spaces
from kb.admin.rows import ReadOnly, Visible, Writable

__all__ = ["ReadOnly", "Visible", "Writable", "corpus", "spaces"]

admin.site.site_header = admin.site.site_title = "Concordance"
admin.site.index_title = _("Console")
