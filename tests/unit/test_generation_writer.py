"""A generation is written in bounded groups, and its files are the same however they were grouped."""

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes import INDEX_FILES, BagOfWordsEmbedder
from index_view import view
from rag import generation_writer, generations
from rag.embedding import Vectors
from rag.generation_writer import GenerationWriter, Known, passage_text
from rag.indexing import IndexReport
from rag.records import Chunk, Document, Sentence, SkippedFile
from rag.store import Store
from rag.vector_cache import VectorCache
from rag.vectors import VectorIndex, VectorTable

WriteCorpus = Callable[[Mapping[str, str | bytes]], Path]
Build = Callable[..., IndexReport]
Step = tuple[str, int, int]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with generations.building(tmp_path / "index") as made:
        yield made


@pytest.fixture
def cache(tmp_path: Path, embedder: BagOfWordsEmbedder) -> Iterator[VectorCache]:
    with contextlib.closing(VectorCache(tmp_path / "cache", embedder.sha256, embedder.dimension, 10**9)) as opened:
        yield opened


Open = Callable[[], GenerationWriter]


@pytest.fixture
def told() -> list[Step]:
    return []


@pytest.fixture
def writer(
    folder: Path, cache: VectorCache, embedder: BagOfWordsEmbedder, told: list[Step]
) -> Iterator[GenerationWriter]:
    with contextlib.closing(GenerationWriter(folder, embedder, cache, lambda *step: told.append(step))) as opened:
        yield opened


def document(number: int, text: str) -> Document:
    return Document(f"d{number}", f"{number}.md", text, 0, f"sha {number}", f"Title {number}")


def one_chunk(text: str) -> list[Chunk]:
    middle = text.index(".") + 1
    return [Chunk(0, len(text), (Sentence(0, middle, True), Sentence(middle + 1, len(text), True)))]


TEXTS = [f"Mir flew {number} times. It fell." for number in range(7)]


def test_rows_of_vectors_and_of_the_store_are_the_same(
    folder: Path, writer: GenerationWriter, embedder: BagOfWordsEmbedder
) -> None:
    for number, text in enumerate(TEXTS):
        writer.add(document(number, text), one_chunk(text), f"{number}.md")
    writer.finish({})
    assert writer.counts == (7, 7, 14, 0)
    assert [(part.name, part.chunks, part.sentences) for part in writer.parts] == [("000001", 7, 14)]
    assert sorted(path.name for path in folder.iterdir()) == sorted(INDEX_FILES)
    chunks = VectorIndex.open([folder / "chunks-000001.faiss"]).get(np.arange(7))
    sentences = VectorTable([folder / "sentences-000001.f16"], embedder.dimension).get(np.arange(14))
    passages = [passage_text(f"Title {number}", text) for number, text in enumerate(TEXTS)]
    np.testing.assert_allclose(chunks, embedder.embed(passages), atol=5e-4)
    ends = [part for text in TEXTS for part in (text[: text.index(".") + 1], "It fell.")]
    np.testing.assert_allclose(sentences, embedder.embed(ends), atol=5e-4)
    with contextlib.closing(Store(folder / "store.sqlite")) as store:
        assert [chunk.document for chunk in store.all_chunks()] == [f"d{number}" for number in range(7)]


def test_each_text_is_embedded_once_longest_first(writer: GenerationWriter, embedder: BagOfWordsEmbedder) -> None:
    for number, text in enumerate(TEXTS):
        writer.add(document(number, text), one_chunk(text), f"{number}.md")
    writer.finish({})
    assert len(embedder.embedded) == len(set(embedder.embedded)) == writer.embedded_texts == 7 + 7 + 1
    assert [len(text) for text in embedder.embedded] == sorted(map(len, embedder.embedded), reverse=True)
    assert (writer.embedded_documents, writer.embedded_chunks) == (7, 7)


