"""The indexing flow: changed files → documents → sentences → chunks → vectors → a new generation.

What has not changed is taken over from the generation before: as it is, by links and a copy of the store, where little
has changed; row by row into a new layout otherwise. Either way nothing is read, split or embedded twice.
"""

import contextlib
import dataclasses
import datetime
import hashlib
import importlib.metadata
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from rag import fetch, generations
from rag.changes import Changes, find_changes
from rag.chunking import pack_chunks
from rag.documents import left_alone, read_file
from rag.embedding import Embedder
from rag.errors import CorpusError, IndexUnusableError
from rag.generation_writer import GenerationWriter, Known
from rag.generations import Generation, Manifest
from rag.prose import prose
from rag.records import Chunk, Document, SkippedFile
from rag.sentences import split_sentences
from rag.store import RowRange, Store
from rag.vector_cache import FILE as CACHE
from rag.vector_cache import VectorCache
from rag.vectors import VectorIndex, VectorTable, halves

Progress = Callable[[str, int, int], None]
"""Called with a stage (``"Reading"``, ``"Embedding"``, ``"Writing"``), how much is done and how much there is."""

SPLITTER = f"sentencex {importlib.metadata.version('sentencex')}, rules 2"
_SPECIAL_TOKENS = 4
"""[CLS], [SEP], and the line end between title and text counted generously."""
_SMALL = 5_000
"""Chunks. An index up to this size is always laid out anew, which takes less than a second."""
_MOST_PARTS = 32
_MOST_MOVED = 0.25
"""Share of the rows that are empty or in later parts. Beyond it, the index is laid out anew."""
CACHE_BYTES = 512_000_000


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What an indexing run did."""

    generation: Generation
    changed: bool
    """False when the index already was up to date; nothing was written then."""
    changes: Changes
    embedded_documents: int
    reused_documents: int
    removed_documents: int
    embedded_chunks: int
    embedded_texts: int
    """Chunks and sentences that the model ran on; equal ones count once, those in the cache not at all."""
    seconds: float
    skipped: tuple[SkippedFile, ...]


@dataclass(frozen=True, slots=True)
class _Before:
    """The generation that is built on."""

    generation: Generation
    store: Store
    chunks: VectorIndex
    sentences: VectorTable

    def known(self, rows: RowRange) -> Known:
        return Known(
            halves(self.chunks.get(np.arange(rows.first_chunk, rows.first_chunk + rows.chunks))),
            halves(self.sentences.get(np.arange(rows.first_sentence, rows.first_sentence + rows.sentences))),
        )


def plan_index(
    corpus: Path, index: Path, embedder: Embedder, *, chunk_tokens: int, max_file_bytes: int, rebuild: bool = False
) -> Changes:
    """What ``build_index`` would do. The index stays as it is.

    Raises:
        CorpusError: the folder is missing or cannot be read.
    """
    with _before(index, embedder, chunk_tokens, rebuild) as before:
        known = before.store.files() if before else {}
        return find_changes(corpus, index, known, max_file_bytes, trust_times=not rebuild)


def build_index(
    corpus: Path,
    index: Path,
    embedder: Embedder,
    *,
    chunk_tokens: int,
    max_file_bytes: int,
    cache_bytes: int = CACHE_BYTES,
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
        cache_bytes: most bytes of the cache of vectors; 0 is none.
        rebuild: read and embed everything anew; neither the generation before nor the cache is looked at.
        progress: told how far each stage is.

    Raises:
        CorpusError: the folder is missing, unreadable, or holds no readable article.
        IndexLockedError: another run is active.
        IndexingError: writing failed. The index in use is untouched in every case.
    """
    started = time.perf_counter()
    ignored = left_alone(corpus)
    with generations.building(index) as folder, _before(index, embedder, chunk_tokens, rebuild) as before:
        known = before.store.files() if before else {}
        changes = find_changes(
            corpus, index, known, max_file_bytes, not rebuild, lambda done, total: progress("Reading", done, total)
        )
        retried = _retry(before, changes, max_file_bytes)
        small = before is not None and changes.any and _is_small(before, changes, len(retried))
        if before is not None and not small and not _is_whole(before):
            before, retried = None, {}
            changes = find_changes(corpus, index, {}, max_file_bytes)
        if before is not None and not changes.any and not retried:
            generation, skipped = before.generation, (*before.store.skipped(), *ignored)
            kept, seconds = generation.manifest.documents, time.perf_counter() - started
            return IndexReport(generation, False, changes, 0, kept, 0, 0, 0, seconds, skipped)
        read = {*changes.added, *changes.changed, *(new for _, new in changes.renamed), *retried}
        with (
            contextlib.closing(
                VectorCache(index / CACHE, embedder.sha256, embedder.dimension, cache_bytes, anew=rebuild)
            ) as cache,
            contextlib.closing(GenerationWriter(folder, embedder, cache, progress)) as writer,
        ):
            if before is not None and small:
                writer.build_on(before.generation)
                for path in {*changes.changed, *changes.removed, *(old for old, _ in changes.renamed), *retried}:
                    writer.remove(path)
                paths = sorted(read)
            else:
                paths = list(changes.files)
            writer.expect(len(read))
            addresses = fetch.addresses(corpus)
            # Beside what there is, vectors are copied only for renamed files, and then they must be checked first.
            copying = before is not None and (not small or (bool(changes.renamed) and _is_whole(before)))
            leaving = _leaving(before, changes) if copying else {}
            for path in paths:
                if before is not None and path not in read:
                    for document, rows, signature in before.store.of_file(path):
                        writer.add(document, before.store.chunks_of(rows), path, before.known(rows), signature)
                    for reason in before.store.skipped_of(path):
                        writer.skip(reason, path)
                    continue
                for item in retried.get(path) or read_file(changes.places[path], path, max_file_bytes):
                    if isinstance(item, SkippedFile):
                        writer.skip(item, path)
                    else:
                        if item.url is None and path in addresses:
                            item = dataclasses.replace(item, url=addresses[path])
                        chunks = _split(item, embedder, chunk_tokens)
                        same = leaving.get((item.title, item.text))
                        writer.add(item, chunks, path, _fitting(before, same, chunks))
                writer.file_done()
            writer.finish(changes.files)
            documents, chunk_count, sentence_count, problems = writer.counts
            if not documents:
                reasons = "; ".join(f"{file.path}: {file.reason}" for file in writer.skipped[:3])
                problem = f"No article to index in {corpus}" + (f" ({reasons})" if reasons else "")
                raise CorpusError(problem, "Put articles into it; `rag index --help` names the formats.")
            manifest = Manifest(
                embedding_model=embedder.name,
                embedding_sha256=embedder.sha256,
                dimension=embedder.dimension,
                chunk_tokens=chunk_tokens,
                splitter=SPLITTER,
                documents=documents,
                chunks=chunk_count,
                sentences=sentence_count,
                skipped=problems,
                content=_content(changes.files),
                parts=[asdict(part) for part in writer.parts],
                versions={name: importlib.metadata.version(name) for name in ("faiss-cpu", "onnxruntime", "numpy")},
                created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                files=writer.taken_over,
            )
            progress("Writing", 0, 1)
            generation = generations.publish(folder, manifest, writer.taken_over)
            generations.remove_old(index)
            progress("Writing", 1, 1)
    with contextlib.closing(Store(generation.folder / generations.STORE)) as store:
        skipped = (*store.skipped(), *ignored)
    return IndexReport(
        generation=generation,
        changed=True,
        changes=changes,
        embedded_documents=writer.embedded_documents,
        reused_documents=documents - writer.embedded_documents,
        removed_documents=len(changes.removed) + len(changes.renamed),
        embedded_chunks=writer.embedded_chunks,
        embedded_texts=writer.embedded_texts,
        seconds=time.perf_counter() - started,
        skipped=skipped,
    )


