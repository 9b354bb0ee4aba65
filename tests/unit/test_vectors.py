"""Exact nearest neighbours, and damaged files that end in a clear error."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rag.embedding import Vectors
from rag.errors import IndexCorruptError
from rag.vectors import VectorIndex


def unit(rows: int, dimension: int = 8, seed: int = 0) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(rows, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_search_is_exact_and_best_first() -> None:
    vectors, query = unit(50), unit(1, seed=1)[0]
    rows, cosines = VectorIndex.build(vectors).search(query, 5)
    assert rows.tolist() == np.argsort(-(vectors @ query))[:5].tolist()
    np.testing.assert_allclose(cosines, (vectors @ query)[rows], rtol=1e-5)


@pytest.mark.parametrize(("rows", "k", "found"), [(3, 10, 3), (0, 10, 0), (3, 0, 0), (3, 2, 2)])
def test_there_are_never_more_results_than_vectors(rows: int, k: int, found: int) -> None:
    numbers, cosines = VectorIndex.build(unit(rows)).search(unit(1)[0], k)
    assert numbers.shape == cosines.shape == (found,)
    assert set(numbers.tolist()) <= set(range(rows))  # faiss itself would pad with -1


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
@pytest.mark.parametrize("k", [1, 7, 400])
def test_search_among_some_rows_is_exact_too(share: float, k: int) -> None:
    vectors, query = unit(300), unit(1, seed=1)[0]
    among = np.random.default_rng(2).random(300) < share
    rows, cosines = VectorIndex.build(vectors).search(query, k, among)
    allowed = np.flatnonzero(among)
    assert rows.tolist() == allowed[np.argsort(-(vectors @ query)[allowed])][:k].tolist()
    np.testing.assert_allclose(cosines, (vectors @ query)[rows], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("row", [0, 7, 8, 12])
def test_any_single_row_can_be_searched(row: int) -> None:
    vectors = unit(13)  # no whole number of bytes of the bitmap
    assert VectorIndex.build(vectors).search(vectors[3], 5, np.arange(13) == row)[0].tolist() == [row]


def test_vectors_come_back_as_they_were() -> None:
    vectors = unit(6)
    index = VectorIndex.build(vectors)
    assert (len(index), index.dimension) == (6, 8)
    np.testing.assert_array_equal(index.get(np.array([4, 0, 4])), vectors[[4, 0, 4]])
    assert index.get(np.arange(0)).shape == (0, 8)


def test_a_file_holds_the_same_index(tmp_path: Path) -> None:
    built = VectorIndex.build(unit(6))
    (tmp_path / "x.faiss").write_bytes(built.to_bytes())
    loaded = VectorIndex.load(tmp_path / "x.faiss")
    np.testing.assert_array_equal(loaded.get(np.arange(6)), built.get(np.arange(6)))
    assert loaded.to_bytes() == built.to_bytes()


def test_an_empty_index_can_be_stored(tmp_path: Path) -> None:
    (tmp_path / "x.faiss").write_bytes(VectorIndex.build(unit(0)).to_bytes())
    assert len(VectorIndex.load(tmp_path / "x.faiss")) == 0


@pytest.mark.parametrize("keep", [0, 3, 0.5, -1], ids=["nothing", "three bytes", "half", "all but the last byte"])
def test_a_cut_file_is_named_with_the_remedy(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "chunks.faiss"
    content = VectorIndex.build(unit(6)).to_bytes()
    path.write_bytes(content[: int(len(content) * keep) if keep == 0.5 else int(keep)])
    with pytest.raises(IndexCorruptError) as caught:
        VectorIndex.load(path)
    assert str(path) in caught.value.problem
    assert "rag index --rebuild" in caught.value.remedy
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"\x00" * 500, b"<html>Not found</html>" * 20], ids=["zeros", "a web page"])
def test_another_file_is_no_index(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "chunks.faiss"
    path.write_bytes(content)
    with pytest.raises(IndexCorruptError):
        VectorIndex.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(IndexCorruptError, match=r"gone\.faiss"):
        VectorIndex.load(tmp_path / "gone.faiss")


def test_threads_may_search_at_once() -> None:
    vectors = unit(200)
    index = VectorIndex.build(vectors)
    with ThreadPoolExecutor(8) as pool:
        nearest = list(pool.map(lambda vector: int(index.search(vector, 1)[0][0]), vectors))
    assert nearest == list(range(200))
