"""What a sentence-transformers folder says of its model in its JSON files."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embeddings import prompts
from embeddings.encoder import EncoderError

_QUERY_NAMES = ("query",)
_PASSAGE_NAMES = ("document", "passage", "corpus")
"""Names of prompts in the order in which sentence-transformers looks for them."""

_POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""How folders written before sentence-transformers 5 name the pooling."""


@dataclass(frozen=True)
class Layout:
    """A model folder, read without loading the model."""

    name: str
    module_folders: tuple[Path, ...]
    """Where the model's modules keep their files, in the order they run."""
    pooling: str
    native_dimensions: int
    max_tokens: int
    """What the model reads of a text, prompt and special tokens counted in; the rest is cut off."""
    query_prompt: str
    passage_prompt: str

    def query_prompt_for(self, instruction: str) -> str:
        """The query prompt with `instruction` as its task. The model's own where that is empty, or where its prompt
        names no task."""
        return prompts.with_instruction(self.query_prompt, instruction)


def read(folder: Path) -> Layout:
    """The layout of the model in `folder`. Raises EncoderError when it is not a sentence-transformers folder."""
    modules = _load(folder / "modules.json")
    for needed in ("modules.json", "config.json", "tokenizer.json"):
        if not (folder / needed).is_file():
            raise EncoderError(f"{folder} is not a sentence-transformers model: it has no {needed}.")
    pooling = _of_module(folder, modules, "Pooling")
    named = _load(folder / "config_sentence_transformers.json").get("prompts") or {}
    return Layout(
        name=_name(folder),
        module_folders=tuple(folder / module["path"] for module in modules),
        pooling=_pooling(pooling),
        native_dimensions=_native_dimensions(pooling, _of_module(folder, modules, "Dense")),
        max_tokens=_max_tokens(folder),
        query_prompt=_first(named, _QUERY_NAMES),
        passage_prompt=_first(named, _PASSAGE_NAMES),
    )


def _load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _of_module(folder: Path, modules: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The settings of the last module of a kind; none where there is no such module."""
    settings: dict[str, Any] = {}
    for module in modules:
        if module["type"].rpartition(".")[2] == kind:
            settings = _load(folder / module["path"] / "config.json")
    return settings


def _name(folder: Path) -> str:
    """The hub's name of a model where the folder stands in the hub's cache, else the folder's own."""
    for part in folder.parts:
        if part.startswith("models--"):
            return part.removeprefix("models--").replace("--", "/")
    return folder.name


def _pooling(settings: dict[str, Any]) -> str:
    """The names of the modes in use, joined by "+"."""
    modes = settings.get("pooling_mode") or [name for flag, name in _POOLING_FLAGS.items() if settings.get(flag)]
    return modes if isinstance(modes, str) else "+".join(modes)


def _native_dimensions(pooling: dict[str, Any], dense: dict[str, Any]) -> int:
    if dense:
        return int(dense["out_features"])
    width = pooling.get("embedding_dimension") or pooling.get("word_embedding_dimension")
    if not width:
        raise EncoderError("The model does not say how many dimensions its embeddings have: it has no Pooling module.")
    return int(width) * (1 + _pooling(pooling).count("+"))


def _max_tokens(folder: Path) -> int:
    """The least of the limits that model, tokenizer and sentence-transformers set."""
    limits = (
        _load(folder / "sentence_bert_config.json").get("max_seq_length"),
        _load(folder / "tokenizer_config.json").get("model_max_length"),
        _load(folder / "config.json").get("max_position_embeddings"),
    )
    given = [int(limit) for limit in limits if limit]
    if not given:
        raise EncoderError(f"The model in {folder} does not say how many tokens it reads.")
    return min(given)


def _first(prompts: dict[str, str], names: tuple[str, ...]) -> str:
    return next((prompts[name] for name in names if name in prompts), "")
