"""Golden queries and evaluation runs by the REST API."""

import uuid
from io import BytesIO

import pytest

from kb.models import AccessToken, Collection, Document, Membership, Role
from search import evaluation, formats, runs
from search.models import EvaluationRun, GoldenQuery
from tests.conftest import client_of
from tests.search.conftest import chunk_with

pytestmark = pytest.mark.django_db


@pytest.fixture
def address(collection) -> str:
    return f"/api/v1/collections/{collection.pk}/golden/"


@pytest.fixture
def evaluations(collection) -> str:
    return f"/api/v1/collections/{collection.pk}/evaluations/"


def test_one_is_made_read_listed_and_deleted(notes, api, address):
    chunk = chunk_with("moon pulls")
    judgements = [
        {"document": str(notes["boats"].pk), "grade": 1},
        {"document": str(notes["tides"].pk), "revision": 1, "chars": [0, 5], "grade": 0},
        {"passage": str(chunk.pk)},
    ]
    made = api.post(address, {"query": "what pulls  the sea?", "judgements": judgements})
    assert made.status_code == 201
    body = made.json()
    assert (body["query"], body["language"], body["created_by"]) == ("what pulls the sea?", "en", "alice")
    assert body["judgements"] == [
        {"document": str(notes["tides"].pk), "revision": 1, "chars": [chunk.start, chunk.end], "grade": 3},
        {"document": str(notes["boats"].pk), "revision": None, "chars": None, "grade": 1},
        {"document": str(notes["tides"].pk), "revision": 1, "chars": [0, 5], "grade": 0},
    ]
    assert api.get(f"{address}{body['id']}/").json() == body
    assert api.get(address).json()["results"] == [body]
    assert api.delete(f"{address}{body['id']}/").status_code == 204
    assert api.get(address).json()["results"] == []


def test_what_is_said_of_it_is_kept(notes, api, address):
    body = api.post(address, {"query": "x", "language": "ZH-hans", "note": "y"}).json()
    assert (body["language"], body["note"], body["judgements"]) == ("zh", "y", [])


def test_what_makes_no_sense_is_400(notes, golden, api, address):
    golden("known")
    tides, nothing = str(notes["tides"].pk), str(uuid.UUID(int=1))
    refused: list[tuple[str, dict[str, object]]] = [
        ("query", {"query": " "}),
        ("query", {"query": "known"}),
        ("language", {"language": "klingon"}),
        ("colour", {"colour": "red"}),
        ("judgements", {"judgements": [{"grade": 3}]}),
        ("judgements", {"judgements": [{"document": tides, "grade": 4}]}),
        ("judgements", {"judgements": [{"document": tides, "revision": 1, "chars": [5, 5]}]}),
        ("judgements", {"judgements": [{"document": tides, "revision": 1, "chars": [0, 99999]}]}),
        ("judgements", {"judgements": [{"document": tides, "chars": [0, 5]}]}),
        ("judgements", {"judgements": [{"document": tides, "revision": 1}]}),
        ("judgements", {"judgements": [{"document": tides}, {"document": tides}]}),
        ("judgements", {"judgements": [{"document": nothing}]}),
        ("judgements", {"judgements": [{"passage": nothing}]}),
    ]
    for field, sent in refused:
        answer = api.post(address, {"query": "x", **sent})
        assert (answer.status_code, list(answer.json()["errors"])) == (400, [field]), sent
    assert GoldenQuery.objects.count() == 1


def test_each_judgement_that_cannot_be_used_is_named(notes, api, address):
    boats, nothing = {"document": str(notes["boats"].pk)}, str(uuid.UUID(int=1))
    judgements = [boats, {"document": nothing}, {**boats, "revision": 1, "chars": [0, 99999]}, {"passage": nothing}]
    told = api.post(address, {"query": "x", "judgements": judgements}).json()["errors"]["judgements"]
    assert told == [
        {},
        {"document": ["There is no such document in this collection."]},
        {"chars": ["This document has no such passage."]},
        {"passage": ["Name a passage of this collection, and nothing else."]},
    ]


CHINESE = {"Accept-Language": "zh-hans"}


