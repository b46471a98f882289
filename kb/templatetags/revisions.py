"""What a revision is and what became of it, in words."""

from django import template

from kb import wording
from kb.reading import sniffing

register = template.Library()
register.filter("kind", wording.kind)
register.filter("reason_name", wording.reason_name)


@register.simple_tag
def accepted_files() -> str:
    """For the attribute `accept`: what the names of files that can be read end in."""
    return ",".join(sniffing.extensions())
