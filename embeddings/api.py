"""OpenAI's embeddings API, for other programs: OpenAI's own clients work with it unchanged."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler

from embeddings import cutting, openai, requests, spaces
from embeddings.models import Space
from embeddings.queries import EncoderAway

TEXTS = 2_048
"""Most texts of a request: OpenAI's own limit."""

BODY_BYTES = 16 * 1024 * 1024
"""Largest body: TOKENS of a request in any script are smaller."""

AT_ONCE = 4
"""Requests under way in one web process, so that threads are left for people."""

_under_way = threading.BoundedSemaphore(AT_ONCE)


class Later(exceptions.APIException):
    """The encoder cannot take the request now; a client that tries again in a moment may find it can."""

    status_code = 503
    default_detail = "The encoder is not available just now."
    wait = 5


class Crowded(exceptions.Throttled):
    """More requests at once than are served."""


class TooLarge(exceptions.APIException):
    status_code = 413


class UnknownModel(exceptions.NotFound):
    default_code = "model_not_found"


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "maxItems": TEXTS}]})
class InputField(serializers.Field):  # type: ignore[type-arg]
    """A text, or a list of texts."""

    def to_internal_value(self, data: Any) -> list[str]:
        texts = [data] if isinstance(data, str) else data
        if not isinstance(texts, list) or not texts:
            raise serializers.ValidationError("must be a text or a list of texts.")
        if len(texts) > TEXTS:
            raise serializers.ValidationError(f"holds {len(texts)} texts; a request may have {TEXTS}.")
        if isinstance(texts[0], int | list):
            raise serializers.ValidationError("must be text: token ids mean something else to each model.")
        for place, text in enumerate(texts):
            _check_text(text, place)
        return texts

    def to_representation(self, value: Any) -> Any:
        return value


