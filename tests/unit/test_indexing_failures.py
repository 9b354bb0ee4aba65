"""An index in use survives every failure of the next one, and a rebuilt one is the same again."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes import BagOfWordsEmbedder
from rag import generations
from rag.embedding import Vectors
from rag.errors import CorpusError, IndexingError, ModelError
from rag.generations import FILES
from rag.indexing import IndexReport
from rag.retrieval import Snapshot

WriteCorpus = Callable[[Mapping[str, str | bytes]], Path]
Build = Callable[..., IndexReport]
Articles = dict[str, str]


def content(index: Path) -> tuple[Any, ...]:
    """Everything that a reader of the index can see."""
    snapshot = Snapshot(index)
    store = snapshot.store
    rows = range(len(snapshot.chunks))
    vectors = snapshot.chunks.get(np.array(rows)).tolist(), snapshot.sentences.get(np.arange(store.sentences)).tolist()
    return store.all_documents(), store.chunks_by_row(rows), store.sentences_of(rows), vectors


def names(report: IndexReport) -> tuple[bool, int, int, int]:
    return report.changed, report.embedded_documents, report.reused_documents, report.removed_documents


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_index_is_replaced(
    articles: Articles, write_corpus: WriteCorpus, build: Build, tmp_path: Path, name: str
) -> None:
    write_corpus(articles)
    file = build().generation.folder / name
    before = content(tmp_path / "index")
    damaged = bytearray(file.read_bytes())
    damaged[-1] ^= 1
    file.write_bytes(damaged)
    assert names(build()) == (True, 3, 0, 0)
    generations.verify(generations.current(tmp_path / "index"))
    assert content(tmp_path / "index") == before


@pytest.mark.parametrize(
    ("files", "problem"),
    [({}, "No article"), ({"empty.txt": " ", "x.png": "x"}, "empty.txt: empty; x.png: no reader")],
    ids=["no file", "no readable file"],
)
def test_an_emptied_corpus_is_an_error_and_changes_nothing(
    articles: Articles, write_corpus: WriteCorpus, build: Build, tmp_path: Path, files: dict[str, str], problem: str
) -> None:
    corpus = write_corpus({"a.md": articles["mir.md"]})
    generation = build().generation
    (corpus / "a.md").unlink()
    write_corpus(files)
    with pytest.raises(CorpusError, match=problem):
        build()
    assert generations.current(tmp_path / "index") == generation
    assert content(tmp_path / "index")[0][0].path == "a.md"


class FailingEmbedder(BagOfWordsEmbedder):
    """Fails in the middle of embedding."""

    def embed(self, texts: Sequence[str], progress: Callable[[int, int], None] | None = None) -> Vectors:
        super().embed(texts[: len(texts) // 2], progress)
        raise ModelError("The embedding model failed", "Try again.")


@pytest.mark.parametrize("step", ["embedding", "writing"])
def test_a_failure_midway_leaves_the_old_index(
    articles: Articles,
    write_corpus: WriteCorpus,
    build: Build,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    write_corpus(articles)
    generation = build().generation
    write_corpus({"new.md": "A new article came in."})
    if step == "embedding":
        with pytest.raises(ModelError):
            build(embedder=FailingEmbedder())
    else:
        monkeypatch.setattr(Path, "write_bytes", _disk_full)
        with pytest.raises(IndexingError, match="No space left"):
            build()
        monkeypatch.undo()
    assert generations.current(tmp_path / "index") == generation
    assert [path.name for path in (tmp_path / "index").iterdir() if path.is_dir()] == [generation.name]
    assert names(build()) == (True, 1, 3, 0)


def _disk_full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_two_builds_of_one_corpus_are_equal(
    articles: Articles, write_corpus: WriteCorpus, build: Build, tmp_path: Path
) -> None:
    write_corpus(articles)
    manifests = [build(index=tmp_path / name).generation.manifest for name in ("one", "two")]
    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert manifests[0].fingerprints == manifests[1].fingerprints
    assert {name: file["sha256"] for name, file in manifests[0].files.items()} == {
        name: file["sha256"] for name, file in manifests[1].files.items()
    }
