"""Models of a published shape with random weights, where the real ones cannot be had: speed does not depend on them.

Shapes from the models' `config.json`: https://huggingface.co/Qwen/Qwen3-Embedding-4B and its siblings; `tiny`, to try a
measurement out, is nobody's. The vocabulary is the bundled encoder's: a table of another size is looked up as quickly.
"""

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, processors

from embeddings import devices

_QWEN = {"num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 32_768, "rope_theta": 1_000_000}
SHAPES: dict[str, dict[str, Any]] = {
    "tiny": _QWEN
    | {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    | {"num_key_value_heads": 2, "head_dim": 16},
    "qwen3-embedding-0.6b": _QWEN
    | {"hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28, "num_attention_heads": 16},
    "qwen3-embedding-4b": _QWEN
    | {"hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36, "num_attention_heads": 32},
    "qwen3-embedding-8b": _QWEN
    | {"hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36, "num_attention_heads": 32},
}


def build(shape: str, folder: Path, *, bundled: Path) -> Path:
    """A sentence-transformers folder of this shape, in `folder`. The bundled encoder's folder lends its tokenizer."""
    import torch  # heavy: only a measurement of an encoder loads it
    from transformers import Qwen3Config, Qwen3Model

    tokenizer = Tokenizer.from_file(str(bundled / "tokenizer.json"))
    end = tokenizer.token_to_id("</s>")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", end)])
    config = Qwen3Config(vocab_size=tokenizer.get_vocab_size(), **SHAPES[shape])
    torch.manual_seed(1)
    device = devices.default_device()
    torch.set_default_dtype(getattr(torch, devices.dtype_on(device)))
    try:
        with torch.device(device):
            model = Qwen3Model(config)
    finally:
        torch.set_default_dtype(torch.float32)
    path = folder / shape
    model.save_pretrained(path)
    tokenizer.save(str(path / "tokenizer.json"))
    for name, content in _settings(config.hidden_size).items():
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text(json.dumps(content), "utf-8")
    return path


def _settings(width: int) -> dict[str, Any]:
    modules = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    return {
        "modules.json": [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, (path, kind) in enumerate(modules)
        ],
        "1_Pooling/config.json": {"word_embedding_dimension": width, "pooling_mode_lasttoken": True},
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "padding_side": "left",
            "pad_token": "</s>",
            "eos_token": "</s>",
            "model_max_length": 32_768,
        },
        "config_sentence_transformers.json": {
            "prompts": {"query": "Instruct: Find what answers the query\nQuery:", "document": ""},
            "similarity_fn_name": "cosine",
        },
    }
