"""The nouns of the knowledge base, one file each."""

from kb.models.access import AccessToken, Grantee, Membership, Role, User
from kb.models.chunk import Chunk, RevisionText
from kb.models.collection import Collection, Domain
from kb.models.document import Document
from kb.models.embedding import Embedding, EmbeddingWork, LanguageMean
from kb.models.lexeme import CommonLexeme
from kb.models.part import ReadingPart
from kb.models.reembedding import Reembedding, Stage
from kb.models.revision import Revision, State

__all__ = [
    "AccessToken",
    "Chunk",
    "Collection",
    "CommonLexeme",
    "Document",
    "Domain",
    "Embedding",
    "EmbeddingWork",
    "Grantee",
    "LanguageMean",
    "Membership",
    "ReadingPart",
    "Reembedding",
    "Revision",
    "RevisionText",
    "Role",
    "Stage",
    "State",
    "User",
]
