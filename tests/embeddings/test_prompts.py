"""Prompts told from the names of models."""

import pytest

from embeddings import prompts
from embeddings.instructions import instruction_for
from embeddings.prompts import Prompts

TASK = f"Instruct: {instruction_for('general')}\nQuery:"
E5 = Prompts("query: ", "passage: ")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Qwen/Qwen3-Embedding-4B", Prompts(TASK)),
        ("qwen3-embedding:0.6b", Prompts(TASK)),
        ("/models/Qwen3-Embedding-8B-Q8_0.gguf", Prompts(TASK)),
        ("intfloat/multilingual-e5-small", E5),
        ("intfloat/e5-base-v2", E5),
        ("intfloat/multilingual-e5-large-instruct", Prompts(f"{TASK} ")),
        ("Alibaba-NLP/gte-Qwen2-7B-instruct", Prompts(f"{TASK} ")),
        ("nomic-embed-text:latest", Prompts("search_query: ", "search_document: ")),
        ("google/embeddinggemma-300m", Prompts("task: search result | query: ", "title: none | text: ")),
        ("BAAI/bge-m3", Prompts()),
        ("model-e55", Prompts()),
        ("text-embedding-3-large", Prompts()),
        ("", Prompts()),
    ],
)
def test_a_name_tells_the_prompts(name, expected):
    assert prompts.of_model(name) == expected


@pytest.mark.parametrize(
    ("prompt", "instruction", "expected"),
    [
        (TASK, "Find rulings", "Instruct: Find rulings\nQuery:"),
        (f"{TASK} ", "Find rulings", "Instruct: Find rulings\nQuery: "),
        (TASK, "", TASK),
        ("query: ", "Find rulings", "query: "),
        ("", "Find rulings", ""),
    ],
)
def test_an_instruction_takes_the_place_of_the_task(prompt, instruction, expected):
    assert prompts.with_instruction(prompt, instruction) == expected
