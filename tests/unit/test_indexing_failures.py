"""An index in use survives every failure of the next one, and a rebuilt one is the same again."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from fakes import INDEX_FILES, BagOfWordsEmbedder
from index_view import view
from rag import generation_writer, generations, indexing
from rag.embedding import Vectors
from rag.errors import CorpusError, IndexCorruptError, IndexingError, ModelError
from rag.indexing import IndexReport
from rag.retrieval import Snapshot

WriteCorpus = Callable[[Mapping[str, str | bytes]], Path]
Build = Callable[..., IndexReport]
Articles = dict[str, str]


def names(report: IndexReport) -> tuple[bool, int, int, int]:
    return report.changed, report.embedded_documents, report.reused_documents, report.removed_documents


@pytest.mark.parametrize("name", INDEX_FILES)
def test_a_damaged_index_is_replaced(
    articles: Articles, write_corpus: WriteCorpus, build: Build, tmp_path: Path, name: str
) -> None:
    write_corpus(articles)
    file = build().generation.folder / name
    before = view(tmp_path / "index")
    damaged = bytearray(file.read_bytes())
    damaged[-1] ^= 1
    file.write_bytes(damaged)
    assert names(build()) == (True, 3, 0, 0)
    generations.verify(generations.current(tmp_path / "index"))
    assert view(tmp_path / "index") == before


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
    assert list(view(tmp_path / "index")["documents"]) == ["a.md"]


class FailingEmbedder(BagOfWordsEmbedder):
    """Fails in the middle of embedding."""

    def embed(self, texts: Sequence[str], progress: Callable[[int, int], None] | None = None) -> Vectors:
        super().embed(texts[: len(texts) // 2], progress)
        raise ModelError("The embedding model failed", "Try again.")


@pytest.mark.parametrize(
    "step", ["embedding", "write_index", "_sync", "_write", "linking", "copying", "renaming", "replacing"]
)
def test_a_failure_midway_leaves_the_old_index(
    articles: Articles,
    write_corpus: WriteCorpus,
    build: Build,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    write_corpus(articles | {f"{number}.md": f"Article number {number}." for number in range(9)})
    generation = build().generation
    before = view(tmp_path / "index")
    write_corpus({"new.md": "A new article came in."})
    with monkeypatch.context() as patch:
        patch.setattr(indexing, "_SMALL", 0)
        if step == "embedding":
            with pytest.raises(ModelError):
                build(embedder=FailingEmbedder())
        else:
            broken = {
                "write_index": (generation_writer, "write_index"),
                "linking": (generations, "link"),
                "copying": (shutil, "copyfile"),
                "renaming": (Path, "rename"),
                "replacing": (Path, "replace"),
            }
            patch.setattr(*broken.get(step, (generations, step)), _disk_full)
            with pytest.raises(IndexingError, match="No space left"):
                build()
    assert view(tmp_path / "index") == before
    assert generations.current(tmp_path / "index") == generation
    assert [path.name for path in (tmp_path / "index").iterdir() if path.is_dir()] == [generation.name]
    assert names(build()) == (True, 1, 12, 0)


def _disk_full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_two_builds_of_one_corpus_are_equal(
    articles: Articles, write_corpus: WriteCorpus, build: Build, tmp_path: Path
) -> None:
    write_corpus(articles)
    manifests = [build(index=tmp_path / name).generation.manifest for name in ("one", "two")]
    assert view(tmp_path / "one") == view(tmp_path / "two")
    assert manifests[0].content == manifests[1].content
    assert {name: file["sha256"] for name, file in manifests[0].files.items()} == {
        name: file["sha256"] for name, file in manifests[1].files.items()
    }


def test_a_folder_that_cannot_be_read_is_no_removal(
    articles: Articles, write_corpus: WriteCorpus, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_corpus(articles)
    build()
    before = view(tmp_path / "index")
    really = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied", str(path))
        return really(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        with pytest.raises(CorpusError, match="sub: Permission denied"):
            build()
    assert view(tmp_path / "index") == before
    assert names(build()) == (False, 0, 3, 0)


@pytest.mark.parametrize("table", ["chunks", "documents", "postings", "files"])
def test_a_store_that_cannot_be_written_is_one_clear_error(
    articles: Articles,
    write_corpus: WriteCorpus,
    build: Build,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    table: str,
) -> None:
    write_corpus(articles)
    build()
    before = view(tmp_path / "index")
    write_corpus({"new.md": "A new article came in."})

    class Full(sqlite3.Connection):
        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
            if f"INTO {table}" in sql:
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *values)  # type: ignore[arg-type]

        def executemany(self, sql: str, values: Any) -> sqlite3.Cursor:
            if f"INTO {table}" in sql:
                raise sqlite3.OperationalError("database or disk is full")
            return super().executemany(sql, values)

    connect = sqlite3.connect
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", lambda *values, **options: connect(*values, factory=Full, **options))
        with pytest.raises(IndexingError, match="database or disk is full"):
            build()
    assert view(tmp_path / "index") == before
    assert [path.name for path in (tmp_path / "index").glob("gen-*")] == ["gen-000001"]
    assert names(build()) == (True, 1, 3, 0)


def flip_last_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("name", ["chunks-000001.faiss", "sentences-000001.f16"])
def test_damaged_vectors_of_a_large_index_are_never_sealed_anew(
    write_corpus: WriteCorpus, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(indexing, "_SMALL", 0)
    write_corpus({f"{number}.md": f"Article number {number}. It has words." for number in range(20)})
    flip_last_bit(build().generation.folder / name)
    write_corpus({"3.md": "This one has changed."})
    report = build()
    assert len(report.generation.manifest.parts) == 2, "a small change does not read what it links to"
    with pytest.raises(IndexCorruptError, match=f"{name} is damaged"):
        Snapshot(tmp_path / "index")
    write_corpus({f"{number}.md": f"Article number {number} has changed." for number in range(12)})
    assert names(build())[1] == 20, "vectors are checked before they are copied"
    build(index=tmp_path / "fresh")
    assert view(tmp_path / "index") == view(tmp_path / "fresh")


def test_a_damaged_store_of_a_large_index_is_replaced(
    write_corpus: WriteCorpus, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "_SMALL", 0)
    write_corpus({f"{number}.md": f"Article number {number}. It has words." for number in range(20)})
    flip_last_bit(build().generation.folder / "store.sqlite")
    assert names(build()) == (True, 20, 0, 0)
    build(index=tmp_path / "fresh")
    assert view(tmp_path / "index") == view(tmp_path / "fresh")
