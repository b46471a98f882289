"""What a revision is and what became of it, in words."""

from django import template

from kb import wording

register = template.Library()
register.filter("kind", wording.kind)
register.filter("reason_name", wording.reason_name)
