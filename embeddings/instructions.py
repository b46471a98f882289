"""What encoders that take an instruction are told a query looks for, by the domain of the collection.

In English for queries of every language, as the Qwen3-Embedding model card recommends.
"""

_INSTRUCTIONS = {
    "general": "Given a web search query, retrieve relevant passages that answer the query",
    "legal": "Given a legal question, retrieve passages of laws, contracts or rulings that answer the question",
    "medical": "Given a medical question, retrieve passages of medical literature that answer the question",
    "finance": "Given a question on finance, retrieve passages of reports or regulations that answer the question",
    "engineering": "Given an engineering question, retrieve passages of technical documents that answer the question",
    "code": "Given a question on code, retrieve passages of code or documentation that answer the question",
    "support": "Given a customer's question, retrieve passages of manuals or articles that resolve it",
}


def instruction_for(domain: str) -> str:
    """The instruction of a domain; the general one for a domain that has none of its own."""
    return _INSTRUCTIONS.get(domain, _INSTRUCTIONS["general"])
