"""How the index holds up to a million chunks: ``python benchmarks/scale.py --sizes 10000 100000 1000000 --out DIR``.

The texts are generated: words drawn by Zipf's law from a vocabulary that grows with the collection, lengths as of the
shipped articles. The vectors are synthetic, at every size: unit vectors in clusters of clusters, so that neighbours
exist as they do for texts; embedding a million real chunks would take hours and tell nothing about the index. They go
through the product's own writer, store and search. Everything of one size runs in a process of its own, so that its
memory is its own.
"""

import argparse
import itertools
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from rag import generations
from rag.filters import Filter
from rag.generation_writer import GenerationWriter, Known
from rag.generations import Manifest
from rag.records import Chunk, Document, Sentence
from rag.retrieval import Snapshot, search
from rag.vector_cache import VectorCache

DIMENSION = 384
SENTENCES = 5
"""Of each chunk."""
CHUNKS = 8
"""Of each article."""
QUERIES = 300
PUBLISHERS = ("Orbit Review", "Space Daily", "The Launch", "Cosmos Weekly", "Station News")


class NoEmbedder:
    """Stands where the flow wants an embedding model; it is never asked."""

    name, sha256, dimension, max_tokens = "synthetic", "0" * 64, DIMENSION, 256

    def count_tokens(self, texts: object) -> list[int]:
        raise NotImplementedError

    def embed(self, texts: object, progress: object = None) -> np.ndarray:
        raise NotImplementedError


LETTERS = "abcdefghijklmnopqrstuvwxyz"


def word(rank: int) -> str:
    """The name of the word that is the ``rank``-th most frequent: letters only, as figures would be told apart."""
    name = "x"
    while rank:
        rank, letter = divmod(rank, 26)
        name = LETTERS[letter] + name
    return name