def _check_text(text: Any, place: int) -> None:
    if not isinstance(text, str) or not text:
        raise serializers.ValidationError(f"holds no text at place {place}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise serializers.ValidationError(f"holds half a character at place {place}.") from error


class EmbeddingsSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """OpenAI's fields, and two more: `input_type` and `instruction`."""

    model = serializers.CharField(max_length=300, trim_whitespace=False)
    input = InputField()
    dimensions = serializers.IntegerField(required=False, min_value=1)
    encoding_format = serializers.ChoiceField(["float", "base64"], default="float")
    user = serializers.CharField(required=False, allow_blank=True)
    input_type = serializers.ChoiceField(
        ["query", "passage"],
        required=False,
        help_text="Write the model's prompt for it in front of each text. Without it texts are encoded as they are.",
    )
    instruction = serializers.CharField(
        required=False,
        max_length=1_000,
        help_text="What queries look for, for models that take it; the texts are then queries.",
    )

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            raise serializers.ValidationError({str(unknown[0]): ["is not a field of this request."]})
        return super().to_internal_value(data)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "instruction" in attrs and attrs.setdefault("input_type", "query") != "query":
            raise serializers.ValidationError({"instruction": ["is for queries only."]})
        return attrs


class OpenAIView(APIView):
    """What all calls have in common: a token that may read is enough, and errors are of OpenAI's shape."""

    write_scope = "read"

    def get_exception_handler(self) -> Any:
        return _error


class EmbeddingsView(OpenAIView):
    """Embeddings of texts, by one of the encoders that this installation searches with."""

    @extend_schema(request=EmbeddingsSerializer, responses=dict)
    def post(self, request: Request) -> HttpResponse:
        if int(request.META.get("CONTENT_LENGTH") or 0) > BODY_BYTES:
            raise TooLarge(f"The request is larger than {BODY_BYTES // 2**20} MiB.")
        asked = EmbeddingsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        name, space = _asked_for(wanted["model"])
        dimensions = _dimensions(wanted, space)
        encoded = _encode(wanted, space)
        body = openai.embeddings_body(
            cutting.cut(encoded.embeddings, dimensions),
            model=name,
            tokens=encoded.tokens,
            in_base64=wanted["encoding_format"] == "base64",
        )
        return HttpResponse(msgspec.json.encode(body), content_type="application/json")


class ModelsView(OpenAIView):
    """The models that may be asked for: the configured one, and those of other spaces that are served just now."""

    @extend_schema(operation_id="v1_models_list", responses=dict)
    def get(self, request: Request) -> Response:
        return Response({"object": "list", "data": [_model(name, space) for name, space in _offered(_named()).items()]})


class ModelView(OpenAIView):
    """One model."""

    @extend_schema(responses=dict)
    def get(self, request: Request, name: str) -> Response:
        return Response(_model(*_asked_for(name)))


class NoSuchCall(OpenAIView):
    """Every other address below /v1."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise exceptions.NotFound(f"There is no call {request.method} {request.path}.")


def _current() -> Space:
    try:
        return spaces.current()
    except spaces.NoSpace as error:
        raise Later(str(error)) from error


def _named() -> dict[str, Space]:
    """All spaces by the names of their models, the configured one first, then the oldest. Of several with one model the
    first has its name, and the others have the beginning of their fingerprint behind it. Those that nobody serves just
    now keep theirs: what a name means does not hang on who has started."""
    current = _current()
    named: dict[str, Space] = {}
    for space in [current, *Space.objects.exclude(pk=current.pk).order_by("created_at", "pk")]:
        name = spaces.model_name(space)
        named[name if name not in named else _exactly(space)] = space
    return named


def _exactly(space: Space) -> str:
    return f"{spaces.model_name(space)}@{space.fingerprint[:8]}"


def _offered(named: Mapping[str, Space]) -> dict[str, Space]:
    """The first, and those others that are served just now."""
    first, *others = named.values()
    offered = {first.pk, *requests.served([space.pk for space in others])}
    return {name: space for name, space in named.items() if space.pk in offered}


def _asked_for(model: str) -> tuple[str, Space]:
    """The space of a model that is asked for by one of its names, and the first of these. Raises UnknownModel."""
    named = _named()
    offered = _offered(named)
    for name, space in named.items():
        if model in (name, space.model, _exactly(space)):
            if name in offered:
                return name, space
            break
    raise UnknownModel(f"The model {model!r} does not exist here. There is {', '.join(map(repr, offered))}.")


def _model(name: str, space: Space) -> dict[str, Any]:
    """Beyond OpenAI's fields, those by which vLLM names the weights and the longest text."""
    return {
        "id": name,
        "object": "model",
        "created": int(space.created_at.timestamp()),
        "owned_by": "concordance",
        "root": space.fingerprint,
        "max_model_len": space.max_tokens,
    }


def _dimensions(wanted: dict[str, Any], space: Space) -> int:
    dimensions: int = wanted.get("dimensions", space.dimensions)
    if dimensions > space.dimensions:
        raise serializers.ValidationError({"dimensions": [f"may be {space.dimensions} at most with this model."]})
    return dimensions


def _encode(wanted: dict[str, Any], space: Space) -> requests.Encoded:
    role, instruction = wanted.get("input_type", "bare"), wanted.get("instruction", "")
    try:
        with _place():
            return requests.encode(wanted["input"], space=space, role=role, instruction=instruction)
    except requests.Refusal as error:
        raise serializers.ValidationError({"input": [str(error)]}) from error
    except requests.Crowded as error:
        raise Crowded(wait=1, detail=str(error)) from error
    except EncoderAway as error:
        raise Later(str(error)) from error


@contextmanager
def _place() -> Iterator[None]:
    if not _under_way.acquire(blocking=False):
        raise requests.Crowded("Too many requests are under way.")
    try:
        yield
    finally:
        _under_way.release()


# --- Errors ---

_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}


def _error(exception: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to a call that went wrong: https://platform.openai.com/docs/guides/error-codes"""
    if isinstance(exception, OperationalError | InterfaceError):
        exception = Later("The database does not answer.")
    answer = exception_handler(exception, context)
    if answer is None:
        return None
    param = None
    detail = getattr(exception, "detail", str(exception))
    if isinstance(detail, dict):
        param, said = next(iter(detail.items()))
        detail = f"{param}: {said[0]}"
    elif isinstance(detail, list):
        detail = detail[0]
    code = exception.default_code if isinstance(exception, UnknownModel) else _CODES.get(answer.status_code)
    kind = "server_error" if answer.status_code >= 500 else "invalid_request_error"
    answer.data = openai.error_body(str(detail), kind=kind, param=param, code=code)
    return answer
