"""`manage.py demo`: the demonstration corpus, once, in a collection of its own."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.management.base import BaseCommand

from embeddings import spaces
from kb import ingestion
from kb.models import Collection, User

CORPUS = Path(__file__).resolve().parents[2] / "demo"


class Command(BaseCommand):
    help = "Load the demonstration corpus, unless that was done before (also when its collection was deleted since)."

    def handle(self, *args: Any, **options: Any) -> None:
        loaded = settings.DATA_DIR / "demo-loaded"
        if loaded.exists():
            return
        manifest = json.loads((CORPUS / "manifest.json").read_text("utf-8"))
        owner = User.objects.filter(is_superuser=True).earliest("date_joined")
        collection = Collection.objects.create(
            name=manifest["collection"]["name"],
            description=manifest["collection"]["description"],
            owner=owner,
            active_space=spaces.current(),
        )
        for about in manifest["documents"]:
            with (CORPUS / about["file"]).open("rb") as file:
                ingestion.receive(
                    collection, File(file), about["file"], user=owner, title=about["title"], tags=about["tags"]
                )
        loaded.touch()
        self.stdout.write(f"{len(manifest['documents'])} documents are being read into “{collection.name}”.")