class Texts:
    """Articles of random words."""

    def __init__(self, chunks: int, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        # Heaps' law: the vocabulary grows with the square root of the number of words.
        self.vocabulary = int(40 * np.sqrt(chunks * 110))
        weights = 1 / np.arange(1, self.vocabulary + 1) ** 1.05
        self._cumulated = np.cumsum(weights / weights.sum())
        self._names = np.array([word(rank) for rank in range(self.vocabulary)], object)

    def words(self, count: int) -> list[str]:
        ranks = np.searchsorted(self._cumulated, self._random.random(count))
        return self._names[np.minimum(ranks, self.vocabulary - 1)].tolist()

    def article(self, number: int) -> tuple[Document, list[Chunk]]:
        text, chunks = "", []
        lengths = self._random.lognormal(3.0, 0.4, (CHUNKS, SENTENCES)).astype(int) + 4
        said = iter(self.words(int(lengths.sum()) + 6))
        title = " ".join(itertools.islice(said, 6))
        for of_chunk in lengths:
            sentences = []
            for length in of_chunk:
                start = len(text)
                text += " ".join(itertools.islice(said, int(length))) + "."
                sentences.append(Sentence(start, len(text), True))
                text += " "
            chunks.append(Chunk(sentences[0].start, sentences[-1].end, tuple(sentences)))
        path = f"article-{number:07d}.txt"
        document = Document(
            id=path,
            path=path,
            text=text,
            body_start=0,
            sha256=f"{number:064x}",
            title=title,
            publisher=PUBLISHERS[number % len(PUBLISHERS)],
            published=f"{2000 + number % 25}-0{1 + number % 9}-15",
        )
        return document, chunks


class Clouds:
    """Unit vectors around topics around subjects, about as near to each other as those of a sentence model."""

    def __init__(self, chunks: int, seed: int = 2) -> None:
        self._random = np.random.default_rng(seed)
        subjects = self._unit(max(8, int(np.sqrt(chunks) / 4)))
        self._topics = self._around(np.repeat(subjects, 16, axis=0), 0.9)

    def articles(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Vectors of the chunks and of the sentences of one article after the other, without end."""
        while True:
            topics = self._topics[self._random.integers(len(self._topics), size=200)]
            chunks = self._around(np.repeat(topics, CHUNKS, axis=0), 0.9)
            sentences = self._around(np.repeat(chunks, SENTENCES, axis=0), 0.8)
            yield from zip(chunks.reshape(200, CHUNKS, -1), sentences.reshape(200, CHUNKS * SENTENCES, -1), strict=True)

    def near(self, vectors: np.ndarray) -> np.ndarray:
        """Questions: not as near to their chunk as its sentences are."""
        return self._around(vectors, 1.0)

    def _around(self, centres: np.ndarray, spread: float) -> np.ndarray:
        return self._normal(centres + spread * self._unit(len(centres)))

    def _unit(self, count: int) -> np.ndarray:
        return self._normal(self._random.standard_normal((count, DIMENSION), np.float32))

    @staticmethod
    def _normal(vectors: np.ndarray) -> np.ndarray:
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def build(index: Path, chunks: int) -> dict[str, float]:
    """Write an index of generated articles; seconds, bytes and the most memory that it took."""
    texts, clouds = Texts(chunks), Clouds(chunks)
    generated = 0.0
    began = time.perf_counter()
    with generations.building(index) as folder:
        cache = VectorCache(folder / "none", NoEmbedder.sha256, DIMENSION, 0)
        writer = GenerationWriter(folder, NoEmbedder(), cache, lambda *step: None)
        vectors = clouds.articles()
        for number in range(chunks // CHUNKS):
            paused = time.perf_counter()
            document, of_document = texts.article(number)
            near, nearer = next(vectors)
            generated += time.perf_counter() - paused
            writer.add(document, of_document, document.path, Known(near.astype(np.float16), nearer.astype(np.float16)))
        writer.finish({})
        writer.close()
        cache.close()
        for leftover in folder.glob("none*"):
            leftover.unlink()
        documents, found, sentences, skipped = writer.counts
        parts = [asdict(part) for part in writer.parts]
        counted = (documents, found, sentences, skipped)
        manifest = Manifest(NoEmbedder.name, NoEmbedder.sha256, DIMENSION, 180, "none", *counted, "", parts, {}, "now")
        generations.publish(folder, manifest)
    return {
        "build_seconds": time.perf_counter() - began - generated,
        "disk_bytes": generations.current(index).bytes,
        "build_peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def serve(index: Path, chunks: int) -> dict[str, float | str]:
    """Open the index and ask it; times, memory and recall."""
    began = time.perf_counter()
    snapshot = Snapshot(index)
    clouds = Clouds(chunks)
    first = clouds.near(snapshot.chunks.get(np.array([0])))[0]
    search(snapshot, f"{word(300)} {word(4000)}", first, 16)
    opened = time.perf_counter() - began
    while threading.active_count() > 1:  # hashes are compared in the background
        time.sleep(0.1)
    verified = time.perf_counter() - began
    random = np.random.default_rng(3)
    rows = random.choice(len(snapshot.chunks), QUERIES)
    queries = clouds.near(snapshot.chunks.get(rows))
    stored = snapshot.store.chunks_by_row(int(row) for row in rows)
    questions = []
    common = {word(rank) for rank in range(100)}
    for row in rows:
        chunk = stored[int(row)]
        document = snapshot.store.document(chunk.document)
        assert document is not None
        said = document.text[chunk.start : chunk.end].replace(".", "").split()
        # As people ask: a few words that say something, and two of those that every sentence has.
        telling = [name for name in said if name not in common]
        chosen = random.choice(telling, min(5, len(telling)), replace=False)
        questions.append(" ".join([*chosen, word(3), word(11)]))
    figures: dict[str, float | str] = {
        "open_seconds": opened,
        "verified_seconds": verified,
        "type": type(snapshot.chunks._parts[0]).__name__,
    }
    asked = list(zip(questions, queries, strict=True))
    figures |= percentiles("hybrid", (timed(lambda q=q, v=v: search(snapshot, q, v, 16)) for q, v in asked))
    only = Filter(("Orbit Review",), "2010", "2012")
    search(snapshot, *asked[0], 16, filter=only)  # the rows that a filter admits are worked out once
    figures |= percentiles(
        "filtered", (timed(lambda q=q, v=v: search(snapshot, q, v, 16, filter=only)) for q, v in asked)
    )
    figures |= percentiles("vectors", (timed(lambda v=v: snapshot.chunks.search(v, 100)) for v in queries))
    figures |= percentiles("words", (timed(lambda q=q: snapshot.store.bm25(q, 100)) for q in questions))
    figures["resident_bytes"] = resident()
    figures["recall@10"] = recall(snapshot, queries)
    return figures


def recall(snapshot: Snapshot, queries: np.ndarray, k: int = 10, block: int = 50_000) -> float:
    """Share of the ``k`` true nearest chunks that the search finds among its first ``k``."""
    best_rows = np.zeros((len(queries), 0), np.int64)
    best = np.zeros((len(queries), 0), np.float32)
    for start in range(0, len(snapshot.chunks), block):
        rows = np.arange(start, min(start + block, len(snapshot.chunks)))
        cosines = queries @ snapshot.chunks.get(rows).T
        top = np.argpartition(-cosines, min(k, len(rows) - 1), axis=1)[:, :k]
        best = np.concatenate([best, np.take_along_axis(cosines, top, 1)], 1)
        best_rows = np.concatenate([best_rows, rows[top]], 1)
    exact = np.take_along_axis(best_rows, np.argsort(-best, axis=1)[:, :k], 1)
    found = [set(snapshot.chunks.search(query, 100)[0][:k].tolist()) for query in queries]
    return float(np.mean([len(set(rows.tolist()) & had) / k for rows, had in zip(exact, found, strict=True)]))


def timed(call: object) -> float:
    began = time.perf_counter()
    call()  # type: ignore[operator]
    return 1000 * (time.perf_counter() - began)


def percentiles(name: str, milliseconds: Iterator[float]) -> dict[str, float]:
    measured = list(milliseconds)
    return {f"{name}_ms_p{p}": float(np.percentile(measured, p)) for p in (50, 95, 99)}


def resident() -> int:
    """Bytes of memory in use, pages of mapped files included; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


ROWS = (
    ("index type", lambda r: r["type"].removeprefix("Index")),
    ("build without embedding", lambda r: f"{r['build_seconds']:,.0f} s"),
    ("most memory while building", lambda r: f"{r['build_peak_bytes'] / 1e6:,.0f} MB"),
    ("disk", lambda r: f"{r['disk_bytes'] / 1e6:,.0f} MB"),
    ("open, and first search", lambda r: f"{r['open_seconds']:.2f} s"),
    ("until all hashes are compared", lambda r: f"{r['verified_seconds']:.1f} s"),
    ("resident memory after 900 searches", lambda r: f"{r['resident_bytes'] / 1e6:,.0f} MB"),
    *(
        (
            f"{name}: p50 / p95 / p99",
            lambda r, key=key: " / ".join(f"{r[f'{key}_ms_p{p}']:.1f}" for p in (50, 95, 99)) + " ms",
        )
        for name, key in (
            ("hybrid search", "hybrid"),
            ("the same with a filter", "filtered"),
            ("vectors alone", "vectors"),
            ("BM25 alone", "words"),
        )
    ),
    ("recall@10 against exact search", lambda r: f"{r['recall@10']:.3f}"),
)


def table(results: dict[int, dict[str, float]]) -> str:
    """The figures as Markdown."""
    head = f"| chunks | {' | '.join(f'{size:,}' for size in results)} |\n|---|{'---|' * len(results)}\n"
    return head + "".join(f"| {name} | {' | '.join(show(r) for r in results.values())} |\n" for name, show in ROWS)


def plot(results: dict[int, dict[str, float]], out: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    sizes = sorted(results)
    panels = (
        ("Build time without embedding (s)", ["build_seconds"]),
        ("Disk and memory (GB)", ["disk_bytes", "resident_bytes", "build_peak_bytes"]),
        ("Open and first search (s)", ["open_seconds"]),
        ("Hybrid search (ms)", ["hybrid_ms_p50", "hybrid_ms_p95", "hybrid_ms_p99"]),
        ("Its parts, p95 (ms)", ["vectors_ms_p95", "words_ms_p95", "filtered_ms_p95"]),
        ("recall@10 against exact search", ["recall@10"]),
    )
    figure, axes = pyplot.subplots(2, 3, figsize=(13, 7), layout="constrained")
    for axis, (title, names) in zip(axes.flat, panels, strict=True):
        for name in names:
            scale = 1e9 if name.endswith("bytes") else 1
            label = name.removesuffix("_bytes").replace("_ms_", " ").replace("_", " ")
            axis.plot(sizes, [results[size][name] / scale for size in sizes], marker="o", label=label)
        axis.set(title=title, xscale="log", xlabel="chunks", ylim=(0, None))
        axis.grid(alpha=0.3)
        if len(names) > 1:
            axis.legend()
    figure.savefig(out, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="chunks")
    parser.add_argument("--out", type=Path, help="folder for scale.json and scale.png")
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)  # one process: build or serve, in this folder
    options = parser.parse_args()
    if options.step:
        step, folder = options.step
        print(json.dumps({"build": build, "serve": serve}[step](Path(folder), options.sizes[0])))
        return
    results: dict[int, dict[str, float]] = {}
    for size in options.sizes:
        work = Path(tempfile.mkdtemp())
        results[size] = {}
        for step in ("build", "serve"):
            command = [sys.executable, __file__, "--sizes", str(size), "--step", step, str(work)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            results[size] |= json.loads(done.stdout)
        shutil.rmtree(work)
        print(f"{size:,} chunks", json.dumps(results[size], indent=1), flush=True)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "scale.json").write_text(json.dumps(results, indent=1) + "\n")
        (options.out / "scale.md").write_text(table(results))
        plot(results, options.out / "scale.png")


if __name__ == "__main__":
    main()
