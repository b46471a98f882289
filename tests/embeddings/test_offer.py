"""What a server offers, and the sentence when it does not offer what the settings ask for."""

from collections.abc import Iterator

import pytest

from embeddings import endpoint, offer, prompts
from embeddings.encoder import EncoderError, EncoderUnavailable
from embeddings.fingerprint import Description
from tests import site
from tests.embeddings import scripted


@pytest.fixture
def server() -> Iterator[scripted.Server]:
    with scripted.Server().running() as server:
        yield server


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch) -> None:
    monkeypatch.setattr(endpoint, "_FIRST_PAUSE", 0.001)


def describe(server: scripted.Server, model: str = "", **more: object) -> Description:
    wanted = {"prompts_of": prompts.of_model, "dimensions": None, "max_tokens": 512, "key": ""} | more
    return offer.describe(server.endpoint(str(wanted.pop("key"))), model, **wanted)  # type: ignore[arg-type]


def test_it_works(server):
    about = describe(server)
    assert (about.name, about.dimensions, about.native_dimensions, about.max_tokens) == ("words", 64, 64, 500)
    assert describe(server, "words") == about
    assert describe(server, dimensions=16).dimensions == 16


@pytest.mark.parametrize(
    ("facts", "tokens"),
    [
        ({"max_model_len": 32_768}, 32_768),
        ({"meta": {"n_ctx": 256, "n_ctx_train": 40_960}}, 256),
        ({"max_model_len": None, "meta": None}, 512),
        ({}, 512),
    ],
)
def test_the_longest_text_is_what_the_server_says(server, facts, tokens):
    server.pages["/v1/models"] = (200, scripted.models({"id": "words", **facts}))
    assert describe(server).max_tokens == tokens


def test_another_concordance_has_its_configured_model_first(server):
    models = [{"id": name, "owned_by": "concordance"} for name in ("words", "words@5c20a2eb")]
    server.pages["/v1/models"] = (200, scripted.models(*models))
    assert describe(server).name == "words"
    server.pages["/v1/models"] = (200, scripted.models(models[0], {"id": "others", "owned_by": "somebody"}))
    with pytest.raises(EncoderError, match="has several models: set EMBEDDING_MODEL to one of words, others"):
        describe(server)


def test_the_fingerprint_is_of_the_weights_and_not_of_the_server(server):
    first = describe(server).fingerprint

    def offered(**facts: object) -> str:
        server.pages["/v1/models"] = (200, scripted.models({"id": "words", **facts}))
        return describe(server).fingerprint

    assert offered(owned_by="vllm", created=1, max_model_len=9) == offered(owned_by="sglang", created=2) == first
    assert describe(server, key="secret").fingerprint == first
    different = [offered(id="others"), offered(root="/models/words-v2"), describe(server, dimensions=16).fingerprint]
    different.append(describe(server, prompts_of=lambda name: prompts.Prompts("query: ")).fingerprint)
    assert len({first, *different}) == 5
    with scripted.Server().running() as elsewhere:
        assert describe(elsewhere).fingerprint == first


def test_a_server_with_one_model_and_no_list_is_asked_for_it_outside(server):
    server.pages = {"/info": (200, {"model_id": "BAAI/bge-m3", "model_sha": "5617a9f", "max_input_length": 8_192})}
    about = describe(server)
    assert (about.name, about.max_tokens) == ("BAAI/bge-m3", 8_192)
    with pytest.raises(EncoderError, match=r"has no model 'words'; it has BAAI/bge-m3\."):
        describe(server, "words")


def test_a_server_that_says_nothing_has_the_model_that_is_named(server):
    server.pages = {}
    assert describe(server, "words").name == "words"


def test_a_tag_may_be_left_out(server):
    server.pages["/v1/models"] = (200, scripted.models({"id": "nomic-embed-text:latest"}, {"id": "llama:7b"}))
    assert describe(server, "nomic-embed-text").name == "nomic-embed-text:latest"


@pytest.mark.parametrize(
    ("pages", "model", "key", "sentence"),
    [
        ((401, {}), "", "", "asks for a key (401): set EMBEDDING_API_KEY."),
        ((403, {}), "", "secret", "does not accept EMBEDDING_API_KEY (403)."),
        (
            (200, scripted.models({"id": "a"}, {"id": "b"})),
            "",
            "",
            "set EMBEDDING_MODEL to one of a, b.",
        ),
        ((200, scripted.models({"id": "a"}, {"id": "b"})), "words", "", "has no model 'words'; it has a, b."),
        ((200, scripted.models()), "words", "", "has no model 'words'; it has none."),
        ((200, scripted.models()), "", "", "has no model yet."),
        ((200, {"models": []}), "", "", "is not an OpenAI-compatible server: "),
        ((200, ["words"]), "", "", "is not an OpenAI-compatible server: "),
        ((200, scripted.models("words")), "", "", "is not an OpenAI-compatible server: "),
        ((400, {"detail": "What?"}), "", "", "is not an OpenAI-compatible server: "),
        ((404, {}), "", "", "does not say which models it has: set EMBEDDING_MODEL."),
    ],
)
def test_what_cannot_be_used_is_said(server, pages, model, key, sentence):
    server.pages = {"/v1/models": pages}
    with pytest.raises(EncoderError) as refused:
        describe(server, model, key=key)
    assert sentence in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (scripted.refusing(404), "words at {url} gives no embeddings: "),
        (
            scripted.refusing(400, "not an embedding model"),
            "gives no embeddings: The server at {url} answered 400: not",
        ),
        (scripted.refusing(401), "asks for a key (401)"),
    ],
)
def test_a_model_that_gives_no_embeddings_is_said(server, step, sentence):
    server.usually = step
    with pytest.raises(EncoderError) as refused:
        describe(server)
    assert sentence.format(url=server.url) in str(refused.value)


def test_dimensions_it_has_not_are_refused(server):
    with pytest.raises(EncoderError, match=r"words gives 1 to 64 dimensions, not 65\."):
        describe(server, dimensions=65)


def test_a_server_that_is_not_there_may_come():
    nobody = endpoint.Endpoint(f"http://127.0.0.1:{site.free_port()}/v1")
    with pytest.raises(EncoderUnavailable, match=r"cannot be reached: .*Connection refused"):
        offer.describe(nobody, "", prompts_of=prompts.of_model, dimensions=None, max_tokens=512)
