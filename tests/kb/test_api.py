"""The REST API of collections and documents."""

import json
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from embeddings.models import Space
from kb import previews
from kb.models import AccessToken, Chunk, Collection, Document, Membership, Role
from kb.reading.confined import children
from kb.reading.confined.children import Lost
from tests.conftest import client_of

pytestmark = pytest.mark.django_db

NOTE = b"# Tides\n\nThe tide turns twice a day.\n"


def send(client: APIClient, collection: Collection, name: str = "tides.md", content: bytes = NOTE, **fields: object):
    return client.post(
        f"/api/v1/collections/{collection.pk}/documents/",
        {"file": SimpleUploadedFile(name, content), **fields},
        format="multipart",
    )


class TestCollections:
    def test_it_works(self, api, space):
        made = api.post("/api/v1/collections/", {"name": "Field notes", "instruction_domain": "engineering"})
        assert made.status_code == 201
        assert made.json()["slug"] == "field-notes"
        one = f"/api/v1/collections/{made.json()['id']}/"
        assert api.patch(one, {"name": "Notes"}).json()["name"] == "Notes"
        assert [c["name"] for c in api.get("/api/v1/collections/?count=1").json()["results"]] == ["Notes"]
        assert api.delete(one).status_code == 204
        assert api.get(one).status_code == 404

    def test_a_name_in_any_script_gives_a_slug(self, api, space):
        assert api.post("/api/v1/collections/", {"name": "海洋站 手册"}).json()["slug"] == "海洋站-手册"

    def test_a_field_that_is_not_known_is_refused(self, api, space):
        answer = api.post("/api/v1/collections/", {"name": "x", "colour": "red"})
        assert answer.status_code == 400
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["errors"]["colour"] == ["There is no such field."]
        assert api.post("/api/v1/collections/", {"name": "x", "id": "7"}).json()["errors"]["id"] == [
            "This field cannot be set."
        ]

    @pytest.mark.parametrize("debug", [False, True])
    def test_what_is_posted_without_the_last_slash_is_not_lost(self, api, space, settings, debug):
        settings.DEBUG = debug
        answer = api.post("/api/v1/collections", {"name": "x"})
        assert (answer.status_code, answer["Location"]) == (308, "/api/v1/collections/")
        assert api.post("/api/v1/collections", {"name": "x"}, follow=True).status_code == 201

    def test_sizes_that_cannot_be_are_refused(self, api, space):
        assert api.post("/api/v1/collections/", {"name": "x", "chunk_target": 900}).status_code == 400

    @pytest.mark.parametrize(
        "wrong",
        [
            {"chunk_overlap": 129},
            {"chunk_target": 32, "chunk_overlap": 17},
            {"chunk_overlap": -1},
            {"ocr_languages": "eng,deu"},
            {"reads_annotations": "perhaps"},
            {"balance_languages": "sometimes"},
        ],
    )
    def test_settings_of_reading_that_cannot_be_are_refused(self, api, collection, wrong):
        answer = api.patch(f"/api/v1/collections/{collection.pk}/", wrong)
        assert answer.status_code == 400
        assert set(answer.json()["errors"]) <= set(wrong)

    def test_settings_of_reading_are_kept(self, api, collection):
        wanted = {"chunk_overlap": 40, "ocr_languages": "deu", "reads_annotations": True, "balance_languages": "off"}
        answer = api.patch(f"/api/v1/collections/{collection.pk}/", wanted).json()
        assert {name: answer[name] for name in wanted} == wanted

    def test_another_instruction_is_for_queries_alone(self, api, collection, space):
        Space.objects.filter(pk=space.pk).update(query_prompt="Instruct: Find\nQuery:")
        one = f"/api/v1/collections/{collection.pk}/"
        before = api.get(one).json()
        after = api.patch(one, {"instruction_domain": "legal"}).json()
        own = api.patch(one, {"instruction_domain": "custom", "own_instruction": "Find rulings"}).json()
        assert len({shown["query_fingerprint"] for shown in (before, after, own)}) == 3
        assert before["space"] == after["space"] == own["space"]
        assert (
            api.patch(one, {"instruction_domain": "general"}).json()["query_fingerprint"] == before["query_fingerprint"]
        )
        shown = api.get(f"/api/v1/spaces/{space.pk}/").json()
        assert shown["query_fingerprint"] == Space.objects.get().query_fingerprint()

    def test_a_list_has_few_queries(self, api, alice, space, django_assert_max_num_queries):
        for n in range(20):
            Collection.objects.create(name=f"c{n}", owner=alice, active_space=space)
        with django_assert_max_num_queries(6):
            assert len(api.get("/api/v1/collections/").json()["results"]) == 20


