"""What a server offers: which models, and what it says of the one that is asked for."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from embeddings import endpoint, probe, prompts
from embeddings.encoder import EncoderError, EncoderUnavailable
from embeddings.endpoint import Endpoint, Refused
from embeddings.fingerprint import Description

Facts = Mapping[str, Any]
"""What a server says of one model: its `id`, and perhaps its `root` and the longest text it takes."""


def describe(
    server: Endpoint,
    model: str,
    *,
    prompts_of: Callable[[str], prompts.Prompts],
    dimensions: int | None,
    max_tokens: int,
) -> Description:
    """The encoder that a server offers as `model`; as the only one it has, where that is empty.

    Raises EncoderError with a sentence on what to change, or EncoderUnavailable while the server does not answer.
    """
    facts = _choose(server, model, _models(server, model))
    name = str(facts["id"])
    native = _native_dimensions(server, name)
    wanted = dimensions or native
    if not 0 < wanted <= native:
        raise EncoderError(f"{name} gives 1 to {native} dimensions, not {wanted}.")
    prompted = prompts_of(name)
    # Not what the server's program is, nor how long a text it takes: the same weights give the same numbers elsewhere.
    # That they are the same is what the probe tells.
    decisive = ["remote", name, facts.get("root"), wanted, prompted.query, prompted.passage]
    return Description(
        fingerprint=hashlib.sha256(json.dumps(decisive).encode()).hexdigest(),
        name=name,
        dimensions=wanted,
        dtype="remote",
        pooling="remote",
        query_prompt=prompted.query,
        passage_prompt=prompted.passage,
        max_tokens=_max_tokens(facts) or max_tokens,
        native_dimensions=native,
    )


def _models(server: Endpoint, model: str) -> list[Facts]:
    """The models a server says it has. Raises EncoderError."""
    try:
        answer = server.ask("/models")
    except Refused as error:
        if error.status in (404, 405):
            return _only_model(server, model)
        raise EncoderError(_why_refused(server, error)) from error
    listed = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) and "id" in one for one in listed):
        raise EncoderError(f"{server.url} is not an OpenAI-compatible server: {server.url}/models lists no models.")
    return listed


def _only_model(server: Endpoint, model: str) -> list[Facts]:
    """Of a server without a list: Text Embeddings Inference has one model, and says which outside of /v1."""
    try:
        about = server.ask(f"{server.origin}/info")
    except (Refused, EncoderUnavailable):
        about = {}
    if isinstance(about, dict) and "model_id" in about:
        return [{"id": about["model_id"], "root": about.get("model_sha"), **about}]
    if model:
        return [{"id": model}]
    raise EncoderError(f"The server at {server.url} does not say which models it has: set EMBEDDING_MODEL.")


def _why_refused(server: Endpoint, error: Refused) -> str:
    if error.status not in (401, 403):
        return f"{server.url} is not an OpenAI-compatible server: {error}"
    if server.has_key:
        return f"The server at {server.url} does not accept EMBEDDING_API_KEY ({error.status})."
    return f"The server at {server.url} asks for a key ({error.status}): set EMBEDDING_API_KEY."


def _choose(server: Endpoint, model: str, offered: Sequence[Facts]) -> Facts:
    names = ", ".join(str(one["id"]) for one in offered) or "none"
    if not model:
        if not offered:
            raise EncoderError(f"The server at {server.url} has no model yet.")
        if len(offered) > 1 and not _by_another_of_us(offered):
            raise EncoderError(f"The server at {server.url} has several models: set EMBEDDING_MODEL to one of {names}.")
        return offered[0]
    # Ollama lists models with a tag that may be left out when they are asked for.
    chosen = next((one for one in offered if one["id"] in (model, f"{model}:latest")), None)
    if chosen is None:
        raise EncoderError(f"The server at {server.url} has no model {model!r}; it has {names}.")
    return chosen


def _by_another_of_us(offered: Sequence[Facts]) -> bool:
    """Another Concordance: the model that it is configured with comes first."""
    return all(one.get("owned_by") == "concordance" for one in offered)


def _native_dimensions(server: Endpoint, name: str) -> int:
    try:
        return int(server.embed(name, probe.TEXTS[:1], {}, endpoint.START).shape[1])
    except Refused as error:
        if error.status in (401, 403):
            raise EncoderError(_why_refused(server, error)) from error
        raise EncoderError(f"{name} at {server.url} gives no embeddings: {error}") from error


def _max_tokens(facts: Facts) -> int:
    """By the names that vLLM and SGLang, Text Embeddings Inference, and llama.cpp give it; 0 where it is not said."""
    meta = facts.get("meta")
    inside = meta if isinstance(meta, dict) else {}
    given = (facts.get("max_model_len"), facts.get("max_input_length"), inside.get("n_ctx"))
    return next((int(number) for number in given if isinstance(number, int) and number > 0), 0)