@contextlib.contextmanager
def _before(index: Path, embedder: Embedder, chunk_tokens: int, rebuild: bool) -> Iterator[_Before | None]:
    """The current generation if it can be built on; a damaged one is simply replaced."""
    found: _Before | None = None
    if not rebuild:
        with contextlib.suppress(IndexUnusableError):
            generation = generations.current(index)
            manifest = generation.manifest
            built_with = (manifest.embedding_sha256, manifest.chunk_tokens, manifest.splitter)
            if built_with == (embedder.sha256, chunk_tokens, SPLITTER):
                # Vectors are checked before they are copied; by links they keep the hashes that they were written with.
                vectors = generation.manifest.files.keys() - {generations.STORE}
                generations.verify(generation, but=vectors if manifest.chunks > _SMALL else ())
                found = _Before(
                    generation,
                    Store(generation.folder / generations.STORE),
                    VectorIndex.open(generation.chunk_files),
                    VectorTable(generation.sentence_files, manifest.dimension),
                )
    try:
        yield found
    finally:
        if found is not None:
            found.store.close()


def _retry(before: _Before | None, changes: Changes, max_bytes: int) -> dict[str, list[Document | SkippedFile]]:
    """Files that gave no document, read again although they have not changed: those that give something else now."""
    found = {}
    unchanged = set(changes.unchanged)
    for path in before.store.failed() if before else ():
        if path in unchanged:
            read = read_file(changes.places[path], path, max_bytes)
            if before is not None and read != before.store.skipped_of(path):
                found[path] = read
    return found


def _is_small(before: _Before, changes: Changes, retried: int) -> bool:
    """Whether a change is better written beside what there is than laid out anew with it."""
    manifest = before.generation.manifest
    parts = manifest.all_parts()
    rows = sum(part.chunks for part in parts)
    moved = (rows - parts[0].chunks) + (rows - manifest.chunks)
    files = len(changes.added) + len(changes.changed) + len(changes.removed) + len(changes.renamed) + retried
    return (
        manifest.chunks > _SMALL
        and len(parts) < _MOST_PARTS
        and moved / rows + files / max(1, len(changes.files)) <= _MOST_MOVED
    )


def _is_whole(before: _Before) -> bool:
    try:
        generations.verify(before.generation)
    except IndexUnusableError:
        return False
    return True


def _leaving(before: _Before | None, changes: Changes) -> dict[tuple[str, str], RowRange]:
    """Title and text of the documents of files that are gone or have changed: equal ones elsewhere keep their vectors."""
    if before is None:
        return {}
    gone = [*changes.changed, *changes.removed, *(old for old, _ in changes.renamed)]
    return {(document.title, document.text): rows for path in gone for document, rows, _ in before.store.of_file(path)}


def _fitting(before: _Before | None, rows: RowRange | None, chunks: list[Chunk]) -> Known | None:
    """The vectors at these rows, if they are those of these chunks."""
    if before is None or rows is None or before.store.chunks_of(rows) != chunks:
        return None
    return before.known(rows)


def _split(document: Document, embedder: Embedder, chunk_tokens: int) -> list[Chunk]:
    sentences = split_sentences(document.text, document.body_start, document.language, document.boilerplate)
    counts = embedder.count_tokens([prose(document, sentence.start, sentence.end).text for sentence in sentences])
    title_tokens = embedder.count_tokens([document.title])[0]
    limit = min(chunk_tokens, max(32, embedder.max_tokens - title_tokens - _SPECIAL_TOKENS))
    return pack_chunks(document.text, sentences, counts, limit)


def _content(files: Mapping[str, str]) -> str:
    lines = "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
