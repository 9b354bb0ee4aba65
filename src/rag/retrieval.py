"""Question → passages: chunk vectors, sentence vectors and BM25 fused.

The fusion is the one measured best on held-out questions: the mean of the chunk's cosine and its best
sentence's cosine, and BM25, each scaled to 0–1 over the candidates, weighted 0.65 : 0.35. Candidates are the best
chunks by vector and by BM25: searching the sentence vectors too found no more of the right ones (``docs/scale.md``).
"""

import dataclasses
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rag import generations
from rag.embedding import Embedder, Vectors
from rag.errors import IndexCorruptError, IndexMismatchError, IndexUnusableError
from rag.filters import NO_FILTER, Filter
from rag.generations import Generation, Manifest
from rag.records import Document, Passage
from rag.store import Store, StoredChunk, StoredSentence
from rag.vectors import Mask, VectorIndex, VectorTable

Scores = npt.NDArray[np.floating[Any]]

Retrieval = Literal["fusion", "chunks+words", "chunks"]
"""``fusion`` as above; ``chunks+words`` without sentence vectors; ``chunks`` by the chunk's cosine alone."""

_VECTOR_WEIGHT = 0.65
_POOL = 100
"""Candidates taken from each of the two rankings before fusing."""
_VERIFIED_AT_ONCE = 256_000_000
"""Bytes. The hashes of a larger index are compared in the background, after it was opened."""
_LATER = 1.0
"""Seconds after opening."""
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
    """What a filter admits. Without a mask: all rows."""

    documents: int
    chunks: Mask | None = None


class Snapshot:
    """One generation, opened: an immutable view that a request keeps from its beginning to its end.

    Raises:
        IndexUnusableError: the index is missing, damaged, or of another format.
    """

    def __init__(self, index: Path) -> None:
        while True:
            generation = generations.current(index)
            try:
                self._open(generation)
                return
            except IndexUnusableError:
                # Two newer ones may have been published meanwhile, and this one removed.
                if generations.current_name(index) == generation.name:
                    raise

    def _open(self, generation: Generation) -> None:
        # Before faiss reads it: a flipped length would ask for all the memory there is. Of a large index, whose
        # hashes take long, the files are opened first; a damaged one is refused as soon as that is known.
        self._damage: IndexUnusableError | None = None
        self._generation = generation
        if generation.bytes <= _VERIFIED_AT_ONCE:
            generations.verify(generation)
        else:
            timer = threading.Timer(_LATER, self._verify)  # not in the way of the first questions
            timer.daemon = True
            timer.start()
        self.name = generation.name
        self.manifest: Manifest = generation.manifest
        self.store = Store(generation.folder / generations.STORE)
        self.chunks = VectorIndex.open(generation.chunk_files)
        self.sentences = VectorTable(generation.sentence_files, self.manifest.dimension)
        parts = self.manifest.all_parts()
        counts = (len(self.chunks), len(self.sentences), self.store.chunk_rows, self.store.chunks, self.store.sentences)
        rows = (sum(part.chunks for part in parts), sum(part.sentences for part in parts))
        if counts != (*rows, rows[0], self.manifest.chunks, self.manifest.sentences):
            problem = f"The files of {generation.folder} do not belong together"
            raise IndexMismatchError(problem, "Rebuild it with `rag index --rebuild`.")
        self.admitted: Callable[[Filter], Admitted] = lru_cache(_FILTERS_KEPT)(partial(_admitted, self.store))
        """The rows that a filter admits, worked out once for each filter."""

    @cached_property
    def publishers(self) -> tuple[str, ...]:
        """All publishers of the articles, sorted."""
        return tuple(sorted({origin.publisher for origin in self.store.origins if origin.publisher}))

    def check(self) -> None:
        """Raise what checking in the background has found.

        Raises:
            IndexCorruptError: a file is damaged.
        """
        if self._damage is not None:
            raise self._damage

    def check_model(self, embedder: Embedder) -> None:
        """Refuse to compare vectors of different models.

        Raises:
            IndexMismatchError: another embedding model built this generation.
        """
        if self.manifest.embedding_sha256 != embedder.sha256:
            problem = f"The index was built with {self.manifest.embedding_model}, but the settings name {embedder.name}"
            remedy = "Run `rag index` to rebuild it with that model, or change the setting embedding_model back."
            raise IndexMismatchError(problem, remedy)

    def _verify(self) -> None:
        try:
            generations.verify(self._generation)
        except IndexCorruptError as error:
            self._damage = error
        except IndexUnusableError:
            pass  # e.g. collected meanwhile, as a newer one is in use


