"""Writes a tiny Qwen3-Embedding or Qwen3-Reranker folder as the one file that llama.cpp reads.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

_MAGIC, _VERSION, _ALIGNMENT = b"GGUF", 3, 32
_UINT32, _FLOAT32, _BOOL, _STRING, _ARRAY, _INT32 = 4, 6, 7, 8, 9, 5

_LAYER_PARTS = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
"""A part of a layer in a Qwen3Model -> its name in the file."""

_LAST_TOKEN, _RANK = 3, 4
"""Kinds of pooling."""

_NORMAL, _CONTROL = 1, 3
"""Kinds of tokens."""


def write(folder: Path, file: Path) -> None:
    """Write the encoder in `folder`, whose tokens are bytes, to `file` in float32."""
    config, tensors, tokens = _read(folder)
    _write(file, tensors, _facts(config, tokens))


def write_reranker(folder: Path, file: Path, *, template: str) -> None:
    """The same for a reranker; `template` has places for `{query}` and `{document}`."""
    config, tensors, tokens = _read(folder)
    embeddings = tensors["token_embd.weight"]
    # What it says next is looked at for two tokens alone.
    tensors["cls.output.weight"] = np.stack([embeddings[tokens.index(word)] for word in ("yes", "no")])
    answers = _array(_STRING, [_string("yes"), _string("no")])
    _write(
        file,
        tensors,
        _facts(config, tokens)
        | {"qwen3.pooling_type": _uint32(_RANK), "qwen3.classifier.output_labels": answers}
        | {"tokenizer.chat_template.rerank": _typed_string(template)},
    )


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Its config, its weights by their names in the file, its tokens."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    weights = load_file(folder / "model.safetensors")
    return config, {_name(name): weight for name, weight in weights.items()}, _tokens(folder, config["vocab_size"])


def _write(file: Path, tensors: Mapping[str, Any], facts: Mapping[str, bytes]) -> None:
    head = [_MAGIC, struct.pack("<IQQ", _VERSION, len(tensors), len(facts))]
    head += [_string(name) + value for name, value in facts.items()]
    at = 0
    for name, tensor in tensors.items():
        # Sizes from the innermost outwards.
        shape = tensor.shape[::-1]
        head.append(_string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, at))
        at += _padded(tensor.nbytes)
    start = b"".join(head)
    with file.open("wb") as output:
        output.write(start.ljust(_padded(len(start)), b"\0"))
        for tensor in tensors.values():
            output.write(tensor.astype("<f4").tobytes().ljust(_padded(tensor.nbytes), b"\0"))


def _facts(config: Mapping[str, Any], tokens: list[str]) -> dict[str, bytes]:
    special = config["eos_token_id"]
    kinds = [_CONTROL if number >= special else _NORMAL for number in range(len(tokens))]
    return {
        "general.architecture": _typed_string("qwen3"),
        "qwen3.block_count": _uint32(config["num_hidden_layers"]),
        "qwen3.context_length": _uint32(config["max_position_embeddings"]),
        "qwen3.embedding_length": _uint32(config["hidden_size"]),
        "qwen3.feed_forward_length": _uint32(config["intermediate_size"]),
        "qwen3.attention.head_count": _uint32(config["num_attention_heads"]),
        "qwen3.attention.head_count_kv": _uint32(config["num_key_value_heads"]),
        "qwen3.attention.key_length": _uint32(config["head_dim"]),
        "qwen3.attention.value_length": _uint32(config["head_dim"]),
        "qwen3.attention.layer_norm_rms_epsilon": struct.pack("<If", _FLOAT32, config["rms_norm_eps"]),
        "qwen3.rope.freq_base": struct.pack("<If", _FLOAT32, _theta(config)),
        "qwen3.pooling_type": _uint32(_LAST_TOKEN),
        "tokenizer.ggml.model": _typed_string("gpt2"),
        "tokenizer.ggml.pre": _typed_string("qwen2"),
        "tokenizer.ggml.tokens": _array(_STRING, [_string(token) for token in tokens]),
        "tokenizer.ggml.token_type": _array(_INT32, [struct.pack("<i", kind) for kind in kinds]),
        "tokenizer.ggml.merges": _array(_STRING, [_string("a b")]),
        "tokenizer.ggml.eos_token_id": _uint32(special),
        "tokenizer.ggml.padding_token_id": _uint32(special),
        "tokenizer.ggml.add_bos_token": struct.pack("<I?", _BOOL, False),
        "tokenizer.ggml.add_eos_token": struct.pack("<I?", _BOOL, True),
    }


def _theta(config: Mapping[str, Any]) -> float:
    return float(config.get("rope_theta") or config["rope_parameters"]["rope_theta"])


def _tokens(folder: Path, size: int) -> list[str]:
    """By number; numbers that stand for nothing have a name all the same."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    named = {number: token for token, number in tokenizer["model"]["vocab"].items()}
    named |= {added["id"]: added["content"] for added in tokenizer["added_tokens"]}
    return [named.get(number, f"<|unused {number}|>") for number in range(size)]


def _name(name: str) -> str:
    name = name.removeprefix("model.")
    if name == "embed_tokens.weight":
        return "token_embd.weight"
    if name == "norm.weight":
        return "output_norm.weight"
    _, layer, part = name.removesuffix(".weight").split(".", 2)
    return f"blk.{layer}.{_LAYER_PARTS[part]}.weight"


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _typed_string(text: str) -> bytes:
    return struct.pack("<I", _STRING) + _string(text)


def _uint32(number: int) -> bytes:
    return struct.pack("<II", _UINT32, number)


def _array(kind: int, items: list[bytes]) -> bytes:
    return struct.pack("<IIQ", _ARRAY, kind, len(items)) + b"".join(items)
