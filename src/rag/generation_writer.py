"""Documents with their chunks → the files of a new generation, in bounded memory.

Texts are embedded in groups, sorted by length, and each finished slice goes into the cache at once, so that a run that
was killed goes on from there. Vectors are appended to files; only the vector index itself is made in memory.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from rag import generations
from rag.embedding import Embedder
from rag.generations import Generation, Part
from rag.prose import prose
from rag.records import Chunk, Document, SkippedFile
from rag.store import StoreWriter
from rag.vector_cache import VectorCache
from rag.vectors import Halves, halves, write_index

_GROUP = 4096
"""Texts gathered before they are embedded."""
_SLICE = 512
"""Texts whose vectors are kept together."""


@dataclass(frozen=True, slots=True)
class Known:
    """Vectors of a document that need not be embedded."""

    chunks: Halves
    sentences: Halves


@dataclass(frozen=True, slots=True)
class _Waiting:
    document: Document
    chunks: Sequence[Chunk]
    file: str
    known: Known | None
    signature: bytes | None

    def chunk_texts(self) -> list[str]:
        return [prose(self.document, chunk.start, chunk.end).text for chunk in self.chunks]

    def texts(self) -> list[str]:
        """What is embedded: first the chunks, then the sentences."""
        passages = [passage_text(self.document.title, text) for text in self.chunk_texts()]
        return passages + [prose(self.document, s.start, s.end).text for chunk in self.chunks for s in chunk.sentences]


def passage_text(title: str, text: str) -> str:
    """What is embedded for a chunk: the title says what its pronouns are about."""
    return f"{title}\n{text}"


class GenerationWriter:
    """Fills the folder of one new generation. Documents are stored in the order in which they are added.

    Args:
        folder: as given by ``generations.building``.
        embedder: for the vectors.
        cache: of vectors.
        progress: told how many of the files that were announced are embedded.
    """

    def __init__(
        self, folder: Path, embedder: Embedder, cache: VectorCache, progress: Callable[[str, int, int], None]
    ) -> None:
        self._folder, self._embedder, self._cache, self._progress = folder, embedder, cache, progress
        self.parts: list[Part] = []
        self.taken_over: dict[str, dict[str, Any]] = {}
        """Manifest entries of the files that are those of the generation before."""
        self.counts = (0, 0, 0, 0)
        """Documents, chunks, sentences and what was skipped; known when finished."""
        self.embedded_documents = self.embedded_chunks = self.embedded_texts = 0
        self._part = folder.name[4:10]
        self.skipped: list[SkippedFile] = []
        """What could not be read of the files that were added."""
        self._waiting: list[_Waiting] = []
        self._texts = self._files_read = self._files_done = self._files_expected = 0
        self._store: StoreWriter | None = None
        self._first_chunk = self._first_sentence = 0
        self._chunk_halves: BinaryIO = (folder / "chunks.f16").open("w+b")
        self._sentence_halves: BinaryIO = (folder / f"sentences-{self._part}.f16").open("wb")

    def build_on(self, before: Generation) -> None:
        """Take everything over; called before anything is added.

        Raises:
            OSError: writing failed.
        """
        self.parts = before.manifest.all_parts()
        for path in (*before.chunk_files, *before.sentence_files):
            generations.link(path, self._folder)
            self.taken_over[path.name] = before.manifest.files[path.name]
        shutil.copyfile(before.folder / generations.STORE, self._folder / generations.STORE)
        self._open_store()

    def expect(self, files: int) -> None:
        """Announce how many files will be read."""
        self._files_expected = files

    def file_done(self) -> None:
        """Note that a file was read."""
        self._files_read += 1

    def remove(self, file: str) -> None:
        """Take out what was read from a file of the corpus."""
        self._open_store().remove(file)

    def skip(self, skipped: SkippedFile, file: str) -> None:
        """Note what of a file of the corpus could not be read."""
        self._open_store().skip(skipped, file)
        self.skipped.append(skipped)

    def add(
        self,
        document: Document,
        chunks: Sequence[Chunk],
        file: str,
        known: Known | None = None,
        signature: bytes | None = None,
    ) -> None:
        """Store a document, its chunks and their vectors.

        Args:
            document: what to store.
            chunks: of it.
            file: of the corpus that it was read from.
            known: its vectors, if they need not be made.
            signature: of its words, likewise.

        Raises:
            ModelError: embedding failed.
            OSError: writing failed.
        """
        waiting = _Waiting(document, chunks, file, known, signature)
        self._waiting.append(waiting)
        self._texts += 0 if known else len(chunks) + sum(len(chunk.sentences) for chunk in chunks)
        if self._texts >= _GROUP or len(self._waiting) >= _GROUP:
            self._flush()

    def finish(self, files: Mapping[str, str]) -> None:
        """Write what waits and close all files.

        Args:
            files: path → sha256 of every file of the corpus.

        Raises:
            ModelError: embedding failed.
            IndexCorruptError: the store was not written right.
            OSError: writing failed.
        """
        self._flush()
        store = self._open_store()
        chunks, sentences = store.chunk_rows - self._first_chunk, store.sentence_rows - self._first_sentence
        store.set_files(files)
        self.counts = store.counts()
        store.finish()
        self._store = None
        self._sentence_halves.close()
        self._chunk_halves.flush()
        if chunks or not self.parts:
            part = Part(self._part, chunks, sentences)
            path = self._folder / "chunks.f16"
            stored: Halves = (
                np.memmap(path, np.float16, "r", shape=(chunks, self._embedder.dimension))
                if chunks
                else np.zeros((0, self._embedder.dimension), np.float16)
            )
            write_index(self._folder / part.chunk_file, stored)
            self.parts.append(part)
            del stored  # Windows cannot delete a file that is mapped
        else:
            (self._folder / f"sentences-{self._part}.f16").unlink()
        self._chunk_halves.close()
        (self._folder / "chunks.f16").unlink()

    def close(self) -> None:
        """Release all files, finished or not."""
        if self._store is not None:
            self._store.abandon()
            self._store = None
        self._chunk_halves.close()
        self._sentence_halves.close()

    def _open_store(self) -> StoreWriter:
        if self._store is None:
            self._first_sentence = sum(part.sentences for part in self.parts)
            self._store = StoreWriter(self._folder / generations.STORE, self._first_sentence)
            self._first_chunk = self._store.chunk_rows
        return self._store

    def _flush(self) -> None:
        waiting, self._waiting, self._texts = self._waiting, [], 0
        store = self._open_store()
        fresh = [item for item in waiting if item.known is None]
        vectors = self._embed([text for item in fresh for text in item.texts()])
        self.embedded_documents += len(fresh)
        self.embedded_chunks += sum(len(item.chunks) for item in fresh)
        used = 0
        for item in waiting:
            store.add(item.document, item.chunks, item.chunk_texts(), item.file, item.signature)
            known = item.known
            if known is None:
                middle = used + len(item.chunks)
                end = middle + sum(len(chunk.sentences) for chunk in item.chunks)
                known = Known(vectors[used:middle], vectors[middle:end])
                used = end
            self._chunk_halves.write(known.chunks.tobytes())
            self._sentence_halves.write(known.sentences.tobytes())
        self._files_done = self._files_read
        self._progress("Embedding", self._files_done, self._files_expected)

    def _embed(self, texts: Sequence[str]) -> Halves:
        """Vectors of these texts; what is in the cache, and each text that occurs again, is not embedded."""
        unique = sorted(dict.fromkeys(texts), key=len, reverse=True)
        vectors = np.empty((len(unique), self._embedder.dimension), np.float16)
        known = self._cache.get(unique)
        for row, vector in known.items():
            vectors[row] = vector
        missing = [row for row in range(len(unique)) if row not in known]
        group = self._files_read - self._files_done
        for start in range(0, len(missing), _SLICE):
            rows = missing[start : start + _SLICE]

            def show(done: int, total: int, before: int = start) -> None:
                share = (before + done) / len(missing)
                self._progress("Embedding", self._files_done + int(group * share), self._files_expected)

            some = [unique[row] for row in rows]
            vectors[rows] = halves(self._embedder.embed(some, show))
            self._cache.put(some, vectors[rows])
            self.embedded_texts += len(rows)
        place = {text: row for row, text in enumerate(unique)}
        return vectors[[place[text] for text in texts]]