def search(
    snapshot: Snapshot,
    question: str,
    query: Vectors,
    k: int,
    retrieval: Retrieval = "fusion",
    filter: Filter = NO_FILTER,
) -> list[ScoredChunk]:
    """The ``k`` chunks most relevant to a standalone question, best first; equal scores in order of documents.

    Args:
        snapshot: what to search.
        question: for BM25.
        query: its vector, of shape ``(dimension,)``.
        k: how many.
        retrieval: which rankings count. The parts of a score are filled in all the same.
        filter: only chunks of articles that it admits are looked at, by each ranking.
    """
    snapshot.check()
    store, among = snapshot.store, snapshot.admitted(filter).chunks
    chunk_rows, _ = snapshot.chunks.search(query, _POOL, among)
    bm25 = dict(store.bm25(question, _POOL, among))
    candidates = list(store.chunks_by_row({int(row) for row in chunk_rows} | bm25.keys()).values())
    if not candidates:
        return []
    cosines = _cosines(snapshot.chunks.get(np.array([chunk.row for chunk in candidates])), query)
    nearest = _best_sentences(snapshot, candidates, query)
    words = np.array([bm25.get(chunk.row, 0.0) for chunk in candidates])
    vectors = _scaled((cosines + nearest) / 2 if retrieval == "fusion" else cosines)
    fused = vectors if retrieval == "chunks" else _VECTOR_WEIGHT * vectors + (1 - _VECTOR_WEIGHT) * _scaled(words)
    # Equal scores in order of documents, so that the history of an index does not show in its answers.
    order = sorted(
        range(len(candidates)),
        key=lambda place: (-fused[place], candidates[place].document, candidates[place].start),
    )
    found = [
        ScoredChunk(
            candidates[place],
            float(fused[place]),
            float(cosines[place]),
            float(nearest[place]),
            float(words[place]),
        )
        for place in order
    ]
    return list(itertools.islice(_without_copies(store, found), k))


def _without_copies(store: Store, found: Sequence[ScoredChunk]) -> Iterator[ScoredChunk]:
    """Leave out chunks of copied articles whose sentences were there before; of equal ones the representative's stays."""
    copied = [scored.chunk for scored in found if scored.chunk.document in store.copies]
    if not copied:
        yield from found
        return
    documents = {chunk.document: store.document(chunk.document) for chunk in copied}
    sentences: dict[int, set[str]] = {chunk.row: set() for chunk in copied}
    owner = {chunk.row: documents[chunk.document] for chunk in copied}
    for sentence in store.sentences_of(sentences):
        document = owner[sentence.chunk]
        assert document is not None, "the store's chunks name only its own documents"
        sentences[sentence.chunk].add(" ".join(document.text[sentence.start : sentence.end].split()).casefold())
    seen: dict[str, set[str]] = {}
    for scored in found:
        chunk = scored.chunk
        of = store.copies.get(chunk.document)
        if of is None:
            yield scored
            continue
        said = seen.setdefault(of, set())
        if not _adds(sentences[chunk.row], said):
            continue
        twin = next(
            (
                other
                for other in found
                if other.chunk.document == of and not _adds(sentences[chunk.row], sentences[other.chunk.row])
            ),
            scored,
        )
        said |= sentences[twin.chunk.row] | sentences[chunk.row]
        yield dataclasses.replace(twin, score=scored.score)


def _adds(sentences: set[str], said: set[str]) -> bool:
    """Whether more than a quarter of these sentences, by their lengths, is not among what was said."""
    return sum(map(len, sentences - said)) > sum(map(len, sentences)) / 4


def _best_sentences(snapshot: Snapshot, chunks: Sequence[StoredChunk], query: Vectors) -> Scores:
    """The highest cosine of a sentence of each chunk; -1 for a chunk without sentences."""
    counts = np.array([chunk.sentences for chunk in chunks])
    rows = np.concatenate([np.arange(c.first_sentence, c.first_sentence + c.sentences) for c in chunks])
    cosines = _cosines(snapshot.sentences.get(rows), query)
    best = np.full(len(chunks), -1.0, np.float32)
    filled = counts > 0
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])[filled]
    if len(starts):
        best[filled] = np.maximum.reduceat(cosines, starts)
    return best


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
    cosines = _cosines(snapshot.sentences.get(np.array([sentence.row for sentence in sentences])), query)
    return [(sentence, float(cosine)) for sentence, cosine in zip(sentences, cosines, strict=True)]


def _admitted(store: Store, filter: Filter) -> Admitted:
    if not filter:
        return Admitted(store.documents, store.alive)
    documents, chunks = 0, np.zeros(store.chunk_rows, np.bool_)
    for origin in store.origins:
        if filter.admits(origin):
            documents += 1
            chunks[origin.rows.first_chunk : origin.rows.first_chunk + origin.rows.chunks] = True
    return Admitted(documents, chunks)


def _cosines(vectors: Vectors, query: Vectors) -> Vectors:
    """In a matrix product, the last bit would depend on the place of a row, and equal texts would not score equally."""
    cosines: Vectors = np.einsum("ij,j->i", vectors, query)
    return cosines


def _scaled(values: Scores) -> Scores:
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.zeros(len(values))
