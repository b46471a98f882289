"""What encoders that take an instruction are told a query looks for, by the domain of the collection.

In English for queries of every language, as the Qwen3-Embedding model card recommends.
"""

from django.utils.translation import gettext as _

_INSTRUCTIONS = {
    "general": "Given a web search query, retrieve relevant passages that answer the query",
    "legal": "Given a legal question, retrieve passages of laws, contracts or rulings that answer the question",
    "medical": "Given a medical question, retrieve passages of medical literature that answer the question",
    "finance": "Given a question on finance, retrieve passages of reports or regulations that answer the question",
    "engineering": "Given an engineering question, retrieve passages of technical documents that answer the question",
    "code": "Given a question on code, retrieve passages of code or documentation that answer the question",
    "support": "Given a customer's question, retrieve passages of manuals or articles that resolve it",
}


OWN = "custom"
"""The domain of those who say it in their own words."""

LONGEST = 300
"""Characters of an instruction: it is encoded with every query."""


class BadInstruction(ValueError):
    """These words cannot be an instruction; the message says why."""


def instruction_for(domain: str, own: str = "") -> str:
    """The instruction of a domain, or one's own words where that is the domain; the general one for a domain that has
    none."""
    return own if domain == OWN and own else _INSTRUCTIONS.get(domain, _INSTRUCTIONS["general"])


def check(own: str) -> None:
    """Raises BadInstruction where these words would not stay the task in `Instruct: {task}\\nQuery:{query}`."""
    if len(own.splitlines()) > 1:
        raise BadInstruction(_("The instruction must be one line."))
    if len(own) > LONGEST:
        raise BadInstruction(_("The instruction may have at most 300 characters."))
