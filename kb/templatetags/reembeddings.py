"""How long a re-embedding takes, in words."""

from django import template

from kb import wording

register = template.Library()
register.filter("duration", wording.duration)
