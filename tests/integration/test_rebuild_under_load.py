"""Many threads ask while the index is rebuilt under them: no error, and each answer is of one generation, wholly."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from fakes import BagOfWordsEmbedder
from rag import indexing
from rag.assembly import Assembly
from rag.indexing import build_index
from rag.retrieval import Snapshot, candidate_sentences, passages, search
from rag.settings import Settings

THREADS, BUILDS, MARKED, OTHERS = 20, 10, 4, 40


def write(corpus: Path, edition: int) -> None:
    for number in range(MARKED):
        text = f"# Report {number}\n\nThe station report is of edition e{edition}. It is report {number} of edition e{edition}."
        (corpus / f"report-{number}.md").write_text(text)


@pytest.mark.parametrize("kind", ["small changes", "rebuilds", "new readers"])
def test_answers_are_of_one_generation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(indexing, "_SMALL", 10**6 if kind == "rebuilds" else 0)
    monkeypatch.setattr(indexing, "_MOST_MOVED", 10.0)
    corpus, index, embedder = tmp_path / "corpus", tmp_path / "index", BagOfWordsEmbedder()
    corpus.mkdir()
    for number in range(OTHERS):
        (corpus / f"{number}.md").write_text(
            f"# Article {number}\n\nIt tells of something else. It has number {number}."
        )

    def build(edition: int) -> str:
        write(corpus, edition)
        limits = {"chunk_tokens": 60, "max_file_bytes": 50_000}
        return build_index(corpus, index, embedder, rebuild=kind == "rebuilds", **limits).generation.name

    editions = {build(0): 0}
    assembly = Assembly(Settings(index=index, corpus=corpus))
    question = "station report edition"
    query = embedder.embed([question])[0]
    ended = threading.Event()
    asked: list[tuple[str, int]] = []

    def ask() -> None:
        while not ended.is_set():
            snapshot = Snapshot(index) if kind == "new readers" else assembly.snapshot()
            found = search(snapshot, question, query, MARKED)
            shown = passages(snapshot, found)
            assert len(shown) == MARKED
            marks = {mark for passage in shown for mark in re.findall(r"e\d+", passage.text)}
            assert len(marks) == 1, f"{snapshot.name} shows {marks}"
            sentences = candidate_sentences(snapshot, found, query)
            assert len(sentences) == sum(scored.chunk.sentences for scored in found)
            assert all(scored.best_sentence_cosine > 0.1 for scored in found)
            edition = int(marks.pop()[1:])
            assert snapshot.store.chunks_with([f"e{edition}"]) == {f"e{edition}": MARKED}
            np.testing.assert_allclose(
                [scored.cosine for scored in found],
                [float(embedder._vector(f"{passage.document.title}\n{passage.text}") @ query) for passage in shown],
                atol=2e-3,
            )
            asked.append((snapshot.name, edition))

    with ThreadPoolExecutor(THREADS) as pool:
        running = [pool.submit(ask) for _ in range(THREADS)]
        try:
            for edition in range(1, BUILDS + 1):
                seen = len(asked)
                editions[build(edition)] = edition
                for _ in range(200):  # so that every generation is asked by someone
                    if len(asked) > seen + THREADS or any(future.done() for future in running):
                        break
                    ended.wait(0.02)
        finally:
            ended.set()
        for future in running:
            future.result()
    assert {(name, edition) for name, edition in asked} <= set(editions.items())
    assert len({name for name, _ in asked}) > BUILDS / 2