class TestChunkingPreview:
    LONG = b"# Tides\n\n" + b"The tide turns twice a day, and the boats wait for it. " * 60

    def ask(self, client: APIClient, collection: Collection, **asked: object):
        return client.post(f"/api/v1/collections/{collection.pk}/chunking-preview/", asked)

    @pytest.fixture
    def document(self, api, collection, work) -> str:
        sent = send(api, collection, content=self.LONG)
        work()
        return str(sent.json()["id"])

    def test_it_works(self, api, collection, document):
        answer = self.ask(api, collection, document=document, chunk_target=48, chunk_maximum=64)
        assert answer.status_code == 200
        body = answer.json()
        assert body["document"] == document
        assert body["tried"]["total"] > body["today"]["total"] > 0
        assert body["tried"]["largest"] <= 64
        first = body["tried"]["passages"][0]
        assert first["text"].startswith("Tides")
        assert (first["number"], first["heading_path"], first["repeated"]) == (1, ["Tides"], 0)
        assert sum(bar["tried"] for bar in body["bars"]) == body["tried"]["total"]

    def test_nothing_is_kept(self, api, collection, document):
        before = list(Chunk.objects.values_list("pk", flat=True))
        self.ask(api, collection, document=document, chunk_target=48, chunk_maximum=64)
        collection.refresh_from_db()
        assert collection.chunk_target == 256
        assert list(Chunk.objects.values_list("pk", flat=True)) == before

    def test_today_s_settings_make_today_s_passages(self, api, collection, document):
        body = self.ask(api, collection, document=document).json()
        assert body["today"] == body["tried"]

    @pytest.mark.parametrize(
        "wrong", [{"chunk_target": 900}, {"chunk_overlap": 200}, {"colour": "red"}, {"document": "nonsense"}]
    )
    def test_what_cannot_be_is_refused(self, api, collection, document, wrong):
        assert self.ask(api, collection, **{"document": document, **wrong}).status_code == 400

    def test_a_document_of_another_collection_is_not_found(self, api, alice, collection, document, space):
        other = Collection.objects.create(name="Other", owner=alice, active_space=space)
        assert self.ask(api, other, document=document).status_code == 404

    def test_what_is_too_long_is_said(self, api, collection, document, monkeypatch):
        monkeypatch.setattr(previews, "CHARACTERS", 100)
        answer = self.ask(api, collection, document=document)
        assert answer.status_code == 422
        assert "too long for a preview" in answer.json()["detail"]

    def test_a_server_that_cannot_read_says_so(self, api, collection, document, monkeypatch):
        def fail(*_given: object, **_named: object) -> None:
            raise Lost

        monkeypatch.setattr(children, "start", fail)
        answer = self.ask(api, collection, document=document)
        assert answer.status_code == 503
        assert "cannot read files just now" in answer.json()["detail"]

    def test_what_a_reader_says_of_a_file_is_told_in_the_language_of_the_caller(self, api, collection, document):
        stored = Document.objects.with_revisions().get().shown.stored_name
        Path(default_storage.path(stored)).write_bytes(b"%PDF-1.7")
        for language, told in (
            ("en", "By its name this is a Markdown file"),
            ("zh-hans", "从名称看这是 Markdown 文件"),
        ):
            api.defaults["HTTP_ACCEPT_LANGUAGE"] = language
            answer = self.ask(api, collection, document=document)
            assert (answer.status_code, answer.json()["reason"]) == (400, "type_mismatch")
            assert answer.json()["detail"].startswith(told)

    def test_who_may(self, collection, document, bob, charlie):
        Membership.objects.create(collection=collection, user=bob, role=Role.CONTRIBUTOR)
        assert self.ask(client_of(bob), collection, document=document).status_code == 403
        assert self.ask(client_of(charlie), collection, document=document).status_code == 404
        Membership.objects.update(role=Role.MANAGER)
        assert self.ask(client_of(bob), collection, document=document).status_code == 200
        assert self.ask(client_of(bob, scopes=("read",)), collection, document=document).status_code == 403


