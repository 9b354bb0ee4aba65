"""Everything that a reader of an index can see, told without row numbers, which may differ between equal indexes."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rag.embedding import Embedder
from rag.filters import NO_FILTER, Filter
from rag.retrieval import Snapshot, search
from rag.wording import stems


def view(index: Path) -> dict[str, Any]:
    """Documents, chunks, sentences, vectors and word counts of the current generation."""
    snapshot = Snapshot(index)
    with contextlib.closing(snapshot.store) as store:
        documents = {document.path: document for document in store.all_documents()}
        vocabulary = sorted({stem for document in documents.values() for stem in stems(document.text + document.title)})
        return {
            "documents": documents,
            "chunks": _chunks(snapshot),
            "words": store.chunks_with([*vocabulary, "absent"]),
            "files": store.files(),
            "skipped": store.skipped(),
            "failed": store.failed(),
            "listed": store.listed(),
            "origins": sorted((repr(o.publisher), repr(o.published), o.rows.chunks) for o in store.origins),
            "publishers": snapshot.publishers,
            "copies": store.copies,
            "counts": (store.documents, store.chunks, store.sentences),
            "content": snapshot.manifest.content,
        }


def answers(
    index: Path, embedder: Embedder, questions: Sequence[str], filters: Sequence[Filter] = (NO_FILTER,)
) -> list[Any]:
    """What is found for each question under each filter, in order, with the parts of its score."""
    snapshot = Snapshot(index)
    found: list[Any] = []
    with contextlib.closing(snapshot.store) as store:
        for question in questions:
            query = embedder.embed([question])[0]
            places = {chunk.row: (chunk.document, chunk.start) for chunk in store.all_chunks()}
            ranked = [(places[row], score) for row, score in store.bm25(question, store.chunk_rows)]
            found.append(sorted(ranked))
            for filter in filters:
                among = snapshot.admitted(filter)
                found.append(among.documents)
                rows, _ = snapshot.chunks.search(query, 3, among.chunks)
                assert {int(row) for row in rows} <= places.keys(), "a chunk that was removed is found"
                for scored in search(snapshot, question, query, 20, filter=filter):
                    scores = (scored.score, scored.cosine, scored.best_sentence_cosine, scored.bm25)
                    found.append((scored.chunk.document, scored.chunk.start, *(round(score, 5) for score in scores)))
    return found


def _chunks(snapshot: Snapshot) -> list[Any]:
    store = snapshot.store
    chunks = {chunk.row: chunk for chunk in store.all_chunks()}
    result = []
    for row, chunk in chunks.items():
        sentences = store.sentences_of([row])
        assert [sentence.row for sentence in sentences] == [
            chunk.first_sentence + offset for offset in range(chunk.sentences)
        ]
        vectors = snapshot.sentences.get(np.array([sentence.row for sentence in sentences], np.int64))
        spans = [(s.start, s.end, s.citable) for s in sentences]
        vector = snapshot.chunks.get(np.array([row]))
        result.append((chunk.document, chunk.start, chunk.end, spans, vector.tobytes(), vectors.tobytes()))
    return sorted(result)
