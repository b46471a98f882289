"""The index of each embedding space: a partial HNSW index over the rows of that space, at its size."""

from django.db import connection

from embeddings import spaces
from embeddings.models import Space


def ensure() -> Space:
    """The configured encoder's space, with its index."""
    space = spaces.ensure()
    build_index(space)
    return space


def build_index(space: Space) -> None:
    """Build the space's HNSW index if it is not there. Inner product, since embeddings have unit length."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE INDEX IF NOT EXISTS {index_name(space)} ON kb_embedding "
            f"USING hnsw ((embedding::halfvec({space.dimensions})) halfvec_ip_ops) WITH (m = 16, ef_construction = 64) "
            f"WHERE space_id = '{space.pk}'"
        )


def index_name(space: Space) -> str:
    """The name of a space's index."""
    return f"embedding_hnsw_{space.pk.hex}"
