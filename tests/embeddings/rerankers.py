"""Rerankers for tests: folders with tiny models of random weights, one that knows words only, and a server."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedModel, Qwen3Config, Qwen3ForCausalLM

from embeddings.reranker import Odds, QueryTooLong, Turn, odds_of
from kb import lexemes
from tests.embeddings import scripted
from tests.embeddings.scripted import Body, Call, Step

CONVERSATION = (
    "{% for one in messages %}{% if one.role in ('user', 'system', 'assistant') %}"
    "<|im_start|>{{ one.role }}\n{{ one.content }}<|im_end|>\n{% endif %}{% endfor %}"
)
"""As in folders that say nothing of reranking: it drops a query and a document."""

PAIRS = """\
{{ messages | selectattr("role", "eq", "query") | map(attribute="content") | first }}
 is answered by {{ messages | selectattr("role", "eq", "document") | map(attribute="content") | first }}<|im_end|>"""
"""As in folders with a way of their own to ask for a score."""


# --- Folders ---


def write_bert(folder: Path, *, labels: int = 1, tokens: int = 512) -> Path:
    """A cross-encoder with a score of its own. A byte is a token."""
    torch.manual_seed(11)
    config = BertConfig(
        vocab_size=260, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=tokens, pad_token_id=258,
    )  # fmt: skip
    config.num_labels = labels
    _write_model(BertForSequenceClassification(config), folder)
    tokenizer = _bytes({}, ["[CLS]", "[SEP]", "[PAD]"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 256), ("[SEP]", 257)],
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    _write(folder, pad_token="[PAD]", sep_token="[SEP]", cls_token="[CLS]", model_max_length=tokens)
    return folder


def write_qwen(folder: Path, *, template: str | None = CONVERSATION) -> Path:
    """The files of https://huggingface.co/Qwen/Qwen3-Reranker-0.6B, but for its size. A byte is a token, and so are
    yes and no."""
    torch.manual_seed(5)
    config = Qwen3Config(
        vocab_size=264, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, max_position_embeddings=4096, tie_word_embeddings=True,
        eos_token_id=258, pad_token_id=258,
    )  # fmt: skip
    _write_model(Qwen3ForCausalLM(config), folder)
    _bytes({"yes": 256, "no": 257}, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]).save(
        str(folder / "tokenizer.json")
    )
    chat = {} if template is None else {"chat_template": template}
    _write(folder, pad_token="<|endoftext|>", eos_token="<|im_end|>", model_max_length=131072, **chat)
    return folder


def _write_model(model: PreTrainedModel, folder: Path) -> None:
    """Weights as large as a trained model's, so that what stands in a text shows in its score."""
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3) if weight.dim() > 1 else torch.nn.init.ones_(weight)
    model.save_pretrained(folder)


def _bytes(words: Mapping[str, int], special: Sequence[str]) -> Tokenizer:
    alphabet = {byte: number for number, byte in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE({**alphabet, **words}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    return tokenizer


def _write(folder: Path, **tokenizer: Any) -> None:
    about = {"tokenizer_class": "PreTrainedTokenizerFast", **tokenizer}
    (folder / "tokenizer_config.json").write_text(json.dumps(about), "utf-8")


# --- One that knows words only ---


def chance(query: str, passage: str) -> float:
    """The share of the query's words that stand in the passage, never quite none or all."""
    asked = set(lexemes.lexemes(query))
    return 0.01 + 0.98 * len(asked & set(lexemes.lexemes(passage))) / max(1, len(asked))


class WordReranker:
    """See reranker.Reranker. The fewer of the words a passage has, the better it finds it: no search would do so.
    `before` is called with the passages of each micro-batch of two."""

    def __init__(self, before: Callable[[Sequence[str]], None] | None = None) -> None:
        self.before = before
        self.asked: list[tuple[str, list[str], str]] = []

    def score(self, query: str, passages: Sequence[str], *, instruction: str = "", turn: Turn = nullcontext) -> Odds:
        if len(query) > 1_000:
            raise QueryTooLong
        self.asked.append((query, list(passages), instruction))
        for start in range(0, len(passages), 2):
            with turn():
                if self.before and query != "ready":
                    self.before(passages[start : start + 2])
        return odds_of(np.array([1 - chance(query, passage) for passage in passages]))


# --- A server ---


class Server(scripted.Server):
    """Speaks one of the two shapes, or whatever a step does."""

    served = "/v1/rerank"

    def __init__(self) -> None:
        super().__init__()
        self.usually = cohere


def chances_of(query: str, passages: Sequence[str]) -> Iterator[tuple[int, float]]:
    """Best first, as servers give them."""
    found = [(place, 1 - chance(query, passage)) for place, passage in enumerate(passages)]
    return iter(sorted(found, key=lambda one: -one[1]))


def cohere_answer(body: Body) -> Body:
    rows = [{"index": place, "relevance_score": one} for place, one in chances_of(body["query"], body["documents"])]
    return {"id": "1", "results": rows[: body["top_n"]], "meta": {}}


def cohere(call: Call, body: Body) -> None:
    """The shape of Cohere, Jina and vLLM."""
    if "documents" not in body:
        call.answer(422, {"detail": "documents: field required"})
        return
    call.answer(200, cohere_answer(body))


def text_embeddings_inference(call: Call, body: Body) -> None:
    if "texts" not in body:
        call.answer(422, {"error": "missing field `texts`", "error_type": "validation"})
        return
    rows = [{"index": place, "score": one} for place, one in chances_of(body["query"], body["texts"])]
    call.answer(200, rows)


def in_log_odds(call: Call, body: Body) -> None:
    answer = cohere_answer(body)
    for row in answer["results"]:
        row["relevance_score"] = float(np.log(row["relevance_score"] / (1 - row["relevance_score"])))
    call.answer(200, answer)


def changed(change: Callable[[list[Body]], object]) -> Step:
    """A good answer, its rows changed."""

    def step(call: Call, body: Body) -> None:
        answer = cohere_answer(body)
        change(answer["results"])
        call.answer(200, answer)

    return step
