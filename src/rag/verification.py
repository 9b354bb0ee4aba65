"""Prove that an index is whole: every hash, every count, every offset and every vector."""

from pathlib import Path

import numpy as np

from rag import generations
from rag.errors import IndexCorruptError
from rag.retrieval import Snapshot
from rag.vectors import VectorIndex, VectorTable

_BLOCK = 65_536
_UNIT = 0.01
"""How far the length of a stored vector may be from 1; half precision moves it by less than 0.001."""
_SELF_QUERIES = 32
_REBUILD = "Rebuild it with `rag index --rebuild`."


def verify_index(index: Path) -> dict[str, int]:
    """Check the current generation through and through; what was counted.

    Raises:
        IndexUnusableError: it is missing, or something in it is not as it should be.
    """
    generation = generations.current(index)
    generations.verify(generation)
    snapshot = Snapshot(index)
    store = snapshot.store
    store.check()
    sentences = 0
    for document in store.all_documents():
        rows = store.rows_of(document.id)
        last = document.body_start
        for chunk in store.chunks_of(rows):
            for sentence in chunk.sentences:
                if not last <= sentence.start < sentence.end <= len(document.text):
                    raise IndexCorruptError(f"{document.path} has sentences outside its text or out of order", _REBUILD)
                last = sentence.end
            sentences += len(chunk.sentences)
        if not (rows.first_chunk + rows.chunks <= len(snapshot.chunks)):
            raise IndexCorruptError(f"{document.path} has chunks without vectors", _REBUILD)
    if sentences != store.sentences:
        raise IndexCorruptError(f"{generation.folder} holds {sentences} sentences, not {store.sentences}", _REBUILD)
    for name, vectors in (("chunks", snapshot.chunks), ("sentences", snapshot.sentences)):
        _check_vectors(name, vectors)
    _check_search(snapshot)
    return {
        "files": len(generation.manifest.files) + 1,
        "bytes": generation.bytes,
        "documents": store.documents,
        "chunks": store.chunks,
        "sentences": sentences,
        "vectors": len(snapshot.chunks) + len(snapshot.sentences),
    }


def _check_vectors(name: str, vectors: VectorIndex | VectorTable) -> None:
    for start in range(0, len(vectors), _BLOCK):
        block = vectors.get(np.arange(start, min(start + _BLOCK, len(vectors))))
        lengths = np.linalg.norm(block, axis=1)
        if not np.all(np.abs(lengths - 1) < _UNIT):  # false for what is no number, too
            raise IndexCorruptError(f"Vectors of {name} from row {start} on are no unit vectors", _REBUILD)


def _check_search(snapshot: Snapshot) -> None:
    rows = np.linspace(0, len(snapshot.chunks) - 1, min(_SELF_QUERIES, len(snapshot.chunks))).astype(np.int64)
    for row, vector in zip(rows, snapshot.chunks.get(rows), strict=True):
        _, cosines = snapshot.chunks.search(vector, 1)
        if not len(cosines) or cosines[0] < 1 - _UNIT:
            raise IndexCorruptError(f"The vector of chunk {row} does not find itself", _REBUILD)
