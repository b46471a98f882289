"""JSON that is nested too deeply, wherever it is sent."""

import json

import pytest

from kb.parsers import DEPTH
from tests.kb.test_api import send

pytestmark = pytest.mark.django_db

FAR = 3_000
"""Far beyond what Python's own reader bears."""


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def within(levels: int) -> str:
    """Objects instead, the innermost empty."""
    return '{"a": ' * (levels - 1) + "{}" + "}" * (levels - 1)


@pytest.mark.parametrize("levels", [DEPTH + 1, 900, FAR, 200_000])
@pytest.mark.parametrize("form", [nested, within])
@pytest.mark.parametrize("path", ["search/", "collections/"])
def test_the_api_refuses_it_with_a_sentence(api, space, path, form, levels):
    answer = api.generic("POST", f"/api/v1/{path}", form(levels), content_type="application/json")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"] == f"The JSON is nested more than {DEPTH} levels deep."


@pytest.mark.parametrize("path", ["documents/{}/", "collections/{}/"])
def test_what_is_changed_too(api, collection, upload, path):
    document = upload("tides.md", "# Tides")
    address = f"/api/v1/{path.format(document.pk if 'documents' in path else collection.pk)}"
    answer = api.generic("PATCH", address, within(FAR), content_type="application/json")
    assert (answer.status_code, answer.json()["title"]) == (400, "Bad Request")


def test_so_does_openai_s(api, space):
    body = f'{{"model": "hashing", "input": {nested(FAR)}}}'
    answer = api.generic("POST", "/v1/embeddings", body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == f"The JSON is nested more than {DEPTH} levels deep."
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("levels", [DEPTH + 1, FAR])
def test_metadata_in_a_form(api, collection, levels):
    answer = send(api, collection, metadata=within(levels))
    assert answer.status_code == 400
    assert "metadata" in answer.json()["errors"]


def test_what_is_nested_so_far_is_kept(api, collection):
    document = send(api, collection, metadata=within(DEPTH)).json()
    assert document["metadata"] == json.loads(within(DEPTH))
    address = f"/api/v1/documents/{document['id']}/"
    changed = json.dumps({"metadata": json.loads(within(DEPTH - 1))})
    assert api.generic("PATCH", address, changed, content_type="application/json").status_code == 200
