"""`/v1`, as OpenAI's own client and our encoder on a server find it."""

import base64
import uuid
from collections.abc import Iterator

import numpy as np
import openai
import pytest
from rest_framework.test import APIClient

from embeddings import api as v1
from embeddings import offer, probe, prompts, requests, serving, spaces
from embeddings.encoder import EncoderError
from embeddings.endpoint import Endpoint
from embeddings.hashing import HashingEncoder, HashingTokenizer
from embeddings.remote import RemoteEncoder
from kb.models import AccessToken
from tests.conftest import client_of
from tests.kb.running import waiting

pytestmark = pytest.mark.django_db

TEXTS = ["the tide turns", "twice a day", "潮水每天涨落"]
EXPECTED = HashingEncoder().encode_passages(TEXTS)


@pytest.fixture(scope="module", autouse=True)
def _desk() -> Iterator[None]:
    answering = requests.Answering()
    pulse = requests._pulse_key(serving.server().space_id)
    waiting.until(lambda: bool(requests._client().exists(pulse)), seconds=30)
    yield
    answering.stop()


@pytest.fixture
def secret(alice, space) -> str:
    return AccessToken.objects.issue(alice, "test", scopes=["read"])[1]


@pytest.fixture
def client(live_server, secret) -> Iterator[openai.OpenAI]:
    # An open connection would keep a thread of the server, and with it one to the database.
    with openai.OpenAI(base_url=f"{live_server.url}/v1", api_key=secret, max_retries=0) as client:
        yield client


def numbers(answer: openai.types.CreateEmbeddingResponse) -> np.ndarray:
    return np.array([one.embedding for one in answer.data], dtype=np.float32)


