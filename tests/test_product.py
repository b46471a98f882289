"""The product from the outside: real servers, real workers, the bundled encoder, the demonstration corpus."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from kb.running import leftovers
from kb.running.folder import REPOSITORY
from tests import site as site_of
from tests.kb.running import waiting
from tests.site import Site

pytestmark = pytest.mark.slow

MANIFEST = json.loads((REPOSITORY / "kb/demo/manifest.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("product") / "data"
    site = site_of.start(folder, site_of.free_port(), "--demo", EMBEDDING_MODEL="bundled", KB_LEASE_SECONDS="4")
    yield site
    site.stop()


@pytest.fixture(scope="module")
def demonstration(site: Site) -> Any:
    waiting.until(lambda: site.call("GET", "/collections/")["results"], seconds=60)
    [collection] = site.call("GET", "/collections/")["results"]
    await_end(site, collection["id"], len(MANIFEST["documents"]))
    return collection


def await_end(site: Site, collection: str, total: int, *, seconds: float = 240) -> None:
    """Until all documents of a collection are ready."""

    def ready() -> bool:
        counted = site.call("GET", f"/collections/{collection}/documents/?count=1&state=ready")["count"]
        return bool(counted == total)

    waiting.until(ready, seconds=seconds)


def doctor(site: Site) -> str:
    """What the doctor says; fails when an invariant is broken."""
    environment = site_of.environment_of(KB_DATA_DIR=str(site.folder.path), EMBEDDING_MODEL="bundled")
    ended = subprocess.run(
        [sys.executable, "manage.py", "doctor"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_questions_are_answered_by_documents_in_other_languages(site: Site, demonstration: Any) -> None:
    """Of the 48 questions of the demonstration, 45 are asked in another language than their answer is written in.
    Plain cosine brings 0.40 of the answers among the first ten (docs/decisions.md), centring by language 0.9: the sweep
    brings the means for it up to date, some seconds after the last document is ready."""
    waiting.until(lambda: answered(site) >= 0.8, seconds=90)


def answered(site: Site) -> float:
    """The share of the questions with their answer among the first ten hits."""
    found = 0
    for question in MANIFEST["questions"]:
        hits = site.call("POST", "/search/", {"query": question["query"], "limit": 10})["hits"]
        found += any(hit["citation"]["document"]["filename"] == question["answer_file"] for hit in hits)
    return found / len(MANIFEST["questions"])


def test_a_citation_is_the_text_at_its_place(site: Site, demonstration: Any) -> None:
    asked = {"query": "What does error code E-17 of the water sampler mean?", "limit": 5}
    for hit in site.call("POST", "/search/", asked)["hits"]:
        passage = site.call("GET", f"/passages/{hit['citation']['id']}/")
        start, end = passage["citation"]["chars"]
        assert passage["text"] == hit["text"]
        assert end - start == len(hit["text"])
        assert hit["citation"]["heading_path"] or hit["citation"]["pages"]


def test_no_web_process_loads_torch(site: Site, demonstration: Any) -> None:
    site.call("POST", "/search/", {"query": "nitrate"})
    web = [p for p in leftovers.find(site.folder.mark) if "granian" in " ".join(p.cmdline())]
    embed = site.children()["embed"]
    assert web
    assert not [p for p in web if _maps_torch(p)]
    assert _maps_torch(embed)


def test_killed_workers_lose_and_repeat_nothing(site: Site, demonstration: Any) -> None:
    collection = site.call("POST", "/collections/", {"name": "Killed workers"})["id"]
    for number in range(40):
        text = f"# Note {number}\n\n" + f"Sample {number} was taken at the northern buoy. " * 12
        site.upload(collection, f"note-{number}.md", text.encode())
        if number in (10, 20, 30):
            _kill(site, "read" if number == 20 else "embed")
    _kill(site, "read")
    await_end(site, collection, 40)
    assert "All is well" in doctor(site)


def _kill(site: Site, name: str) -> None:
    """Kill a worker with all its children, as the kernel does when memory runs out."""
    worker = site.children().get(name)
    if worker is None:
        return
    for process in [*worker.children(recursive=True), worker]:
        process.kill()


def _maps_torch(process: psutil.Process) -> bool:
    return "libtorch" in Path(f"/proc/{process.pid}/maps").read_text()
