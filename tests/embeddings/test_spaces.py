"""Who serves which space, and the registry of spaces."""

import shutil
import uuid
from pathlib import Path

import numpy as np
import pytest

from embeddings import queries, registry, serving, spaces
from embeddings.cutting import CutEncoder
from embeddings.encoder import EncoderError
from embeddings.local import LocalEncoder
from embeddings.models import Registration, Space
from kb import ingestion
from tests.conftest import client_of
from tests.kb.running import waiting


def space_in(folder: Path, **asked: object) -> Space:
    return spaces.keep(spaces.of(str(folder), spaces.describe(str(folder), dtype="float32", **asked)))  # type: ignore[arg-type]


@pytest.mark.django_db
class TestServing:
    def test_one_process_serves_several_and_lets_go_of_those_not_wanted(self, space):
        other = spaces.keep(spaces.of("hashing", spaces.describe("hashing", dimensions=128)))
        assert [one.space_id for one in serving.servers([space, other])] == [space.pk, other.pk]
        first = serving.server(other)
        assert [one.space_id for one in serving.servers([space])] == [space.pk]
        assert serving.server(other) is not first

    def test_one_that_cannot_be_loaded_keeps_nobody_else_away(self, space, caplog):
        gone = Space(id=uuid.uuid4(), name="gone", model="/no/such/folder", fingerprint="?", dimensions=8)
        for _look in range(3):
            assert [one.space_id for one in serving.servers([gone, space])] == [space.pk]
        assert [record.message for record in caplog.records if "not served" in record.message] == [
            "The space gone is not served here: The model '/no/such/folder' is neither a folder that exists, nor a hub "
            "name, nor 'bundled'."
        ]

    def test_changed_weights_are_refused(self, qwen_folder, tmp_path):
        copied = Path(shutil.copytree(qwen_folder, tmp_path / "copied"))
        space = space_in(copied)
        assert spaces.load_encoder(space).fingerprint == space.fingerprint
        weights = bytearray((copied / "model.safetensors").read_bytes())
        weights[-1] ^= 1
        (copied / "model.safetensors").write_bytes(weights)
        with pytest.raises(EncoderError, match="are not those that the space"):
            spaces.load_encoder(space)
        assert serving.servers([space]) == []

    def test_sizes_of_one_model_share_its_memory_and_are_cut_as_alone(self, qwen_folder):
        whole, small = (spaces.load_encoder(space_in(qwen_folder, dimensions=size)) for size in (64, 32))
        assert isinstance(small, CutEncoder)
        assert small._whole is whole
        texts = ["The tide turns twice a day.", "潮汐"]
        alone = LocalEncoder(qwen_folder, dimensions=32, device="cpu", dtype="float32")
        assert small.fingerprint == alone.fingerprint
        np.testing.assert_allclose(small.encode_passages(texts), alone.encode_passages(texts), atol=1e-6)
        np.testing.assert_allclose(small.encode_queries(texts), alone.encode_queries(texts), atol=1e-6)

    def test_queries_for_several_spaces_wait_in_one_line(self, space):
        other = spaces.of("hashing", spaces.describe("hashing", dimensions=128))
        answering = serving.Answering(lambda: [space, other])
        while not (queries.is_answering(space.pk) and queries.is_answering(other.pk)):
            pass
        sizes = [queries.encode_query("tide", space=one).size for one in (space, other, space)]
        answering.stop()
        assert sizes == [64, 128, 64]
        waiting.until(lambda: not queries.is_answering(other.pk), seconds=5)


@pytest.mark.django_db
class TestTheRegistry:
    def test_what_comes_with_the_install_is_there_at_once(self, alice):
        alice.is_staff = True
        alice.save()
        client = client_of(alice)
        answer = client.post("/api/v1/spaces/", {"model": "hashing", "dimensions": 96, "storage": "binary"})
        assert (answer.status_code, answer.json()["state"]) == (201, "done")
        shown = client.get(f"/api/v1/spaces/{answer.json()['space']}/").json()
        assert (shown["dimensions"], shown["storage"], shown["embeddings"]) == (96, "binary", 0)
        assert (shown["served"], shown["collections"], shown["indexes"]) == (False, [], [])
        assert client.patch(f"/api/v1/spaces/{shown['id']}/", {"storage": "halfvec"}).json()["storage"] == "halfvec"
        assert client.patch(f"/api/v1/spaces/{shown['id']}/", {"dimensions": 12}).status_code == 400
        assert client.delete(f"/api/v1/spaces/{shown['id']}/").status_code == 204

    def test_the_files_of_another_are_read_by_a_worker(self, alice, qwen_folder):
        alice.is_staff = True
        alice.save()
        client = client_of(alice)
        answer = client.post("/api/v1/spaces/", {"model": str(qwen_folder), "dimensions": 32, "dtype": "float32"})
        assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
        assert registry.work_out_next()
        assert not registry.work_out_next()
        registration = client.get(f"/api/v1/spaces/registrations/{answer.json()['id']}/").json()
        assert registration["state"] == "done"
        assert Space.objects.get(pk=registration["space"]) == space_in(qwen_folder, dimensions=32)

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ({"model": "/no/such/folder"}, "neither a folder that exists"),
            ({"model": "bundled", "dimensions": 4000}, "gives 1 to 384 dimensions, not 4000"),
        ],
    )
    def test_what_cannot_be_a_space_says_why(self, asked, said):
        registration = Registration.objects.create(**asked)
        registry.work_out(registration)
        assert registration.state == Registration.State.FAILED
        assert said in registration.detail

    def test_a_worker_that_dies_each_time(self):
        Registration.objects.create(model="/huge", attempts=Registration.ATTEMPTS)
        ingestion.sweep()
        assert Registration.objects.get().state == Registration.State.FAILED

    def test_one_that_is_used_or_configured_is_not_deleted(self, alice, space, collection):
        alice.is_staff = True
        alice.save()
        answer = client_of(alice).delete(f"/api/v1/spaces/{space.pk}/")
        assert (answer.status_code, answer.json()["detail"]) == (409, "Collections use this space.")
        collection.delete()
        assert client_of(alice).delete(f"/api/v1/spaces/{space.pk}/").status_code == 409

    def test_others_see_what_there_is_to_choose_from_and_change_nothing(self, bob, collection, space):
        client = client_of(bob)
        [shown] = client.get("/api/v1/spaces/").json()["results"]
        assert shown["name"] == space.name
        assert (shown["model"], shown["embeddings"], shown["indexes"], shown["collections"]) == (None, None, None, [])
        assert client.post("/api/v1/spaces/", {"model": "hashing"}).status_code == 403
        assert client.patch(f"/api/v1/spaces/{space.pk}/", {"storage": "binary"}).status_code == 403
        assert client.delete(f"/api/v1/spaces/{space.pk}/").status_code == 403

    def test_the_console_shows_and_adds(self, client, admin_user, collection, space):
        client.force_login(admin_user)
        assert space.name in client.get("/console/embeddings/space/").content.decode()
        client.post(
            "/console/embeddings/registration/add/", {"model": "hashing", "dimensions": 80, "storage": "halfvec"}
        )
        assert Space.objects.filter(dimensions=80).exists()