def test_why_it_is_refused_is_told_in_the_language_of_the_caller(notes, golden, api, address, evaluations, bob, space):
    golden("known")
    tides, nothing = {"document": str(notes["tides"].pk)}, str(uuid.UUID(int=1))
    asked: list[tuple[object, str]] = [
        ({"query": "known"}, "此文档集中已有这个标准查询。"),
        ({"query": "x", "judgements": [{"document": nothing}]}, "此文档集中没有这个文档。"),
        ({"query": "x", "judgements": [{**tides, "chars": [0, 5]}]}, "此文档中没有这个段落。"),
        ({"query": "x", "judgements": [{"passage": nothing}]}, "请只指定此文档集中的一个段落，不要再指定其他内容。"),
        ({"query": "x", "judgements": [tides, tides]}, "同一处被判定了两次。"),
        ({"query": "x", "judgements": [tides] * 501}, "新建标准查询时最多可附 500 条判定。"),
    ]
    for sent, why in asked:
        assert why in str(api.post(address, sent, headers=CHINESE).json()["errors"])
    told = api.post(f"{address}import/", {}, format="multipart", headers=CHINESE).json()["errors"]
    assert told == {"file": ["必须且只能上传一个文件。"]}
    told = api.get(f"{address}export/", {"as": "xlsx"}, headers=CHINESE).json()["errors"]
    assert told == {"as": [f"必须是以下之一：{', '.join(formats.FORMATS)}。"]}
    membership = Membership.objects.create(collection=notes["tides"].collection, user=bob, role=Role.VIEWER)
    told = client_of(bob).post(address, {"query": "x"}, headers=CHINESE).json()
    assert told["detail"] == "您可以查看此文档集，但不能向其中添加内容。"
    membership.role = Role.CONTRIBUTOR
    membership.save()
    told = client_of(bob).post(evaluations, {"space": str(space.pk)}, headers=CHINESE).json()
    assert told["detail"] == "只有文档集的所有者和管理者可以在其他向量空间中评测它。"


class TestManyJudgements:
    def judged(self, notes: dict[str, Document], count: int) -> dict[str, object]:
        boats = {"document": str(notes["boats"].pk), "revision": 1}
        ranges = [[start, end] for start in range(40) for end in range(start + 1, 41)]
        return {"query": "x", "judgements": [{**boats, "chars": one} for one in ranges[:count]]}

    def test_they_are_looked_up_together(self, notes, api, address, django_assert_max_num_queries):
        with django_assert_max_num_queries(20):
            assert len(api.post(address, self.judged(notes, 500)).json()["judgements"]) == 500

    def test_more_than_500_are_refused(self, notes, api, address):
        told = api.post(address, self.judged(notes, 501)).json()["errors"]["judgements"]
        assert told == {"non_field_errors": ["A golden query may be made with at most 500 judgements."]}


def test_a_passage_of_another_collection_is_none(notes, api, address, alice, space):
    other = Collection.objects.create(name="Other", owner=alice, active_space=space)
    sent = {"query": "x", "judgements": [{"passage": str(chunk_with("outboard").pk)}]}
    assert api.post(address.replace(str(notes["boats"].collection_id), str(other.pk)), sent).status_code == 400


@pytest.mark.parametrize("form", ["csv", "jsonl", "beir", "trec"])
def test_a_file_goes_out_and_comes_back(notes, golden, api, address, form):
    golden("what pulls the sea?", chunk_with("moon pulls"), notes["boats"])
    answer = api.get(f"{address}export/", {"as": form})
    file = BytesIO(b"".join(answer))
    file.name = answer["Content-Disposition"].split('"')[1]
    before = api.get(address).json()["results"][0]["judgements"]
    GoldenQuery.objects.all().delete()
    assert api.post(f"{address}import/", {"file": file}, format="multipart").json() == {"queries": 1, "judgements": 2}
    assert api.get(address).json()["results"][0]["judgements"] == before


def test_an_unknown_form_is_400(notes, api, address):
    assert "as" in api.get(f"{address}export/", {"as": "xlsx"}).json()["errors"]


def test_each_line_that_cannot_be_used_is_named(notes, api, address):
    file = BytesIO(b"query,document\nx,ships\ny,boats\n,boats\n")
    file.name = "golden.csv"
    answer = api.post(f"{address}import/", {"file": file}, format="multipart")
    assert answer.status_code == 400
    assert answer.json()["errors"]["file"] == [
        "Line 2: There is no document “ships” in this collection.",
        "Line 4: query: This field is required.",
    ]
    assert not GoldenQuery.objects.exists()
    assert api.post(f"{address}import/", {}, format="multipart").status_code == 400


def test_the_schema_tells_what_is_asked_and_answered(api):
    schema = api.get("/api/v1/schema/?format=json").json()
    golden, known = "/api/v1/collections/{collection_id}/golden/", schema["components"]["schemas"]
    for path in (golden, golden.replace("golden", "evaluations")):
        assert "count" in [one["name"] for one in schema["paths"][path]["get"]["parameters"]]
    export = schema["paths"][f"{golden}export/"]["get"]["responses"]
    assert set(export["200"]["content"]) == {one.media_type for one in formats.FORMATS.values()}
    assert "400" in export
    assert known["EvaluationRun"]["properties"]["figures"]["$ref"].endswith("/Figures")
    assert {"queries", *evaluation.MEASURES} == set(known["Measures"]["properties"])


