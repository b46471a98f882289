"""The shapes of OpenAI's embeddings API, both ways: https://platform.openai.com/docs/api-reference/embeddings"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32]
"""float32 [n, dimensions] as a server gave them: of any length, finite or not."""


class BadAnswer(ValueError):
    """What a server sent are not the embeddings that were asked for."""


def embeddings_body(embeddings: Numbers, *, model: str, tokens: int, in_base64: bool) -> dict[str, Any]:
    """The answer that carries these embeddings."""
    rows = [_base64(row) for row in embeddings] if in_base64 else embeddings.tolist()
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(rows)],
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def error_body(
    message: str, *, kind: str = "invalid_request_error", param: str | None = None, code: str | None = None
) -> Any:
    """The answer that says what went wrong."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def read_embeddings(answer: Any, *, rows: int) -> Numbers:
    """The embeddings in a server's answer, in the order of the texts. Raises BadAnswer."""
    try:
        data = answer["data"]
        found = {int(item.get("index", place)): item["embedding"] for place, item in enumerate(data)}
        if len(data) != rows or set(found) != set(range(rows)):
            raise BadAnswer(f"it holds embeddings of other texts than the {rows} that were sent")
        numbers = np.stack([_numbers(found[index]) for index in range(rows)])
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise BadAnswer("it is not of the shape of an embeddings answer") from error
    except (ValueError, binascii.Error) as error:
        raise BadAnswer(str(error)) from error
    if numbers.ndim != 2 or not numbers.size:
        raise BadAnswer("its embeddings are not lists of numbers")
    return numbers


def read_error(answer: Any) -> str:
    """The message in a server's error, however it is wrapped; empty where there is none."""
    while isinstance(answer, dict):
        answer = next((answer[name] for name in ("error", "message", "detail") if name in answer), "")
    return answer if isinstance(answer, str) else ""


def _base64(row: Numbers) -> str:
    return base64.b64encode(row.astype("<f4").tobytes()).decode()


def _numbers(given: str | Sequence[float]) -> Numbers:
    if isinstance(given, str):
        return np.frombuffer(base64.b64decode(given, validate=True), dtype="<f4").astype(np.float32)
    return np.array(given, dtype=np.float32)
