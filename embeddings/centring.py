"""Centring by language: what makes search across languages work.

A multilingual encoder puts texts of one language near each other whatever they say: passages in the query's own
language crowd out the answer in another. Subtracting from each embedding the mean of its language, and bringing it back
to unit length, leaves what the text says. Raw embeddings stay the truth; centring happens when they are compared.

Measured on XQuAD with the bundled encoder, each paragraph in one of five languages at random, questions in all five:
docs/decisions.md has the figures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from embeddings.encoder import Embeddings

Mean = NDArray[np.float32]
"""float32 [dimensions], shorter than unit length."""

SHARE = 0.8
"""How much of the mean is subtracted. All of it costs more where query and answer are in one language, and finds no
more across languages (measured: docs/decisions.md)."""

PRIOR = 2.0
"""So many passages at the mean of all languages are added to each language's own: a language of which little is known
is centred by what is known of all, and a single passage is not subtracted from itself."""

_NOTHING: Mapping[str, Mean] = MappingProxyType({})


@dataclass(frozen=True)
class Means:
    """What is subtracted from the embeddings in a scope: SHARE of the mean of all passages, and of each language drawn
    towards it by PRIOR."""

    overall: Mean
    of_language: Mapping[str, Mean]

    def of(self, languages: Mapping[str, float], seen: Mapping[str, Mean] = _NOTHING) -> Mean:
        """What to subtract from the embedding of a query that is in one of these languages, by their chances: of the
        mean of queries seen in the language, else of its passages. Of a language of which neither is known, the mean
        of all."""
        known = {**self.of_language, **{language: SHARE * mean for language, mean in seen.items()}}
        parts = [(chance, known[one]) for one, chance in languages.items() if one in known]
        return _weighted(parts) if parts else self.overall

    def centre(
        self, embedding: Embeddings, languages: Mapping[str, float], seen: Mapping[str, Mean] = _NOTHING
    ) -> Embeddings:
        """The embedding of a query (float32 [dimensions]) less the mean of its languages, of unit length again."""
        moved = embedding - self.of(languages, seen)
        return np.asarray(moved / max(float(np.linalg.norm(moved)), 1e-6), dtype=np.float32)


def means(counted: Sequence[tuple[str, int, Mean]]) -> Means | None:
    """The means of a scope from (language, passages, mean) of its parts; a language may occur more than once.

    None when there are none. Whether there is anything to balance, with one language, whoever asks decides.
    """
    if not counted:
        return None
    overall = _weighted([(n, mean) for _language, n, mean in counted])
    by_language: dict[str, list[tuple[float, Mean]]] = {}
    for language, n, mean in counted:
        by_language.setdefault(language, [(PRIOR, overall)]).append((n, mean))
    return Means(SHARE * overall, {language: SHARE * _weighted(parts) for language, parts in by_language.items()})


def _weighted(parts: Sequence[tuple[float, Mean]]) -> Mean:
    total = sum(weight for weight, _mean in parts)
    summed = np.sum([weight * np.asarray(mean, dtype=np.float64) for weight, mean in parts], axis=0)
    return np.asarray(summed / total, dtype=np.float32)
