"""Measure what a user feels, in one run: ``make bench``.

Cold start of ``rag ask``, latency to sources and to the first word in a warm process, indexing speed beside plain
sentence-transformers, LangChain and LlamaIndex over the same texts and beside the machine's own rate of matrix
products, and how long one changed article of 10,000 takes. Machines are noisy: compare figures of one run only.
"""

import argparse
import dataclasses
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from parsing import parsing
from rag import models
from rag.assembly import Assembly
from rag.generation_writer import passage_text
from rag.indexing import build_index
from rag.records import AnswerReady, SentenceReady, SourcesReady
from rag.settings import Settings, usable_cores
from scale import Texts

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv-peers"
FLOP_OF_A_TOKEN = 6 * 2 * (4 * 384 * 384 + 2 * 384 * 1536)
"""Products with weights in the six layers of all-MiniLM-L6-v2."""
FLOP_OF_A_PAIR = 6 * 2 * 2 * 384
"""Attention of one token to one other."""
QUESTIONS = (
    "When was Salyut 1 launched?",
    "Who commanded the American side of the Apollo–Soyuz flight?",
    "How much rent does Russia pay for Baikonur?",
    "Why can NASA not work with China bilaterally?",
    "Which countries first signed the Artemis Accords?",
    "How long did Frank Rubio stay in space?",
    "What does the Outer Space Treaty forbid?",
    "Which rocket launched the Hope orbiter?",
)


def cold_start(index: Path, mode: str, runs: int) -> float:
    """Median seconds from process start to a finished ``rag ask``."""
    command = [sys.executable, "-m", "rag", "ask", QUESTIONS[0], "--index", str(index), "--mode", mode]
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def warm_latency(assembly: Assembly, mode: str) -> dict[str, float]:
    """Median milliseconds to the sources, the first sentence and the end, after one question to warm up."""
    for _ in assembly.answerer.ask("Is everything loaded?", (), mode):
        pass
    times: dict[str, list[float]] = {"sources": [], "first_word": [], "end": []}
    for question in QUESTIONS:
        began, first = time.perf_counter(), None
        for event in assembly.answerer.ask(question, (), mode):
            passed = 1000 * (time.perf_counter() - began)
            if isinstance(event, SourcesReady):
                times["sources"].append(passed)
            elif isinstance(event, SentenceReady) and first is None:
                first = passed
                times["first_word"].append(passed)
            elif isinstance(event, AnswerReady):
                times["end"].append(passed)
    return {name: round(statistics.median(values)) for name, values in times.items() if values}


def indexing(assembly: Assembly, rounds: int) -> dict[str, object]:
    """Chunks a second of our embedder and of what else could do it: same model, same chunks, taking turns.

    The other frameworks take part if ``make bench-peers`` has installed them; they also fill their FAISS stores, which
    takes them less than a hundredth of the time.
    """
    store = assembly.snapshot().store
    documents = {document.id: document for document in store.all_documents()}
    texts = [
        passage_text(documents[chunk.document].title, documents[chunk.document].text[chunk.start : chunk.end])
        for chunk in store.all_chunks()
    ]
    small = Assembly(dataclasses.replace(assembly.settings, embedding_runtime="onnx-int8"))
    competitors: dict[str, Callable[[], object]] = {
        "ours": lambda: assembly.embedder.embed(texts),
        "ours_int8": lambda: small.embedder.embed(texts),
    }
    own = Peers(Path(sys.executable), assembly.settings, texts)
    competitors["sentence_transformers"] = lambda: own.run("sentence_transformers")
    others = Peers(PEERS / "bin" / "python", assembly.settings, texts) if PEERS.exists() else None
    if others is not None:
        competitors["langchain_faiss"] = lambda: others.run("langchain")
        competitors["llama_index_faiss"] = lambda: others.run("llama_index")
    seconds: dict[str, list[float]] = {name: [] for name in competitors}
    products: list[float] = []
    for _ in range(rounds + 1):
        products.append(product_rate(usable_cores(assembly.settings)))
        for name, run in competitors.items():
            began = time.perf_counter()
            told = run()
            # A peer tells what it took without the way through the pipe.
            seconds[name].append(told if isinstance(told, float) else time.perf_counter() - began)
    for peers in filter(None, (own, others)):
        peers.close()
    best = {name: min(values[1:]) for name, values in seconds.items()}  # the first round loads and warms up
    tokens = [min(length + 2, assembly.embedder.max_tokens) for length in assembly.embedder.count_tokens(texts)]
    work = sum(length * FLOP_OF_A_TOKEN + length * length * FLOP_OF_A_PAIR for length in tokens)
    rate = work / best["ours"] / 1e9
    expected = plain_vectors(texts)
    return {
        "chunks": len(texts),
        "tokens": sum(tokens),
        "chunks_per_second": {name: round(len(texts) / value, 1) for name, value in best.items()},
        "times_sentence_transformers": {
            name: round(best["sentence_transformers"] / value, 2) for name, value in best.items()
        },
        "lowest_cosine_to_sentence_transformers": {
            "ours": round(float((assembly.embedder.embed(texts) * expected).sum(1).min()), 6),
            "ours_int8": round(float((small.embedder.embed(texts) * expected).sum(1).min()), 4),
        },
        "gflop_per_second": {"ours": round(rate), "matrix_product": round(max(products))},
        "share_of_matrix_product_rate": round(rate / max(products), 2),
    }


