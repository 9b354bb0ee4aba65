"""Measure what a user feels, in one run: ``make bench``.

Cold start of ``rag ask``, latency to sources and to the first word in a warm process, and indexing speed beside
a plain sentence-transformers loop over the same texts. Machines are noisy: compare figures of one run only.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rag.assembly import Assembly
from rag.embedding import Embedder
from rag.indexing import passage_text
from rag.records import AnswerReady, SentenceReady, SourcesReady
from rag.settings import Settings

ROOT = Path(__file__).parents[1]
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


def indexing(assembly: Assembly, rounds: int) -> dict[str, float]:
    """Chunks a second of our embedder and of sentence-transformers, on the same chunks, taking turns."""
    import torch
    from sentence_transformers import SentenceTransformer

    from rag import models
    from rag.settings import usable_cores

    store = assembly.snapshot().store
    documents = {document.id: document for document in store.all_documents()}
    texts = [
        passage_text(documents[chunk.document].title, documents[chunk.document].text[chunk.start : chunk.end])
        for chunk in store.chunks_by_row(range(store.chunks)).values()
    ]
    torch.set_num_threads(usable_cores(assembly.settings))
    plain = SentenceTransformer(str(models.EMBEDDING.path.parent), device="cpu", local_files_only=True)
    ours: Embedder = assembly.embedder
    seconds: dict[str, list[float]] = {"ours": [], "plain": []}
    for _ in range(rounds):
        began = time.perf_counter()
        vectors = ours.embed(texts)
        seconds["ours"].append(time.perf_counter() - began)
        began = time.perf_counter()
        expected = plain.encode(texts, batch_size=32, normalize_embeddings=True, show_progress_bar=False)
        seconds["plain"].append(time.perf_counter() - began)
    best = {name: min(values) for name, values in seconds.items()}
    return {
        "chunks": len(texts),
        "ours_chunks_per_second": round(len(texts) / best["ours"], 1),
        "plain_chunks_per_second": round(len(texts) / best["plain"], 1),
        "ratio": round(best["plain"] / best["ours"], 2),
        "lowest_cosine": round(float((vectors * expected).sum(1).min()), 6),
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
            "cold_start_seconds": {
                m: round(cold_start(settings.index, m, options.runs), 2) for m in ("quote", "write")
            },
            "warm_milliseconds": {m: warm_latency(assembly, m) for m in ("quote", "write")},
        }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
