"""Re-embeddings in words: what can be done, what that deletes, how long it takes; and the kinds of indexes."""

from django import template

from kb import wording

register = template.Library()
register.filter("duration", wording.duration)
register.filter("act_name", wording.act)
register.filter("act_deletes", wording.deletes)
register.filter("storage_name", wording.storage)