def product_rate(threads: int) -> float:
    """GFLOP/s of matrix products in the shapes of the model, in ``threads`` processes' worth of threads."""
    from threadpoolctl import threadpool_limits

    left = np.random.default_rng(0).random((512, 384), np.float32)
    right = np.random.default_rng(1).random((384, 1536), np.float32)

    def work() -> None:
        for _ in range(100):
            left @ right

    with threadpool_limits(1), ThreadPoolExecutor(threads) as workers:
        rates = []
        for _ in range(5):
            began = time.perf_counter()
            list(workers.map(lambda _: work(), range(threads)))
            rates.append(threads * 100 * 2 * 512 * 384 * 1536 / (time.perf_counter() - began) / 1e9)
    return max(rates)


def plain_vectors(texts: list[str]) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(models.EMBEDDING.path.parent), device="cpu", local_files_only=True)
    return plain.encode(texts, normalize_embeddings=True, show_progress_bar=False)


class Peers:
    """A process that indexes the same texts with another library."""

    def __init__(self, python: Path, settings: Settings, texts: list[str]) -> None:
        self._request = {
            "model": str(models.EMBEDDING.path.parent),
            "texts": texts,
            "threads": usable_cores(settings),
        }
        self._process = subprocess.Popen(
            [str(python), str(ROOT / "benchmarks" / "peers.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"},
        )

    def run(self, framework: str) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(self._request | {"framework": framework}) + "\n")
        self._process.stdin.flush()
        return float(json.loads(self._process.stdout.readline())["seconds"])

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def updating(rounds: int, articles: int = 10_000) -> dict[str, float]:
    """Seconds of ``build_index`` when one of many articles has changed, with vectors that cost nothing."""
    import hashlib

    class Instant:
        """An embedder whose vectors are pseudo-random and cost next to nothing."""

        name, sha256, dimension, max_tokens = "instant", "1" * 64, 384, 256

        def count_tokens(self, texts: Sequence[str]) -> list[int]:
            return [len(text) // 4 for text in texts]

        def embed(self, texts: Sequence[str], progress: object = None) -> np.ndarray:
            seeds = (hashlib.sha256(text.encode()).digest() for text in texts)
            vectors = np.stack([np.resize(np.frombuffer(seed, np.uint8), 384) for seed in seeds]).astype(np.float32)
            vectors -= vectors.mean(1, keepdims=True)
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    texts = Texts(8 * articles)
    with tempfile.TemporaryDirectory() as work:
        corpus, index = Path(work, "corpus"), Path(work, "index")
        corpus.mkdir()
        for number in range(articles):
            (corpus / f"{number:05d}.md").write_text(texts.article(number)[0].text.replace(". ", ".\n\n"))
        options = {"chunk_tokens": 180, "max_file_bytes": 10**9, "cache_bytes": 0}
        began = time.perf_counter()
        report = build_index(corpus, index, Instant(), **options)
        first = time.perf_counter() - began
        unchanged, changed = [], []
        for number in range(rounds):
            began = time.perf_counter()
            build_index(corpus, index, Instant(), **options)
            unchanged.append(time.perf_counter() - began)
            with (corpus / f"{number:05d}.md").open("a") as file:
                file.write("One sentence more has been added to it.\n")
            began = time.perf_counter()
            build_index(corpus, index, Instant(), **options)
            changed.append(time.perf_counter() - began)
        return {
            "articles": articles,
            "chunks": report.generation.manifest.chunks,
            "megabytes": round(report.generation.bytes / 1e6),
            "first_seconds_without_embedding": round(first, 1),
            "nothing_changed_seconds": round(min(unchanged), 2),
            "one_changed_seconds": round(min(changed), 2),
            "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="repetitions of each measurement (default: 3)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        settings = Settings(corpus=ROOT / "corpus", index=Path(work))
        assembly = Assembly(settings)
        began = time.perf_counter()
        report = assembly.build_index(rebuild=True, progress=lambda stage, done, total: None)
        flow = time.perf_counter() - began
        began = time.perf_counter()
        assembly.build_index(rebuild=False, progress=lambda stage, done, total: None)
        figures = {
            "index_whole_flow": {
                "documents": report.generation.manifest.documents,
                "chunks": report.generation.manifest.chunks,
                "sentences": report.generation.manifest.sentences,
                "seconds": round(flow, 2),
                "seconds_when_nothing_changed": round(time.perf_counter() - began, 2),
            },
            "embedding_chunks": indexing(assembly, options.runs),
            "updating": updating(options.runs),
            "parsing": parsing(options.runs),
            "cold_start_seconds": {
                m: round(cold_start(settings.index, m, options.runs), 2) for m in ("quote", "write")
            },
            "warm_milliseconds": {m: warm_latency(assembly, m) for m in ("quote", "write")},
        }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
