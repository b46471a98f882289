"""What Django does not say: rows below a document go with it in the database itself, and embeddings are stored plain."""

from django.db import migrations

CASCADES = [
    ("kb_document", "collection_id", "kb_collection", "CASCADE"),
    ("kb_document", "live_revision_id", "kb_revision", "SET NULL"),
    ("kb_revision", "document_id", "kb_document", "CASCADE"),
    ("kb_revisiontext", "revision_id", "kb_revision", "CASCADE"),
    ("kb_chunk", "revision_id", "kb_revision", "CASCADE"),
    ("kb_embedding", "chunk_id", "kb_chunk", "CASCADE"),
    ("kb_embeddingwork", "chunk_id", "kb_chunk", "CASCADE"),
    ("kb_embeddingwork", "owner_id", "kb_user", "SET NULL"),
]


def foreign_key(table, column, target, action):
    name = f"{table}_{column}_fk"
    return migrations.RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({column}) REFERENCES {target} (id) ON DELETE {action}",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


class Migration(migrations.Migration):
    dependencies = [("kb", "0001_initial")]

    operations = [
        *(foreign_key(*cascade) for cascade in CASCADES),
        # A chunk has one collection, its document's: Embedding.collection_id repeats it so that scans need no join,
        # and Embedding.revision_id repeats its chunk's. Both go with the chunk.
        # No TOAST for the numbers: exact scans are two to three times faster (measured, docs/decisions.md).
        migrations.RunSQL(
            "ALTER TABLE kb_embedding ALTER COLUMN embedding SET STORAGE PLAIN",
            "ALTER TABLE kb_embedding ALTER COLUMN embedding SET STORAGE EXTERNAL",
        ),
    ]
