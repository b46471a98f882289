"""The encoder in this process, on a tiny model in Qwen3-Embedding's published layout."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from torch.nn.attention import varlen
from transformers import Qwen3Model

from embeddings import attention, fingerprint
from embeddings.encoder import Embeddings, EncoderError, check
from embeddings.local import FIRST, WINDOW, LocalEncoder
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


@pytest.mark.parametrize("folder", ["qwen_folder", "bundled_folder"])
def test_texts_are_packed_without_padding(folder: str, request: pytest.FixtureRequest) -> None:
    encoder = LocalEncoder(request.getfixturevalue(folder), device="cpu")
    tokens: list[int] = []
    encoder.encode_passages(TEXTS)
    model = encoder._model()
    handle = model._model[0].register_forward_pre_hook(
        lambda _module, given: tokens.append(given[0]["input_ids"].numel())
    )
    encoder.encode_passages(TEXTS)
    handle.remove()
    assert tokens == [sum(encoder.count_tokens(TEXTS))]


def _varlen_attn(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    cu_seq_q: torch.Tensor,
    cu_seq_k: torch.Tensor,
    max_q: int,
    max_k: int,
    *,
    scale: float,
    window_size: tuple[int, int],
    enable_gqa: bool,
) -> torch.Tensor:
    """What torch.nn.attention.varlen.varlen_attn computes on CUDA, written down plainly: [tokens, heads, size]."""
    groups = query.shape[1] // key.shape[1]
    assert enable_gqa == (groups > 1)
    key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    text = torch.bucketize(torch.arange(len(query)), cu_seq_q[1:], right=True)
    allowed = text[:, None] == text[None, :]
    if window_size == (-1, 0):
        allowed = allowed.tril()
    assert max_q == max_k == int(text.bincount().max())
    weights = (torch.einsum("qhd,khd->hqk", query, key) * scale).masked_fill(~allowed, -torch.inf).softmax(-1)
    return torch.einsum("hqk,khd->qhd", weights, value)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The way through PyTorch's own kernel, as on CUDA."""
    monkeypatch.setattr(varlen, "varlen_attn", _varlen_attn)
    register = attention.register
    monkeypatch.setattr(attention, "register", lambda device: register("cuda"))
    yield
    register("cpu")


@pytest.mark.parametrize("folder", ["qwen_folder", "bundled_folder"])
def test_the_kernel_is_told_where_texts_end(kernel: None, folder: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(folder)
    encoder = LocalEncoder(path, device="cpu")
    found = encoder.encode_passages(TEXTS)
    assert encoder._model().packs
    assert _cosines(found, SentenceTransformer(str(path), device="cpu").encode_document(TEXTS)).min() >= 0.9999


def _fails(*args: object, **options: object) -> torch.Tensor:
    raise RuntimeError("no kernel image is available")


def _forgets_where_texts_end(query: torch.Tensor, *args: object, **options: object) -> torch.Tensor:
    return query


@pytest.mark.parametrize("broken", [_fails, _forgets_where_texts_end])
def test_where_the_kernel_does_not_work_texts_are_padded(
    kernel: None,
    broken: Callable[..., torch.Tensor],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    qwen_folder: Path,
    reference: SentenceTransformer,
) -> None:
    monkeypatch.setattr(varlen, "varlen_attn", broken)
    encoder = LocalEncoder(qwen_folder, device="cpu")
    assert _cosines(encoder.encode_passages(TEXTS), reference.encode_document(TEXTS)).min() >= 0.9999
    assert _cosines(encoder.encode_queries(TEXTS), reference.encode_query(TEXTS)).min() >= 0.9999
    assert "Texts are padded, not packed" in caplog.text


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


def test_a_text_of_30_000_tokens(qwen_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(qwen_folder, tmp_path / "long"))
    config = json.loads((folder / "config.json").read_text())
    one_layer = {"num_hidden_layers": 1, "layer_types": config["layer_types"][:1]}
    (folder / "config.json").write_text(json.dumps(config | one_layer | {"max_position_embeddings": 32_768}))
    long = "".join(f"Line {number} of the log of the lighthouse.\n" for number in range(800))[:29_999]
    encoder = LocalEncoder(folder, device="cpu")
    assert encoder.count_tokens([long]) == [30_000]
    found = encoder.encode_passages([long, "short"])
    assert _cosines(found, SentenceTransformer(str(folder), device="cpu").encode([long, "short"])).min() >= 0.9999


def test_float16_is_refused(qwen_folder: Path) -> None:
    with pytest.raises(EncoderError, match="float16 some texts become NaN"):
        LocalEncoder(qwen_folder, device="cpu", dtype="float16")


def test_many_texts_are_tokenized_in_stretches_and_stay_in_order(
    encoder: LocalEncoder, reference: SentenceTransformer
) -> None:
    many = [f"Text number {number}, " + "and more. " * (number % 7) for number in range(FIRST + WINDOW + 5)]
    assert _cosines(encoder.encode_passages(many), reference.encode_document(many)).min() >= 0.9995


def test_others_may_go_first_between_micro_batches(qwen_folder: Path) -> None:
    encoder = LocalEncoder(qwen_folder, device="cpu")
    answers: list[Embeddings] = []
    encoder.encode_passages(["x" * 250] * 12, between=lambda: answers.append(encoder.encode_queries(["noon?"])))
    assert len(answers) == 8  # after four texts at first, then, while queries come in, after each but the last
    query = encoder.encode_queries(["noon?"])
    assert all(_cosines(answer, query).min() >= 0.9995 for answer in answers)


def test_others_may_go_first_between_stretches(qwen_folder: Path) -> None:
    calls: list[None] = []
    few = ["x"] * (FIRST + 1)  # a micro-batch in each
    LocalEncoder(qwen_folder, device="cpu").encode_passages(few, between=lambda: calls.append(None))
    assert calls == [None]


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