class TestEvaluations:
    def test_one_is_started_listed_and_read(self, notes, golden, api, evaluations):
        golden("what pulls the sea?", chunk_with("moon pulls"))
        started = api.post(evaluations)
        assert started.status_code == 202
        body = started.json()
        assert (body["state"], body["figures"], body["started_by"]) == ("waiting", {}, "alice")
        assert api.post(evaluations).json()["id"] == body["id"]
        runs.measure_next()
        done = api.get(f"{evaluations}{body['id']}/").json()
        assert (done["state"], done["queries"], done["figures"]["pairs"]["en>en"]["recall@10"]) == ("done", 1, 1.0)
        assert api.get(evaluations).json()["results"] == [done]

    def test_without_golden_queries_it_says_so(self, notes, api, evaluations):
        assert "No golden query" in str(api.post(evaluations).json()["errors"])

    def test_another_space_is_for_managers(self, notes, golden, api, evaluations, bob, collection, space):
        golden("x", notes["boats"])
        Membership.objects.create(collection=collection, user=bob, role=Role.CONTRIBUTOR)
        assert client_of(bob).post(evaluations, {"space": str(space.pk)}).status_code == 403
        assert client_of(bob).post(evaluations).status_code == 202
        assert "space" in api.post(evaluations, {"space": str(uuid.uuid4())}).json()["errors"]
        assert api.post(evaluations, {"space": str(space.pk)}).status_code == 202

    def test_null_is_as_good_as_leaving_out(self, notes, golden, api, evaluations):
        golden("x", notes["boats"])
        started = api.post(evaluations, {"space": None, "rerank": None})
        assert (started.status_code, started.json()["id"]) == (202, api.post(evaluations).json()["id"])


class TestWhoMay:
    @pytest.fixture
    def query(self, notes, golden) -> GoldenQuery:
        return golden("what pulls the sea?", chunk_with("moon pulls"))

    @pytest.fixture
    def run(self, query, alice, collection) -> EvaluationRun:
        return runs.start(alice, collection)

    CALLS = (
        ("get", "golden/"), ("post", "golden/"), ("get", "golden/{query}/"), ("delete", "golden/{query}/"),
        ("get", "golden/export/"), ("post", "golden/import/"), ("get", "evaluations/"), ("post", "evaluations/"),
        ("get", "evaluations/{run}/"),
    )  # fmt: skip

    def test_a_stranger_sees_nothing_and_a_viewer_changes_nothing(
        self, query, run, collection, bob, charlie, shared_with_bob
    ):
        stranger, viewer, missing = client_of(charlie), client_of(bob), str(uuid.UUID(int=1))
        for method, path in self.CALLS:
            whole = f"/api/v1/collections/{collection.pk}/{path.format(query=query.pk, run=run.pk)}"
            sent = {"format": "multipart"} if "import" in path else {}
            refused = getattr(stranger, method)(whole, **sent)
            absent = getattr(stranger, method)(whole.replace(str(collection.pk), missing), **sent)
            assert (refused.status_code, refused.content) == (404, absent.content), path
            assert getattr(viewer, method)(whole, **sent).status_code == (200 if method == "get" else 403), path
        assert GoldenQuery.objects.get() == query

    def test_by_the_id_of_another_collection_nothing_is_reached(self, query, run, charlie, space):
        theirs = Collection.objects.create(name="Theirs", owner=charlie, active_space=space)
        client, base = client_of(charlie), f"/api/v1/collections/{theirs.pk}/"
        assert client.get(f"{base}golden/{query.pk}/").status_code == 404
        assert client.delete(f"{base}golden/{query.pk}/").status_code == 404
        assert client.get(f"{base}evaluations/{run.pk}/").status_code == 404

    def test_a_token_reaches_its_collections_only(self, query, run, alice, space):
        other = Collection.objects.create(name="Other", owner=alice, active_space=space)
        client = client_of(alice)
        AccessToken.objects.get().limit_to([other])
        for path in ("golden/", "golden/export/", "evaluations/"):
            assert client.get(f"/api/v1/collections/{query.collection_id}/{path}").status_code == 404

    def test_a_token_that_may_only_read_makes_none(self, query, alice, address):
        client = client_of(alice, scopes=("read",))
        assert client.get(address).status_code == 200
        assert client.post(address, {"query": "y"}).status_code == 403