class TestUpload:
    def test_it_works(self, api, collection, work):
        sent = send(api, collection, title="Gezeiten", tags=["sea", "moon"], metadata=json.dumps({"year": 2026}))
        assert sent.status_code == 202
        body = sent.json()
        assert (body["state"], body["title"], body["tags"]) == ("received", "Gezeiten", ["sea", "moon"])
        work()
        ready = api.get(f"/api/v1/documents/{body['id']}/").json()
        assert (ready["state"], ready["failure"], ready["revision"]) == ("ready", None, 1)
        assert ready["progress"]["done"] == ready["progress"]["total"] == ready["chunks"]
        assert ready["metadata"] == {"year": 2026}

    def test_the_same_bytes_again_are_200(self, api, collection):
        first = send(api, collection)
        again = send(api, collection, name="other.md")
        assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])

    def test_a_kind_that_is_not_supported_is_415(self, api, collection):
        answer = send(api, collection, name="a.exe")
        assert (answer.status_code, answer.json()["reason"]) == (415, "unsupported_type")

    def test_an_old_word_document_is_415_and_says_what_to_do(self, api, collection):
        answer = send(api, collection, name="report.DOC")
        assert answer.status_code == 415
        assert "Save it as .docx in Word or LibreOffice" in answer.json()["detail"]

    def test_too_large_is_413_and_nothing_is_kept(self, api, collection, settings):
        settings.UPLOAD_LIMIT = 100
        answer = send(api, collection, content=b"x" * 200_000)
        assert (answer.status_code, answer.json()["reason"]) == (413, "too_large")
        assert not Document.objects.exists()

    def test_a_full_disk_is_507(self, api, collection, settings):
        settings.DISK_RESERVE = 1 << 60
        assert send(api, collection).status_code == 507

    def test_why_it_is_refused_is_told_in_the_language_of_the_caller(self, api, collection, settings):
        api.defaults["HTTP_ACCEPT_LANGUAGE"] = "zh-hans"
        settings.UPLOAD_LIMIT = 1 << 20
        large = send(api, collection, content=b"x" * (2 << 20))
        assert large.json()["detail"] == "文件超过了此处的上限 1 MiB。"
        settings.DISK_RESERVE = 1 << 60
        full = send(api, collection).json()
        assert full["detail"] == "服务器的存储空间不足，无法存放此文件。请告知服务器管理员。"

    def test_no_file_is_400(self, api, collection):
        answer = api.post(f"/api/v1/collections/{collection.pk}/documents/", {}, format="multipart")
        assert "file" in answer.json()["errors"]

    def test_metadata_must_be_an_object(self, api, collection):
        assert "metadata" in send(api, collection, metadata="[1]").json()["errors"]

    def test_a_failure_says_why(self, api, collection, work):
        sent = send(api, collection, name="empty.pdf", content=b"")
        work()
        failed = api.get(f"/api/v1/documents/{sent.json()['id']}/").json()
        assert failed["state"] == "failed"
        assert failed["failure"]["reason"] == "no_text"
        assert api.post(f"/api/v1/documents/{sent.json()['id']}/retry/").json()["state"] == "received"
        assert api.post(f"/api/v1/documents/{sent.json()['id']}/cancel/").json()["state"] == "cancelled"


