"""Question → passages: chunk vectors, sentence vectors and BM25 fused.

The fusion is the one measured best on held-out questions: the mean of the chunk's cosine and its best
sentence's cosine, and BM25, each scaled to 0–1 over the candidates, weighted 0.65 : 0.35.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rag import generations
from rag.embedding import Embedder, Vectors
from rag.errors import IndexMismatchError
from rag.filters import NO_FILTER, Filter
from rag.generations import Manifest
from rag.records import Document, Passage
from rag.store import Store, StoredChunk, StoredSentence
from rag.vectors import Mask, VectorIndex

Scores = npt.NDArray[np.floating[Any]]

Retrieval = Literal["fusion", "chunks+words", "chunks"]
"""``fusion`` as above; ``chunks+words`` without sentence vectors; ``chunks`` by the chunk's cosine alone."""

_VECTOR_WEIGHT = 0.65
_POOL = 100
"""Candidates taken from each of the three rankings before fusing."""
_FILTERS_KEPT = 16
"""Filters whose rows a snapshot remembers."""


@dataclass(frozen=True, slots=True)
class ScoredChunk:
    """A candidate chunk with the parts of its score."""

    chunk: StoredChunk
    score: float
    """Fused, 0 to 1."""
    cosine: float
    best_sentence_cosine: float
    bm25: float


@dataclass(frozen=True, slots=True, eq=False)
class Admitted:
    """What a filter admits. Without masks: everything."""

    documents: int
    chunks: Mask | None = None
    sentences: Mask | None = None


class Snapshot:
    """One generation, opened: an immutable view that a request keeps from its beginning to its end.

    Raises:
        IndexUnusableError: the index is missing, damaged, or of another format.
    """

    def __init__(self, index: Path) -> None:
        generation = generations.current(index)
        generations.verify(generation)  # before faiss reads it: a flipped length would ask for all the memory there is
        self.name = generation.name
        self.manifest: Manifest = generation.manifest
        self.store = Store(generation.folder / "store.sqlite")
        self.chunks = VectorIndex.load(generation.folder / "chunks.faiss")
        self.sentences = VectorIndex.load(generation.folder / "sentences.faiss")
        counts = (len(self.chunks), len(self.sentences), self.store.chunks, self.store.sentences)
        if counts != (self.manifest.chunks, self.manifest.sentences) * 2:
            problem = f"The files of {generation.folder} do not belong together"
            raise IndexMismatchError(problem, "Rebuild it with `rag index --rebuild`.")
        self.admitted: Callable[[Filter], Admitted] = lru_cache(_FILTERS_KEPT)(partial(_admitted, self.store))
        """The rows that a filter admits, worked out once for each filter."""

    @cached_property
    def publishers(self) -> tuple[str, ...]:
        """All publishers of the articles, sorted."""
        return tuple(sorted({origin.publisher for origin in self.store.origins if origin.publisher}))

    def check_model(self, embedder: Embedder) -> None:
        """Refuse to compare vectors of different models.

        Raises:
            IndexMismatchError: another embedding model built this generation.
        """
        if self.manifest.embedding_sha256 != embedder.sha256:
            problem = f"The index was built with {self.manifest.embedding_model}, but the settings name {embedder.name}"
            remedy = "Run `rag index` to rebuild it with that model, or change the setting embedding_model back."
            raise IndexMismatchError(problem, remedy)


def search(
    snapshot: Snapshot,
    question: str,
    query: Vectors,
    k: int,
    retrieval: Retrieval = "fusion",
    filter: Filter = NO_FILTER,
) -> list[ScoredChunk]:
    """The ``k`` chunks most relevant to a standalone question, best first; equal scores in row order.

    Args:
        snapshot: what to search.
        question: for BM25.
        query: its vector, of shape ``(dimension,)``.
        k: how many.
        retrieval: which rankings count. The parts of a score are filled in all the same.
        filter: only chunks of articles that it admits are looked at, by each ranking.
    """
    store, admitted = snapshot.store, snapshot.admitted(filter)
    chunk_rows, _ = snapshot.chunks.search(query, _POOL, admitted.chunks)
    sentence_rows, sentence_cosines = snapshot.sentences.search(query, 3 * _POOL, admitted.sentences)
    bm25 = dict(store.bm25(question, _POOL, None if admitted.chunks is None else admitted.chunks.tobytes()))
    owner = store.chunk_of_sentences(int(row) for row in sentence_rows)
    best_sentence: dict[int, float] = {}
    for row, cosine in zip(sentence_rows, sentence_cosines, strict=True):
        best_sentence.setdefault(owner[int(row)], float(cosine))  # best first, so the first one is the best
    rows = sorted({int(row) for row in chunk_rows} | best_sentence.keys() | bm25.keys())
    if not rows:
        return []
    cosines = snapshot.chunks.get(np.array(rows)) @ query
    floor = float(sentence_cosines[-1])
    nearest = np.array([best_sentence.get(row, floor) for row in rows])
    words = np.array([bm25.get(row, 0.0) for row in rows])
    vectors = _scaled((cosines + nearest) / 2 if retrieval == "fusion" else cosines)
    fused = vectors if retrieval == "chunks" else _VECTOR_WEIGHT * vectors + (1 - _VECTOR_WEIGHT) * _scaled(words)
    order = np.argsort(-fused, kind="stable")[:k]
    stored = store.chunks_by_row(rows[position] for position in order)
    return [
        ScoredChunk(
            stored[rows[position]],
            float(fused[position]),
            float(cosines[position]),
            float(nearest[position]),
            float(words[position]),
        )
        for position in order
    ]


def passages(snapshot: Snapshot, found: Sequence[ScoredChunk]) -> list[Passage]:
    """The found chunks with their documents."""
    documents: dict[str, Document] = {}
    result = []
    for scored in found:
        name = scored.chunk.document
        if name not in documents:
            document = snapshot.store.document(name)
            assert document is not None, "the store's chunks name only its own documents"
            documents[name] = document
        chunk = scored.chunk
        result.append(Passage(chunk.row, documents[name], chunk.start, chunk.end, scored.score))
    return result


def candidate_sentences(
    snapshot: Snapshot, found: Sequence[ScoredChunk], query: Vectors
) -> list[tuple[StoredSentence, float]]:
    """All sentences of the found chunks in row order, with the cosine of each to the question."""
    sentences = snapshot.store.sentences_of(scored.chunk.row for scored in found)
    if not sentences:
        return []
    cosines = snapshot.sentences.get(np.array([sentence.row for sentence in sentences])) @ query
    return [(sentence, float(cosine)) for sentence, cosine in zip(sentences, cosines, strict=True)]


def _admitted(store: Store, filter: Filter) -> Admitted:
    if not filter:
        return Admitted(store.documents)
    documents, chunks, sentences = 0, np.zeros(store.chunks, np.bool_), np.zeros(store.sentences, np.bool_)
    for origin in store.origins:
        if filter.admits(origin):
            rows = origin.rows
            documents += 1
            chunks[rows.first_chunk : rows.first_chunk + rows.chunks] = True
            sentences[rows.first_sentence : rows.first_sentence + rows.sentences] = True
    return Admitted(documents, chunks, sentences)


def _scaled(values: Scores) -> Scores:
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.zeros(len(values))
