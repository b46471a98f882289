"""What is written in front of queries and passages."""

import re
from dataclasses import dataclass

from embeddings.instructions import instruction_for

_INSTRUCTED = re.compile(r"(Instruct: ).*(\nQuery:.*)", re.DOTALL)
"""The form of query prompts that name a task: https://huggingface.co/Qwen/Qwen3-Embedding-4B"""


@dataclass(frozen=True)
class Prompts:
    """The prompts of one model."""

    query: str = ""
    passage: str = ""


_TASK = f"Instruct: {instruction_for('general')}\nQuery:"

_OF_MODELS = (
    ("qwen3-?embedding", Prompts(query=_TASK)),
    ("(e5-.*instruct|gte-qwen2)", Prompts(query=f"{_TASK} ")),
    ("e5", Prompts(query="query: ", passage="passage: ")),
    ("nomic-embed-text", Prompts(query="search_query: ", passage="search_document: ")),
    ("embeddinggemma", Prompts(query="task: search result | query: ", passage="title: none | text: ")),
)
"""What names of models contain, and the prompts on their model cards; the first that fits. Servers apply none of
them: a server is sent what its model is to read."""


def of_model(name: str) -> Prompts:
    """The prompts of a model, told by its name; none for a name that tells nothing."""
    for part, found in _OF_MODELS:
        if re.search(rf"(?<![a-z0-9]){part}(?![a-z0-9])", name.lower()):
            return found
    return Prompts()


def names_task(query_prompt: str) -> bool:
    """Whether this query prompt has a place for an instruction: an encoder with another takes none."""
    return _INSTRUCTED.fullmatch(query_prompt) is not None


def with_instruction(query_prompt: str, instruction: str) -> str:
    """The query prompt with `instruction` as its task; as it is where that is empty, or where it names no task."""
    form = _INSTRUCTED.fullmatch(query_prompt)
    if not instruction or form is None:
        return query_prompt
    return f"{form[1]}{instruction}{form[2]}"