class TestDocuments:
    def test_list_filters(self, api, collection, work):
        send(api, collection, tags=["sea"])
        send(api, collection, name="empty.md", content=b"")
        work()
        base = f"/api/v1/collections/{collection.pk}/documents/"

        def titles(query: str) -> list[str]:
            return [d["title"] for d in api.get(base + query).json()["results"]]

        assert titles("?state=ready") == ["tides"]
        assert titles("?state=failed") == ["empty"]
        assert titles("?tag=sea") == ["tides"]
        assert titles("?q=TID") == ["tides"]
        assert titles("?language=en") == titles("?language=EN-gb") == ["tides"]
        assert titles("?ordering=title") == ["empty", "tides"]
        assert api.get(base + "?count=1").json()["count"] == 2

    def test_a_list_has_few_queries(self, api, collection, django_assert_max_num_queries):
        for n in range(20):
            send(api, collection, name=f"{n}.md", content=NOTE + bytes([48 + n]))
        with django_assert_max_num_queries(8):
            assert len(api.get(f"/api/v1/collections/{collection.pk}/documents/").json()["results"]) == 20

    def test_pages_of_a_list_follow_a_cursor(self, api, collection):
        for n in range(3):
            send(api, collection, name=f"{n}.md", content=NOTE + bytes([48 + n]))
        first = api.get(f"/api/v1/collections/{collection.pk}/documents/?limit=2").json()
        second = api.get(first["next"]).json()
        assert [d["title"] for d in first["results"] + second["results"]] == ["2", "1", "0"]
        assert second["next"] is None

    def test_title_and_tags_can_be_changed(self, api, upload):
        document = upload("tides.md", NOTE)
        changed = api.patch(f"/api/v1/documents/{document.pk}/", {"title": "Tides", "tags": ["sea"]})
        assert (changed.json()["title"], changed.json()["tags"]) == ("Tides", ["sea"])

    def test_chunks_and_file(self, api, upload, work):
        document = upload("tides.md", NOTE)
        work()
        [chunk] = api.get(f"/api/v1/documents/{document.pk}/chunks/").json()["results"]
        assert "twice a day" in chunk["text"]
        assert chunk["anchor"]["lines"] is not None
        file = api.get(f"/api/v1/documents/{document.pk}/file/")
        assert b"".join(file.streaming_content) == NOTE
        assert "sandbox" in file["Content-Security-Policy"]
        assert file["Content-Disposition"].startswith("attachment")

    def test_a_revision_on_its_way_is_shown_beside_the_live_one(self, api, upload, work):
        document = upload("tides.md", NOTE)
        work()
        sent = api.post(
            f"/api/v1/documents/{document.pk}/revisions/",
            {"file": SimpleUploadedFile("tides.md", NOTE + b"More.")},
            format="multipart",
        )
        assert sent.status_code == 202
        assert sent.json()["revision"] == 1
        assert sent.json()["pending_revision"] == {"number": 2, "state": "received", "filename": "tides.md"}
        work()
        after = api.get(f"/api/v1/documents/{document.pk}/").json()
        assert (after["revision"], after["pending_revision"]) == (2, None)

    def test_delete(self, api, upload):
        document = upload("tides.md", NOTE)
        assert api.delete(f"/api/v1/documents/{document.pk}/").status_code == 204
        assert api.get(f"/api/v1/documents/{document.pk}/").status_code == 404


class TestWhoMay:
    def test_nobody_without_a_token(self, collection):
        answer = APIClient().get("/api/v1/collections/")
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
        assert answer.json()["title"] == "Unauthorized"

    def test_a_stranger_finds_what_is_missing(self, charlie, collection, upload):
        client = client_of(charlie)
        document = upload("tides.md", NOTE)
        foreign = client.get(f"/api/v1/documents/{document.pk}/")
        missing = client.get("/api/v1/documents/00000000-0000-0000-0000-000000000000/")
        assert foreign.status_code == missing.status_code == 404
        assert foreign.content == missing.content
        assert client.get("/api/v1/collections/").json()["results"] == []
        assert send(client, collection).status_code == 404

    @pytest.mark.parametrize(
        ("role", "reads", "writes", "manages"),
        [
            (Role.VIEWER, 200, 403, 403),
            (Role.CONTRIBUTOR, 200, 202, 403),
            (Role.MANAGER, 200, 202, 200),
        ],
    )
    def test_roles(self, bob, collection, role, reads, writes, manages):
        Membership.objects.create(collection=collection, user=bob, role=role)
        client = client_of(bob)
        one = f"/api/v1/collections/{collection.pk}/"
        assert client.get(one).status_code == reads
        assert send(client, collection).status_code == writes
        assert client.patch(one, {"description": "x"}).status_code == manages

    def test_a_group_is_a_member_too(self, bob, collection):
        from django.contrib.auth.models import Group

        group = Group.objects.create(name="divers")
        Membership.objects.create(collection=collection, group=group, role=Role.VIEWER)
        assert client_of(bob).get(f"/api/v1/collections/{collection.pk}/").status_code == 404
        bob.groups.add(group)
        assert client_of(bob).get(f"/api/v1/collections/{collection.pk}/").status_code == 200

    def test_scopes_of_a_token(self, alice, collection):
        reader, writer = client_of(alice, scopes=("read",)), client_of(alice, scopes=("write",))
        assert send(reader, collection).status_code == 403
        assert send(writer, collection).status_code == 202
        assert reader.get("/api/v1/collections/").status_code == 200

    def test_a_token_limited_to_a_collection_sees_only_that(self, alice, collection, space):
        other = Collection.objects.create(name="Elsewhere", owner=alice, active_space=space)
        token, secret = AccessToken.objects.issue(alice, "one", scopes=["manage"])
        token.limit_to([other])
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        assert [c["name"] for c in client.get("/api/v1/collections/").json()["results"]] == ["Elsewhere"]
        assert client.get(f"/api/v1/collections/{collection.pk}/").status_code == 404
        assert client.post("/api/v1/collections/", {"name": "New"}).status_code == 403
        assert client.delete(f"/api/v1/collections/{other.pk}/").status_code == 204
        assert client.get("/api/v1/collections/").json()["results"] == []

    def test_a_revoked_or_expired_token_is_nobody(self, alice, collection):
        from django.utils import timezone

        token, secret = AccessToken.objects.issue(alice, "old", scopes=["read"])
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        assert client.get("/api/v1/collections/").status_code == 200
        AccessToken.objects.filter(pk=token.pk).update(revoked_at=timezone.now())
        assert client.get("/api/v1/collections/").status_code == 401

    def test_a_secret_is_not_in_the_database(self, alice):
        token, secret = AccessToken.objects.issue(alice, "t")
        assert secret not in json.dumps({f.name: str(getattr(token, f.name)) for f in token._meta.fields})