def test_known_vectors_are_stored_and_not_embedded(
    folder: Path, writer: GenerationWriter, embedder: BagOfWordsEmbedder
) -> None:
    known = Known(np.full((1, 64), 0.125, np.float16), np.full((2, 64), -0.125, np.float16))
    writer.add(document(0, TEXTS[0]), one_chunk(TEXTS[0]), "0.md")
    writer.add(document(1, TEXTS[1]), one_chunk(TEXTS[1]), "1.md", known)
    writer.add(document(2, TEXTS[2]), one_chunk(TEXTS[2]), "2.md")
    writer.finish({})
    chunks = VectorIndex.open([folder / "chunks-000001.faiss"])
    sentences = VectorTable([folder / "sentences-000001.f16"], 64)
    np.testing.assert_array_equal(chunks.get(np.array([1])), known.chunks)
    np.testing.assert_array_equal(sentences.get(np.array([2, 3])), known.sentences)
    np.testing.assert_allclose(chunks.get(np.array([2])), embedder.embed([f"Title 2\n{TEXTS[2]}"]), atol=5e-4)
    assert not any(TEXTS[1] in text for text in embedder.embedded)
    assert (writer.embedded_documents, writer.embedded_chunks) == (2, 2)


def test_documents_without_chunks_are_kept(folder: Path, writer: GenerationWriter) -> None:
    writer.add(document(0, "x"), [], "0.md")
    writer.skip(SkippedFile("1.md", "empty"), "1.md")
    writer.finish({"0.md": "a", "1.md": "b"})
    assert (writer.counts, writer.skipped) == ((1, 0, 0, 1), [SkippedFile("1.md", "empty")])
    assert len(VectorIndex.open([folder / "chunks-000001.faiss"])) == 0
    with contextlib.closing(Store(folder / "store.sqlite")) as store:
        assert store.files() == {"0.md": "a", "1.md": "b"}
        assert store.document("0.md") == document(0, "x")


def test_a_writer_that_is_closed_before_its_end_holds_no_file(folder: Path, writer: GenerationWriter) -> None:
    writer.add(document(0, TEXTS[0]), one_chunk(TEXTS[0]), "0.md")
    writer.skip(SkippedFile("1.md", "empty"), "1.md")
    writer.close()
    writer.close()
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("open files cannot be listed here")
    opened = {str(path.resolve()) for path in descriptors.iterdir()}
    assert not [path for path in opened if path.startswith(str(folder.resolve()))]


class CountingEmbedder(BagOfWordsEmbedder):
    """Remembers how many texts came at once."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []

    def embed(self, texts: Sequence[str], progress: Callable[[int, int], None] | None = None) -> Vectors:
        self.calls.append(len(texts))
        return super().embed(texts, progress)


def articles(count: int) -> dict[str, str]:
    chance = random.Random(3)
    words = ["mir", "flew", "station", "crew", "docked", "twice"]
    return {
        f"{number}.md": " ".join(f"{' '.join(chance.choices(words, k=chance.randint(2, 9)))}." for _ in range(9))
        for number in range(count)
    }


@pytest.mark.parametrize(("group", "piece"), [(1, 1), (10, 4), (50, 7), (10**6, 10**6)])
def test_groups_do_not_show_in_the_files(
    write_corpus: WriteCorpus, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: int, piece: int
) -> None:
    write_corpus(articles(12))
    whole = build(index=tmp_path / "whole").generation
    monkeypatch.setattr(generation_writer, "_GROUP", group)
    monkeypatch.setattr(generation_writer, "_SLICE", piece)
    embedder = CountingEmbedder()
    parts = build(index=tmp_path / "parts", embedder=embedder).generation
    assert max(embedder.calls) <= piece
    assert {name: file["sha256"] for name, file in parts.manifest.files.items()} == {
        name: file["sha256"] for name, file in whole.manifest.files.items()
    }
    assert view(tmp_path / "parts") == view(tmp_path / "whole")


@pytest.mark.parametrize("group", [10, 10**6])
def test_progress_rises_to_the_number_of_files(
    write_corpus: WriteCorpus, build: Build, monkeypatch: pytest.MonkeyPatch, group: int
) -> None:
    monkeypatch.setattr(generation_writer, "_GROUP", group)
    monkeypatch.setattr(generation_writer, "_SLICE", 5)
    write_corpus(articles(12) | {"bad.png": "x"})
    told: list[Any] = []
    build(progress=lambda *step: told.append(step))
    embedding = [done for stage, done, total in told if stage == "Embedding"]
    assert {total for stage, _, total in told if stage == "Embedding"} == {13}
    assert embedding == sorted(embedding)
    assert len(set(embedding)) >= 5, "it moves"
    assert embedding[-1] == 13
