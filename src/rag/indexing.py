"""The indexing flow: files → documents → sentences → chunks → vectors → a new generation.

Documents whose file and title are unchanged keep their vectors from the generation before.
"""

import datetime
import importlib.metadata
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag import generations
from rag.chunking import pack_chunks
from rag.documents import corpus_files, read_documents
from rag.embedding import Embedder, Vectors
from rag.errors import CorpusError, IndexUnusableError
from rag.generations import Generation, Manifest
from rag.records import Chunk, Document, SkippedFile
from rag.sentences import split_sentences
from rag.store import RowRange, Store, StoreWriter
from rag.vectors import VectorIndex

Progress = Callable[[str, int, int], None]
"""Called with a stage (``"Reading"``, ``"Embedding"``, ``"Writing"``), how much is done and how much there is."""

SPLITTER = f"sentencex {importlib.metadata.version('sentencex')}, rules 1"
_SPECIAL_TOKENS = 4
"""[CLS], [SEP], and the line end between title and text counted generously."""


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What an indexing run did."""

    generation: Generation
    changed: bool
    """False when the index already was up to date; nothing was written then."""
    embedded_documents: int
    reused_documents: int
    removed_documents: int
    embedded_chunks: int
    seconds: float
    skipped: tuple[SkippedFile, ...]


@dataclass(frozen=True, slots=True)
class _Previous:
    """What can be taken over from the generation before."""

    rows: dict[tuple[str, str], RowRange]
    chunks: VectorIndex
    sentences: VectorIndex
    manifest: Manifest

    def vectors(self, document: Document) -> tuple[Vectors, Vectors] | None:
        rows = self.rows.get((document.sha256, document.title))
        if rows is None:
            return None
        return (
            self.chunks.get(np.arange(rows.first_chunk, rows.first_chunk + rows.chunks)),
            self.sentences.get(np.arange(rows.first_sentence, rows.first_sentence + rows.sentences)),
        )


def build_index(
    corpus: Path,
    index: Path,
    embedder: Embedder,
    *,
    chunk_tokens: int,
    max_file_bytes: int,
    rebuild: bool = False,
    progress: Progress = lambda stage, done, total: None,
) -> IndexReport:
    """Bring the index up to date with the corpus.

    Args:
        corpus: folder of articles.
        index: folder of generations; created if needed.
        embedder: must be the one that questions will be embedded with.
        chunk_tokens: most tokens of a chunk, see ``Settings``.
        max_file_bytes: larger files are skipped.
        rebuild: embed everything anew and do not look at the generation before.
        progress: told how far each stage is.

    Raises:
        CorpusError: the folder is missing, unreadable, or holds no readable article.
        IndexLockedError: another run is active.
        IndexingError: writing failed. The index in use is untouched in every case.
    """
    started = time.perf_counter()
    documents, skipped = _read(corpus, max_file_bytes, progress)
    if not documents:
        reasons = "; ".join(f"{file.path}: {file.reason}" for file in skipped[:3])
        problem = f"No article to index in {corpus}" + (f" ({reasons})" if reasons else "")
        raise CorpusError(problem, "Put .txt or .md files into it.")
    with generations.building(index) as folder:
        previous = None if rebuild else _previous(index, embedder, chunk_tokens)
        if previous is not None and _same(previous.manifest, documents, skipped):
            generation = generations.current(index)
            return IndexReport(
                generation, False, 0, len(documents), 0, 0, time.perf_counter() - started, tuple(skipped)
            )
        split = list(_split(documents, embedder, chunk_tokens))
        chunk_vectors, sentence_vectors, reused = _vectors(documents, split, embedder, previous, progress)
        progress("Writing", 0, 1)
        (folder / "chunks.faiss").write_bytes(VectorIndex.build(chunk_vectors).to_bytes())
        (folder / "sentences.faiss").write_bytes(VectorIndex.build(sentence_vectors).to_bytes())
        _write_store(folder / "store.sqlite", documents, split)
        manifest = Manifest(
            embedding_model=embedder.name,
            embedding_sha256=embedder.sha256,
            dimension=embedder.dimension,
            chunk_tokens=chunk_tokens,
            splitter=SPLITTER,
            documents=len(documents),
            chunks=len(chunk_vectors),
            sentences=len(sentence_vectors),
            skipped=[{"path": file.path, "reason": file.reason} for file in skipped],
            fingerprints={document.path: document.sha256 for document in documents},
            versions={name: importlib.metadata.version(name) for name in ("faiss-cpu", "onnxruntime", "numpy")},
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )
        generation = generations.publish(folder, manifest)
        generations.remove_old(index)
        progress("Writing", 1, 1)
    kept = {document.path for document in documents}
    removed = len(previous.manifest.fingerprints.keys() - kept) if previous else 0
    return IndexReport(
        generation=generation,
        changed=True,
        embedded_documents=len(documents) - len(reused),
        reused_documents=len(reused),
        removed_documents=removed,
        embedded_chunks=sum(len(chunks) for row, chunks in enumerate(split) if row not in reused),
        seconds=time.perf_counter() - started,
        skipped=tuple(skipped),
    )


def passage_text(title: str, text: str) -> str:
    """What is embedded for a chunk: the title says what its pronouns are about."""
    return f"{title}\n{text}"


def _read(corpus: Path, max_bytes: int, progress: Progress) -> tuple[list[Document], list[SkippedFile]]:
    documents: list[Document] = []
    skipped: list[SkippedFile] = []
    total = len(corpus_files(corpus))
    for found in read_documents(corpus, max_bytes):
        if isinstance(found, SkippedFile):
            skipped.append(found)
        else:
            documents.append(found)
        progress("Reading", len(documents) + len(skipped), total)
    return documents, skipped


def _previous(index: Path, embedder: Embedder, chunk_tokens: int) -> _Previous | None:
    """The current generation if its vectors may be taken over; a damaged one is simply replaced."""
    try:
        generation = generations.current(index)
        manifest = generation.manifest
        wanted = (embedder.sha256, chunk_tokens, SPLITTER)
        if (manifest.embedding_sha256, manifest.chunk_tokens, manifest.splitter) != wanted:
            return None
        generations.verify(generation)
        store = Store(generation.folder / "store.sqlite")
        rows = store.document_rows()
        store.close()
        chunks = VectorIndex.load(generation.folder / "chunks.faiss")
        return _Previous(rows, chunks, VectorIndex.load(generation.folder / "sentences.faiss"), manifest)
    except IndexUnusableError:
        return None


def _same(manifest: Manifest, documents: list[Document], skipped: list[SkippedFile]) -> bool:
    fingerprints = {document.path: document.sha256 for document in documents}
    problems = [{"path": file.path, "reason": file.reason} for file in skipped]
    return manifest.fingerprints == fingerprints and manifest.skipped == problems


def _split(documents: list[Document], embedder: Embedder, chunk_tokens: int) -> Iterator[list[Chunk]]:
    for document in documents:
        sentences = split_sentences(document.text, document.body_start, document.language)
        counts = embedder.count_tokens([document.text[sentence.start : sentence.end] for sentence in sentences])
        title_tokens = embedder.count_tokens([document.title])[0]
        limit = min(chunk_tokens, max(32, embedder.max_tokens - title_tokens - _SPECIAL_TOKENS))
        yield pack_chunks(document.text, sentences, counts, limit)


def _vectors(
    documents: list[Document],
    split: list[list[Chunk]],
    embedder: Embedder,
    previous: _Previous | None,
    progress: Progress,
) -> tuple[Vectors, Vectors, set[int]]:
    """Chunk vectors, sentence vectors, and the positions of the documents that were taken over."""
    taken: dict[int, tuple[Vectors, Vectors]] = {}
    texts: list[str] = []
    for position, (document, chunks) in enumerate(zip(documents, split, strict=True)):
        old = previous.vectors(document) if previous else None
        # Another token limit of the same weights cuts other chunks.
        if old is not None and [len(part) for part in old] == [len(chunks), sum(len(c.sentences) for c in chunks)]:
            taken[position] = old
            continue
        texts += [passage_text(document.title, document.text[chunk.start : chunk.end]) for chunk in chunks]
        texts += [document.text[s.start : s.end] for chunk in chunks for s in chunk.sentences]
    fresh = embedder.embed(texts, lambda done, total: progress("Embedding", done, total))
    chunk_parts: list[Vectors] = []
    sentence_parts: list[Vectors] = []
    used = 0
    for position, chunks in enumerate(split):
        if position in taken:
            chunk_part, sentence_part = taken[position]
        else:
            middle = used + len(chunks)
            end = middle + sum(len(chunk.sentences) for chunk in chunks)
            chunk_part, sentence_part = fresh[used:middle], fresh[middle:end]
            used = end
        chunk_parts.append(chunk_part)
        sentence_parts.append(sentence_part)
    return np.concatenate(chunk_parts), np.concatenate(sentence_parts), set(taken)


def _write_store(path: Path, documents: list[Document], split: list[list[Chunk]]) -> None:
    writer = StoreWriter(path)
    try:
        for document, chunks in zip(documents, split, strict=True):
            writer.add(document, chunks)
        writer.finish()
    except BaseException:
        writer.abandon()
        raise
