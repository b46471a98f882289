"""What a revision is, where its passages stand and what became of it, in words."""

from django import template

from kb import sentences, wording
from kb.reading import sniffing

register = template.Library()
register.filter("kind", wording.kind)
register.filter("reason_name", wording.reason_name)
register.filter("reason_remedy", wording.reason_remedy)
register.filter("warning_remedy", wording.warning_remedy)
register.filter("place", wording.place)
register.filter("said", sentences.said)


@register.simple_tag
def accepted_files() -> str:
    """For the attribute `accept`: what the names of files that can be read end in."""
    return ",".join(sniffing.extensions())