def test_the_schema_is_openapi_3_1(api):
    schema = api.get("/api/v1/schema/?format=json").json()
    assert schema["openapi"].startswith("3.1")
    assert "/api/v1/search/" in schema["paths"]
    assert api.get("/api/v1/docs/").status_code == 200
    lists = [
        one["properties"] for one in schema["components"]["schemas"].values() if "next" in one.get("properties", {})
    ]
    assert lists
    for one in (
        *(listed["next"] for listed in lists),
        *(listed["previous"] for listed in lists if "previous" in listed),
    ):
        assert "null" in one["type"] or {"type": "null"} in one.get("oneOf", [])


class TestNastyInput:
    @pytest.mark.parametrize(
        "metadata", ['{"a": "\\u0000"}', '{"a": 1e999}', '{"a": "\\ud800"}', "[" * 5000, "null", "7"]
    )
    def test_metadata_postgres_cannot_hold(self, api, collection, metadata):
        assert send(api, collection, metadata=metadata).status_code == 400

    @pytest.mark.parametrize(
        "query", ["?tag=%00", "?q=%00", "?state=bogus", "?ordering=size", "?colour=red", "?cursor=cD14"]
    )
    def test_lists(self, api, collection, upload, query):
        upload("tides.md", NOTE)
        answer = api.get(f"/api/v1/collections/{collection.pk}/documents/{query}")
        assert answer.status_code in (400, 404)
        assert answer["Content-Type"] == "application/problem+json"

    @pytest.mark.parametrize("path", ["/api/v1/documents/nonsense/", "/api/v1/nothing/"])
    def test_an_address_that_is_none_is_a_problem_document(self, api, path):
        assert api.get(path)["Content-Type"] == "application/problem+json"

    def test_text_is_cleaned_wherever_it_comes_in(self, api, upload):
        document = upload("tides.md", NOTE)
        changed = api.patch(f"/api/v1/documents/{document.pk}/", {"title": " a\tb\u0001 ", "tags": ["x", "x", "y\n"]})
        assert (changed.json()["title"], changed.json()["tags"]) == ("a b", ["x", "y"])
        assert api.patch(f"/api/v1/documents/{document.pk}/", {"title": "\u0001"}).status_code == 400

    def test_what_is_only_read_cannot_be_set(self, api, collection):
        assert api.patch(f"/api/v1/collections/{collection.pk}/", {"slug": "other"}).status_code == 400

    def test_changing_a_collection_takes_the_scope_manage(self, alice, collection):
        writer = client_of(alice, scopes=("write",))
        assert writer.patch(f"/api/v1/collections/{collection.pk}/", {"name": "x"}).status_code == 403
        assert writer.delete(f"/api/v1/collections/{collection.pk}/").status_code == 403

    def test_one_file_at_a_time(self, api, collection):
        two = {"file": [SimpleUploadedFile("a.md", NOTE), SimpleUploadedFile("b.md", NOTE + b"b")]}
        answer = api.post(f"/api/v1/collections/{collection.pk}/documents/", two, format="multipart")
        assert answer.status_code == 400
        assert not Document.objects.exists()
