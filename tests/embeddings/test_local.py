"""The encoder in this process, on a tiny model in Qwen3-Embedding's published layout."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from transformers import Qwen3Model

from embeddings import fingerprint
from embeddings.encoder import Embeddings, EncoderError, check
from embeddings.local import LocalEncoder
from tests.embeddings.conftest import QUERY_PROMPT

TEXTS = [
    "A lighthouse stands on the cape.",
    "灯塔",
    "It rained for nine days, and on the tenth the harbour master opened the gates. " * 2,
    "",
    "Möwen",
    "The ferry leaves at noon, except on holidays.",
]


@pytest.fixture(scope="module")
def encoder(qwen_folder: Path) -> LocalEncoder:
    return LocalEncoder(qwen_folder, device="cpu")


@pytest.fixture(scope="module")
def reference(qwen_folder: Path) -> SentenceTransformer:
    return SentenceTransformer(str(qwen_folder), device="cpu")


def test_passages_are_those_of_sentence_transformers(encoder: LocalEncoder, reference: SentenceTransformer) -> None:
    found = encoder.encode_passages(TEXTS)
    check(found, rows=len(TEXTS), dimensions=64)
    assert _cosines(found, reference.encode_document(TEXTS)).min() >= 0.9999


def test_queries_are_those_of_sentence_transformers(encoder: LocalEncoder, reference: SentenceTransformer) -> None:
    assert _cosines(encoder.encode_queries(TEXTS), reference.encode_query(TEXTS)).min() >= 0.9999


def test_different_texts_have_different_embeddings(encoder: LocalEncoder) -> None:
    found = encoder.encode_passages(TEXTS)
    assert (found @ found.T - np.eye(len(TEXTS))).max() < 0.9


def test_alone_and_in_any_batch(encoder: LocalEncoder) -> None:
    alone = np.concatenate([encoder.encode_passages([text]) for text in TEXTS])
    together = encoder.encode_passages(TEXTS)
    backwards = encoder.encode_passages(TEXTS[::-1])[::-1]
    assert _cosines(alone, together).min() >= 0.9995
    assert _cosines(alone, backwards).min() >= 0.9995


def test_an_embedding_is_the_last_state_at_the_end_token(encoder: LocalEncoder, qwen_folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(qwen_folder / "tokenizer.json"))
    model = Qwen3Model.from_pretrained(qwen_folder)
    for text, embedding in zip(TEXTS, encoder.encode_passages(TEXTS), strict=True):
        ids = tokenizer.encode(text).ids
        assert ids[-1] == tokenizer.token_to_id("<|endoftext|>")
        with torch.inference_mode():
            last = model(torch.tensor([ids])).last_hidden_state[0, -1].numpy()
        assert embedding @ (last / np.linalg.norm(last)) >= 0.9999


def test_the_padding_is_on_the_left(encoder: LocalEncoder, reference: SentenceTransformer) -> None:
    encoder.encode_passages(TEXTS)
    padded = encoder._model.tokenizer(["longer text", "short"], padding=True)
    assert padded["attention_mask"][1] == [0] * 6 + [1] * 6


def test_the_instruction_is_in_front_of_the_query_and_no_space_after_it(encoder: LocalEncoder) -> None:
    found = encoder.encode_queries(["noon?"], instruction="Find the time")
    assert found @ encoder.encode_passages(["Instruct: Find the time\nQuery:noon?"])[0] >= 0.9999
    assert found @ encoder.encode_passages(["Instruct: Find the time\nQuery: noon?"])[0] < 0.999


def test_without_an_instruction_the_model_has_its_own(encoder: LocalEncoder) -> None:
    found = encoder.encode_queries(["noon?"])
    assert found @ encoder.encode_passages([QUERY_PROMPT + "noon?"])[0] >= 0.9999


def test_fewer_dimensions_are_cut_and_of_unit_length(encoder: LocalEncoder, qwen_folder: Path) -> None:
    short = LocalEncoder(qwen_folder, dimensions=32, device="cpu")
    cut = encoder.encode_passages(TEXTS)[:, :32]
    found = check(short.encode_passages(TEXTS), rows=len(TEXTS), dimensions=32)
    assert _cosines(found, cut / np.linalg.norm(cut, axis=1, keepdims=True)).min() >= 0.9999
    assert short.fingerprint != encoder.fingerprint
    assert short.dimensions == 32


def test_more_dimensions_than_the_model_has_are_refused(qwen_folder: Path) -> None:
    with pytest.raises(EncoderError, match="gives 1 to 64 dimensions, not 65"):
        LocalEncoder(qwen_folder, dimensions=65, device="cpu")


def test_its_fingerprint_is_that_of_the_folder(encoder: LocalEncoder, qwen_folder: Path) -> None:
    assert encoder.fingerprint == fingerprint.of_folder(qwen_folder, dtype="float32").fingerprint
    assert encoder.max_tokens == 256


def test_tokens_are_counted_with_the_end_token(encoder: LocalEncoder) -> None:
    assert encoder.count_tokens(["short", "灯塔", ""]) == [6, 7, 1]


def test_a_text_over_the_limit_is_cut_there(encoder: LocalEncoder) -> None:
    kept = "x" * 255
    whole, cut = encoder.encode_passages([kept + "y" * 5000, kept])
    assert whole @ cut >= 0.9999


def test_others_may_go_first_between_micro_batches(qwen_folder: Path) -> None:
    encoder = LocalEncoder(qwen_folder, device="cpu")
    query = encoder.encode_queries(["noon?"])
    answers: list[Embeddings] = []
    encoder.encode_passages(["x" * 250] * 12, between=lambda: answers.append(encoder.encode_queries(["noon?"])))
    assert len(answers) == 3
    assert all(_cosines(answer, query).min() >= 0.9995 for answer in answers)


def test_threads_may_share_it(qwen_folder: Path) -> None:
    encoder = LocalEncoder(qwen_folder, device="cpu", threads=1)
    found: dict[int, Embeddings] = {}

    def encode(number: int) -> None:
        found[number] = encoder.encode_passages(TEXTS[number:] + TEXTS[:number])

    threads = [threading.Thread(target=encode, args=(number,)) for number in range(len(TEXTS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(len(TEXTS)):
        assert _cosines(np.roll(found[number], number, axis=0), found[0]).min() >= 0.9995


def test_nothing_to_encode(encoder: LocalEncoder) -> None:
    assert encoder.encode_passages([]).shape == (0, 64)
    assert encoder.encode_queries([]).shape == (0, 64)


def test_weights_that_are_not_numbers_never_become_embeddings(qwen_folder: Path, tmp_path: Path) -> None:
    broken = SentenceTransformer(str(qwen_folder), device="cpu")
    with torch.no_grad():
        next(broken.parameters()).fill_(float("nan"))
    broken.save(str(tmp_path / "broken"))
    with pytest.raises(EncoderError, match="not finite"):
        LocalEncoder(tmp_path / "broken", device="cpu").encode_passages(["one"])


def _cosines(ours: Embeddings, others: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(others, axis=1)
    found: NDArray[np.float32] = (ours * others).sum(axis=1) / lengths
    return found