@pytest.mark.django_db(transaction=True)
class TestOpenAIClient:
    def test_it_works(self, client):
        answer = client.embeddings.create(model="hashing", input=TEXTS)
        np.testing.assert_allclose(numbers(answer), EXPECTED, atol=1e-6)
        assert [one.index for one in answer.data] == [0, 1, 2]
        assert (answer.model, answer.object, answer.data[0].object) == ("hashing", "list", "embedding")
        assert answer.usage.prompt_tokens == answer.usage.total_tokens == 12

    @pytest.mark.parametrize("encoding", ["float", "base64"])
    def test_floats_and_base64(self, client, encoding):
        answer = client.embeddings.create(model="hashing", input=TEXTS, encoding_format=encoding, user="somebody")
        found = [openai_numbers(one.embedding) for one in answer.data]
        np.testing.assert_allclose(found, EXPECTED, atol=1e-6)

    def test_one_text(self, client):
        answer = client.embeddings.create(model="hashing", input=TEXTS[0])
        np.testing.assert_allclose(numbers(answer), EXPECTED[:1], atol=1e-6)

    def test_dimensions_are_cut_and_brought_to_unit_length(self, client):
        found = numbers(client.embeddings.create(model="hashing", input=TEXTS, dimensions=16))
        cut = EXPECTED[:, :16] / np.linalg.norm(EXPECTED[:, :16], axis=1, keepdims=True)
        np.testing.assert_allclose(found, cut, atol=1e-6)

    @pytest.mark.parametrize(
        "more",
        [{"instruction": "Find rulings"}, {"input_type": "query"}, {"input_type": "passage"}],
    )
    def test_extensions(self, client, more):
        assert len(client.embeddings.create(model="hashing", input=TEXTS, extra_body=more).data) == 3

    def test_models(self, client, space):
        listed = client.models.list().data
        assert [one.id for one in listed] == ["hashing"]
        one = client.models.retrieve("hashing")
        assert (one.object, one.owned_by, one.created) == ("model", "concordance", int(space.created_at.timestamp()))
        assert one.model_extra == {"root": space.fingerprint, "max_model_len": space.max_tokens}

    def test_a_model_of_the_hub_has_its_name(self, client, space, settings):
        settings.EMBEDDING_MODEL = space.model = "Qwen/Qwen3-Embedding-4B"
        space.save()
        assert client.models.retrieve("Qwen/Qwen3-Embedding-4B").id == "Qwen/Qwen3-Embedding-4B"
        assert client.embeddings.create(model="Qwen/Qwen3-Embedding-4B", input="tide").model == space.model

    @pytest.mark.parametrize(
        ("model", "name"), [("bundled", "multilingual-e5-small"), ("/srv/models/our-own", "our-own")]
    )
    def test_a_folder_is_not_told(self, client, space, settings, model, name):
        settings.EMBEDDING_MODEL = space.model = model
        space.save()
        assert [one.id for one in client.models.list().data] == [name]
        assert client.embeddings.create(model=model, input="tide").model == name

    def test_every_space_that_is_served_is_a_model(self, client, space, qwen_folder):
        path = str(qwen_folder)
        others = [
            spaces.keep(spaces.of(path, spaces.describe(path, dtype="float32"))),
            spaces.keep(spaces.of("hashing", spaces.describe("hashing", dimensions=96))),
        ]
        spaces.keep(spaces.of("hashing", spaces.describe("hashing", dimensions=80)))  # which nobody serves
        serving.servers([space, *others])
        waiting.until(lambda: len(client.models.list().data) == 3, seconds=30)
        exactly = f"hashing@{others[1].fingerprint[:8]}"
        assert [one.id for one in client.models.list().data] == ["hashing", "tiny-qwen3", exactly]
        for name, one in zip(["tiny-qwen3", exactly], others, strict=True):
            answer = client.embeddings.create(model=name, input=TEXTS)
            expected = serving.server(one).encoder.encode_prompted(TEXTS, prompt="")
            np.testing.assert_allclose(numbers(answer), expected, atol=1e-5)
            assert answer.model == client.models.retrieve(name).id == name
        assert client.embeddings.create(model=f"hashing@{space.fingerprint[:8]}", input="tide").model == "hashing"
        with pytest.raises(openai.BadRequestError, match="dimensions: may be 96 at most"):
            client.embeddings.create(model=exactly, input="tide", dimensions=97)
        with pytest.raises(openai.NotFoundError, match="There is 'hashing', 'tiny-qwen3', 'hashing@"):
            client.embeddings.create(model="gpt", input="tide")
        serving.servers([space])
        waiting.until(lambda: len(client.models.list().data) == 1, seconds=30)
        with pytest.raises(openai.NotFoundError):
            client.embeddings.create(model="tiny-qwen3", input="tide")

    def test_a_name_means_the_same_whoever_is_served(self, client, space, qwen_folder):
        path = str(qwen_folder)
        first, second = (
            spaces.keep(spaces.of(path, spaces.describe(path, dtype="float32", dimensions=size))) for size in (64, 32)
        )
        exactly = f"tiny-qwen3@{second.fingerprint[:8]}"
        serving.servers([space, second])
        waiting.until(lambda: len(client.models.list().data) == 2, seconds=30)
        assert [one.id for one in client.models.list().data] == ["hashing", exactly]
        for name in ("tiny-qwen3", path, f"tiny-qwen3@{first.fingerprint[:8]}"):
            with pytest.raises(openai.NotFoundError):
                client.embeddings.create(model=name, input="tide")
        assert numbers(client.embeddings.create(model=exactly, input="tide")).shape == (1, 32)
        serving.servers([space])
        waiting.until(lambda: len(client.models.list().data) == 1, seconds=30)

    def test_its_errors_are_the_client_s(self, client):
        with pytest.raises(openai.NotFoundError, match="There is 'hashing'") as missing:
            client.embeddings.create(model="gpt", input="tide")
        assert missing.value.code == "model_not_found"
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("gpt")
        with pytest.raises(openai.NotFoundError, match="There is no call POST /v1/chat/completions"):
            client.chat.completions.create(model="hashing", messages=[])
        with pytest.raises(openai.BadRequestError, match="dimensions: may be 64 at most") as bad:
            client.embeddings.create(model="hashing", input="tide", dimensions=65)
        assert (bad.value.param, bad.value.type) == ("dimensions", "invalid_request_error")
        with client.with_options(api_key="wrong") as stranger, pytest.raises(openai.AuthenticationError) as unknown:
            stranger.embeddings.create(model="hashing", input="tide")
        assert unknown.value.code == "invalid_api_key"


def openai_numbers(embedding: object) -> np.ndarray:
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding), dtype="<f4")
    return np.array(embedding, dtype=np.float32)


@pytest.mark.django_db(transaction=True)
class TestRemoteEncoder:
    @pytest.fixture
    def server(self, live_server, secret) -> Iterator[Endpoint]:
        server = Endpoint(f"{live_server.url}/v1", secret)
        yield server
        server.close()

    def test_it_works(self, server, space):
        about = offer.describe(server, "", prompts_of=prompts.of_model, dimensions=None, max_tokens=9)
        assert (about.name, about.dimensions, about.max_tokens) == ("hashing", 64, space.max_tokens)
        known = RemoteEncoder(server, about, tokenizer=HashingTokenizer()).probe()
        np.testing.assert_allclose(known, HashingEncoder().encode_passages(probe.TEXTS), atol=1e-6)
        encoder = RemoteEncoder(server, about, tokenizer=HashingTokenizer(), known=known)
        texts = [f"{text} {number}" for number in range(40) for text in TEXTS]
        found = encoder.encode_passages(texts)
        np.testing.assert_allclose(found, HashingEncoder().encode_passages(texts), atol=1e-6)

    def test_weights_that_change_are_another_space(self, server, space):
        first = offer.describe(server, "", prompts_of=prompts.of_model, dimensions=None, max_tokens=9)
        space.fingerprint = "0" * 64
        space.save()
        second = offer.describe(server, "", prompts_of=prompts.of_model, dimensions=None, max_tokens=9)
        assert first.fingerprint != second.fingerprint

    @pytest.mark.parametrize("secret", ["wrong"])
    def test_a_wrong_key_is_said(self, server, space):
        with pytest.raises(EncoderError, match="does not accept EMBEDDING_API_KEY"):
            offer.describe(server, "", prompts_of=prompts.of_model, dimensions=None, max_tokens=9)


