"""Two model folders: the bundled encoder's, and a tiny one laid out as Qwen3-Embedding is published."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors
from transformers import Qwen3Config, Qwen3Model

from embeddings import bundled

QUERY_PROMPT = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"


@pytest.fixture(scope="session")
def bundled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundled.build(tmp_path_factory.mktemp("models") / "multilingual-e5-small")


@pytest.fixture(scope="session")
def qwen_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of https://huggingface.co/Qwen/Qwen3-Embedding-0.6B, with two small layers of random weights."""
    folder = tmp_path_factory.mktemp("models") / "tiny-qwen3"
    torch.manual_seed(7)
    config = Qwen3Config(
        vocab_size=260,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=256,
        eos_token_id=256,
        pad_token_id=256,
    )
    # Weights as large as a trained model's, so that what the positions and neighbours of a token are shows clearly.
    model = Qwen3Model(config)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3) if weight.dim() > 1 else torch.nn.init.ones_(weight)
    model.save_pretrained(folder)
    _byte_tokenizer().save(str(folder / "tokenizer.json"))
    _write(folder / "tokenizer_config.json", _TOKENIZER)
    _write(folder / "modules.json", _MODULES)
    _write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 64, "pooling_mode_lasttoken": True})
    prompts = {"query": QUERY_PROMPT, "document": ""}
    _write(folder / "config_sentence_transformers.json", {"prompts": prompts, "similarity_fn_name": "cosine"})
    return folder


def _byte_tokenizer() -> Tokenizer:
    """A byte is a token, and the end token follows the text, as Qwen3-Embedding's tokenizer.json has it."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({byte: number for number, byte in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", special=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <|endoftext|>", special_tokens=[("<|endoftext|>", 256)]
    )
    return tokenizer


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


_TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "padding_side": "left",
    "pad_token": "<|endoftext|>",
    "model_max_length": 131072,
}

_MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]
