"""How a file becomes searchable: receive, read, embed, publish. The only writer of a revision's state.

What is due stands in rows and is claimed by one committed UPDATE, which counts the attempt and sets a lease *before*
anything is touched; every later write is fenced by that lease. So each step may run twice, late or at the same time,
and a killed worker costs its unit of work and nothing more.
"""

from kb.ingestion.changes import cancel, reindex, reindex_all, remove, remove_collection, retry
from kb.ingestion.embedding import embed_next, embed_while, put_down
from kb.ingestion.publishing import publish
from kb.ingestion.reading import read_next, split
from kb.ingestion.receiving import Receipt, receive, receive_revision
from kb.ingestion.sweeping import refresh_means, settle, sweep

__all__ = [
    "Receipt",
    "cancel",
    "embed_next",
    "embed_while",
    "publish",
    "put_down",
    "read_next",
    "receive",
    "receive_revision",
    "refresh_means",
    "reindex",
    "reindex_all",
    "remove",
    "remove_collection",
    "retry",
    "settle",
    "split",
    "sweep",
]