def send(client: APIClient, **body: object):
    return client.post("/v1/embeddings", {"model": "hashing", "input": "tide"} | body)


class TestWhoMay:
    def test_a_token_that_may_read_is_enough(self, alice, space):
        assert send(client_of(alice, scopes=("read",))).status_code == 200

    @pytest.mark.parametrize(("method", "path"), [("post", "/v1/embeddings"), ("get", "/v1/models"), ("get", "/v1/x")])
    def test_nobody_without_one(self, space, method, path):
        answer = getattr(APIClient(), method)(path)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"
        assert answer["WWW-Authenticate"] == "Bearer"

    def test_only_so_often(self, api, space, monkeypatch):
        monkeypatch.setattr("kb.throttling.Throttle.THROTTLE_RATES", {"embeddings": "2/min"})
        assert [send(api).status_code for _ in range(3)] == [200, 200, 429]
        refused = send(api)
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert 0 < int(refused["Retry-After"]) <= 60


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("wrong", "param"),
        [
            ({"input": []}, "input"),
            ({"input": ""}, "input"),
            ({"input": ["tide", ""]}, "input"),
            ({"input": [15339, 1917]}, "input"),
            ({"input": [[15339, 1917]]}, "input"),
            ({"input": ["tide", 5]}, "input"),
            ({"input": None}, "input"),
            ({"input": {"text": "tide"}}, "input"),
            ({"input": ["tide"] * 2_049}, "input"),
            ({"input": "word " * 8_193}, "input"),
            ({"model": ""}, "model"),
            ({"model": None}, "model"),
            ({"dimensions": 0}, "dimensions"),
            ({"dimensions": "many"}, "dimensions"),
            ({"encoding_format": "hex"}, "encoding_format"),
            ({"input_type": "document"}, "input_type"),
            ({"instruction": "Find", "input_type": "passage"}, "instruction"),
            ({"instruction": "x" * 1_001}, "instruction"),
            ({"truncate": True}, "truncate"),
        ],
    )
    def test_with_its_field(self, api, space, wrong, param):
        answer = send(api, **wrong)
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert (error["param"], error["type"], error["code"]) == (param, "invalid_request_error", None)
        assert error["message"].startswith(f"{param}: ")

    @pytest.mark.parametrize(
        ("body", "media_type", "status"),
        [
            ("{", "application/json", 400),
            ("[]", "application/json", 400),
            (r'{"model": "hashing", "input": "half a \ud83d character"}', "application/json", 400),
            ('"tide"', "application/json", 400),
            ("model=hashing&input=tide", "application/x-www-form-urlencoded", 415),
        ],
    )
    def test_what_is_no_request(self, api, space, body, media_type, status):
        answer = api.generic("POST", "/v1/embeddings", body, content_type=media_type)
        assert answer.status_code == status
        assert answer.json()["error"]["type"] == "invalid_request_error"

    def test_a_body_that_is_too_large(self, api, space, monkeypatch):
        monkeypatch.setattr(v1, "BODY_BYTES", 20)
        assert send(api).status_code == 413

    @pytest.mark.parametrize(("method", "path"), [("get", "/v1/embeddings"), ("delete", "/v1/models/hashing")])
    def test_another_method(self, api, space, method, path):
        answer = getattr(api, method)(path)
        assert answer.status_code == 405
        assert answer.json()["error"]["type"] == "invalid_request_error"

    def test_more_at_once_than_threads_can_be_spared(self, api, space):
        for _ in range(v1.AT_ONCE):
            v1._under_way.acquire()
        answer = send(api)
        for _ in range(v1.AT_ONCE):
            v1._under_way.release()
        assert (answer.status_code, answer["Retry-After"]) == (429, "1")
        assert send(api).status_code == 200

    def test_without_an_encoder_it_is_said(self, api, space, settings):
        space.pk, space.fingerprint, space.name = uuid.uuid4(), "1" * 64, "away"
        settings.EMBEDDING_MODEL = space.model = "away"
        space.save(force_insert=True)
        answer = send(api, model="away")
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert answer.json()["error"]["type"] == "server_error"

    def test_before_it_is_prepared_it_is_said(self, api):
        answer = api.get("/v1/models")
        assert answer.status_code == 503
        assert "manage.py prepare" in answer.json()["error"]["message"]
