"""A damaged, foreign or missing index is told by its name, with the command that mends it."""

import hashlib
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes import INDEX_FILES
from rag import generations
from rag.errors import IndexCorruptError, IndexMismatchError, IndexMissingError, IndexUnusableError
from rag.generations import Generation

Publish = Callable[[Path, str], Generation]


def test_a_file_that_was_not_written_right_is_not_published(
    publish: Publish, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = itertools.chain(["written"] * len(INDEX_FILES), itertools.repeat("read back"))
    monkeypatch.setattr(generations, "file_sha256", lambda path: next(hashes))
    with pytest.raises(IndexCorruptError, match=r"chunks-000001\.faiss is damaged"):
        publish(index, "new")
    assert generations.current(index).manifest.embedding_model == "old"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("name", [*INDEX_FILES, "manifest.json"])
@pytest.mark.parametrize(
    "damage", [cut, empty, flip, zero, Path.unlink], ids=["cut", "empty", "flip", "zero", "delete"]
)
def test_damage_is_found_and_named(index: Path, name: str, damage: Callable[[Path], None]) -> None:
    generation = generations.current(index)
    damage(generation.folder / name)
    with pytest.raises(IndexCorruptError) as caught:
        generations.verify(generations.current(index))
    assert name in caught.value.problem
    assert "rag index --rebuild" in caught.value.remedy


@pytest.mark.parametrize("damage", [cut, empty, Path.unlink], ids=["cut", "empty", "delete"])
def test_wrong_sizes_are_found_without_reading_the_files(index: Path, damage: Callable[[Path], None]) -> None:
    damage(index / "gen-000001" / "store.sqlite")
    with pytest.raises(IndexCorruptError, match=r"store\.sqlite"):
        generations.current(index)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 80,
        b"gen-000001",
        b"gen-000001 ab cd",
        b"../gen-000001 ab",
        b"manifest ab",
        b"\xff\xfe",
        b"gen-000009 ab",
    ],
    ids=["empty", "zeros", "no hash", "too much", "outside", "no generation", "bytes", "absent generation"],
)
def test_garbage_in_current_is_found_and_mended_by_building(publish: Publish, index: Path, content: bytes) -> None:
    (index / "CURRENT").write_bytes(content)
    with pytest.raises(IndexCorruptError, match="rag index --rebuild"):
        generations.current(index)
    assert publish(index, "mended") == generations.current(index)


@pytest.mark.parametrize("exists", [True, False], ids=["empty folder", "no folder"])
def test_no_index_is_told_apart_from_a_damaged_one(tmp_path: Path, exists: bool) -> None:
    if exists:
        (tmp_path / "index").mkdir()
    with pytest.raises(IndexMissingError, match="rag index --corpus"):
        generations.current(tmp_path / "index")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"format": 3, "novelty": 1}, IndexMismatchError),
        ({"novelty": 1}, IndexCorruptError),
        (None, IndexCorruptError),
    ],
    ids=["future format", "unknown field", "no object"],
)
def test_foreign_manifests_are_refused(
    index: Path, change: dict[str, int] | None, error: type[IndexUnusableError]
) -> None:
    path = index / "gen-000001" / "manifest.json"
    content = json.dumps(change and json.loads(path.read_bytes()) | change).encode()
    path.write_bytes(content)
    (index / "CURRENT").write_text(f"gen-000001 {hashlib.sha256(content).hexdigest()}\n")
    with pytest.raises(error, match="rag index --rebuild") as caught:
        generations.current(index)
    assert ("format 3" in caught.value.problem) is (error is IndexMismatchError)
