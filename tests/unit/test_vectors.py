"""Nearest neighbours, exact within half precision, over parts; and damaged files that end in a clear error."""

import errno
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag import vectors as vectors_module
from rag.embedding import Vectors
from rag.errors import IndexCorruptError
from rag.vectors import VectorIndex, VectorTable, halves, write_index

Open = Callable[..., VectorIndex]


def unit(rows: int, dimension: int = 8, seed: int = 0) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(rows, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def stored(vectors: Vectors) -> Vectors:
    """As they come back."""
    return vectors.astype(np.float16).astype(np.float32)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Open:
    """Write vectors in parts of these sizes, and open them."""

    def run(vectors: Vectors, sizes: Sequence[int] = ()) -> VectorIndex:
        folder = tmp_path_factory.mktemp("index")
        sizes = sizes or [len(vectors)]
        assert sum(sizes) == len(vectors)
        paths, first = [], 0
        for number, size in enumerate(sizes):
            paths.append(folder / f"{number}.faiss")
            write_index(paths[-1], halves(vectors[first : first + size]))
            first += size
        return VectorIndex.open(paths)

    return run


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., VectorTable]:
    def run(vectors: Vectors, sizes: Sequence[int] = ()) -> VectorTable:
        folder = tmp_path_factory.mktemp("table")
        paths, first = [], 0
        for number, size in enumerate(sizes or [len(vectors)]):
            paths.append(folder / f"{number}.f16")
            halves(vectors[first : first + size]).tofile(paths[-1])
            first += size
        return VectorTable(paths, vectors.shape[1])

    return run


PARTS = [[50], [49, 1], [1, 48, 1], [10, 0, 30, 10], [0, 50], [50, 0, 0], [5] * 10]


@pytest.mark.parametrize("sizes", PARTS, ids=str)
def test_search_is_exact_within_half_precision_and_best_first(opened: Open, sizes: list[int]) -> None:
    vectors, index = unit(50), opened(unit(50), sizes)
    for query in unit(20, seed=1):
        exact = stored(vectors) @ query
        rows, cosines = index.search(query, 5)
        assert rows.tolist() == np.argsort(-exact)[:5].tolist()
        np.testing.assert_allclose(cosines, exact[rows], atol=1e-6)
        np.testing.assert_allclose(cosines, (vectors @ query)[rows], atol=1e-3)


@pytest.mark.parametrize(("rows", "k", "found"), [(3, 10, 3), (0, 10, 0), (3, 0, 0), (3, 2, 2)])
def test_there_are_never_more_results_than_vectors(opened: Open, rows: int, k: int, found: int) -> None:
    numbers, cosines = opened(unit(rows)).search(unit(1)[0], k)
    assert numbers.shape == cosines.shape == (found,)
    assert set(numbers.tolist()) <= set(range(rows))  # faiss itself would pad with -1


@pytest.mark.parametrize("sizes", [[300], [100, 0, 7, 193]], ids=["one part", "parts"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
@pytest.mark.parametrize("k", [1, 7, 400])
def test_search_among_some_rows_is_exact_too(opened: Open, share: float, k: int, sizes: list[int]) -> None:
    vectors, query = unit(300), unit(1, seed=1)[0]
    among = np.random.default_rng(2).random(300) < share
    rows, cosines = opened(vectors, sizes).search(query, k, among)
    allowed, exact = np.flatnonzero(among), stored(vectors) @ query
    assert rows.tolist() == allowed[np.argsort(-exact[allowed])][:k].tolist()
    np.testing.assert_allclose(cosines, exact[rows], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("sizes", [[13], [8, 5], [1, 0, 12]], ids=str)
@pytest.mark.parametrize("row", [0, 7, 8, 12])
def test_any_single_row_can_be_searched(opened: Open, row: int, sizes: list[int]) -> None:
    vectors = unit(13)  # no whole number of bytes of the bitmap
    assert opened(vectors, sizes).search(vectors[3], 5, np.arange(13) == row)[0].tolist() == [row]


@settings(max_examples=25)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.integers(0, 12), st.integers(0, 2**60))
def test_parts_and_masks_of_any_size_are_searched_as_one(opened: Open, sizes: list[int], k: int, bits: int) -> None:
    vectors, query = unit(sum(sizes)), unit(1, seed=1)[0]
    among = np.array([bool(bits >> row & 1) for row in range(sum(sizes))], np.bool_)
    index, exact = opened(vectors, sizes), stored(vectors) @ query
    allowed = np.flatnonzero(among)
    assert index.search(query, k, among)[0].tolist() == allowed[np.argsort(-exact[allowed])][:k].tolist()
    rows = np.arange(sum(sizes))[::-1]
    np.testing.assert_array_equal(index.get(rows), stored(vectors)[rows])


def test_equal_vectors_are_found_in_order_of_rows(opened: Open) -> None:
    vectors = np.repeat(unit(1), 9, axis=0)
    rows, cosines = opened(vectors, [3, 2, 4]).search(vectors[0], 9)
    assert rows.tolist() == list(range(9))
    assert len(set(cosines.tolist())) == 1


@pytest.mark.parametrize("sizes", [[6], [2, 0, 4]], ids=str)
def test_vectors_come_back_in_half_precision(opened: Open, table: Callable[..., VectorTable], sizes: list[int]) -> None:
    vectors = unit(6)
    index = opened(vectors, sizes)
    assert (len(index), index.dimension) == (6, 8)
    for found in (index, table(vectors, sizes)):
        assert len(found) == 6
        np.testing.assert_array_equal(found.get(np.array([4, 0, 4])), stored(vectors)[[4, 0, 4]])
        np.testing.assert_allclose(found.get(np.arange(6)), vectors, atol=5e-4)
        assert found.get(np.arange(0)).shape == (0, 8)


def test_what_was_read_can_be_written_again_without_loss(opened: Open) -> None:
    once = opened(unit(40)).get(np.arange(40))
    np.testing.assert_array_equal(opened(once).get(np.arange(40)), once)


def test_the_same_vectors_give_the_same_file(tmp_path: Path) -> None:
    vectors = halves(unit(30))
    for name in ("a", "b"):
        write_index(tmp_path / name, vectors)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_vectors_may_be_mapped_from_a_file_and_are_read_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = halves(unit(100))
    write_index(tmp_path / "whole.faiss", vectors)
    vectors.tofile(tmp_path / "x.f16")
    monkeypatch.setattr(vectors_module, "_BLOCK", 7)
    write_index(tmp_path / "blocks.faiss", np.memmap(tmp_path / "x.f16", np.float16, "r", shape=(100, 8)))
    assert (tmp_path / "blocks.faiss").read_bytes() == (tmp_path / "whole.faiss").read_bytes()


def test_an_empty_index_and_an_empty_table_can_be_stored(opened: Open, table: Callable[..., VectorTable]) -> None:
    empty = opened(unit(0))
    assert (len(empty), empty.dimension, len(table(unit(0)))) == (0, 8, 0)
    assert table(unit(0)).get(np.arange(0)).shape == (0, 8)
    assert (len(VectorIndex.open([])), len(VectorTable([], 8))) == (0, 0)


CLUSTERS, EACH, DIMENSION = 40, 60, 24


def clustered() -> Vectors:
    """As texts are: around the subjects that they are about."""
    chance = np.random.default_rng(5)
    centres = unit(CLUSTERS, DIMENSION, 6)
    vectors = np.repeat(centres, EACH, axis=0) + chance.normal(scale=0.12, size=(CLUSTERS * EACH, DIMENSION))
    vectors = vectors[chance.permutation(len(vectors))].astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def inverted(opened: Open) -> VectorIndex:
    """An inverted file of which few cells are looked at, and an exact part behind it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors_module, "EXACT_UP_TO", 500)
        patch.setattr(vectors_module, "_PROBED", 24)
        return opened(clustered(), [2000, 400])


def test_an_inverted_file_finds_nearly_all_neighbours(inverted: VectorIndex) -> None:
    import faiss

    ivf, exact_part = inverted._parts
    assert isinstance(ivf, faiss.IndexIVF)
    assert not isinstance(exact_part, faiss.IndexIVF)
    assert (ivf.nlist, ivf.nprobe) == (128, 24)
    vectors = clustered()
    hits = first = 0
    queries = vectors[::24]
    for query in queries:
        exact = np.argsort(-(stored(vectors) @ query))[:10]
        rows, cosines = inverted.search(query, 10)
        assert len(rows) == 10
        assert cosines.tolist() == sorted(cosines.tolist(), reverse=True)
        np.testing.assert_allclose(cosines, stored(vectors)[rows] @ query, atol=1e-5)
        hits += len(set(rows.tolist()) & set(exact.tolist()))
        first += int(rows[0]) == int(exact[0])
    assert hits >= 0.95 * 10 * len(queries)
    assert first >= 0.99 * len(queries)


@pytest.mark.parametrize("share", [0.01, 0.3])
def test_an_inverted_file_looks_at_more_cells_where_a_filter_leaves_fewer_rows(
    inverted: VectorIndex, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors_module, "_PROBED", 24)
    vectors = clustered()
    among = np.random.default_rng(3).random(len(vectors)) < share
    allowed = np.flatnonzero(among)
    hits = wanted = 0
    for query in vectors[::40]:
        rows, _ = inverted.search(query, 10, among)
        exact = allowed[np.argsort(-(stored(vectors)[allowed] @ query))][:10]
        assert set(rows.tolist()) <= set(allowed.tolist())
        hits, wanted = hits + len(set(rows.tolist()) & set(exact.tolist())), wanted + len(exact)
    assert hits >= 0.95 * wanted


def test_an_inverted_file_gives_its_vectors_back(inverted: VectorIndex) -> None:
    rows = np.array([2399, 0, 1999, 2000, 777, 0])
    np.testing.assert_array_equal(inverted.get(rows), stored(clustered())[rows])


def test_threads_may_search_an_inverted_file(inverted: VectorIndex) -> None:
    vectors, among = clustered(), np.arange(2400) % 2 == 0
    alone = [inverted.search(vector, 5, among)[0].tolist() for vector in vectors[:200]]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda vector: inverted.search(vector, 5, among)[0].tolist(), vectors[:200])) == alone


@pytest.mark.parametrize("keep", [0, 3, 0.5, -1], ids=["nothing", "three bytes", "half", "all but the last byte"])
@pytest.mark.parametrize("exact", [True, False], ids=["exact", "inverted"])
def test_a_cut_file_is_named_with_the_remedy(
    tmp_path: Path, keep: float, exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors_module, "EXACT_UP_TO", 999 if exact else 60)
    path = tmp_path / "chunks.faiss"
    write_index(path, halves(unit(6 if exact else 2600)))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep) if keep == 0.5 else int(keep)])
    with pytest.raises(IndexCorruptError) as caught:
        VectorIndex.open([path])
    assert str(path) in caught.value.problem
    assert "rag index --rebuild" in caught.value.remedy
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"\x00" * 500, b"<html>Not found</html>" * 20], ids=["zeros", "a web page"])
def test_another_file_is_no_index(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "chunks.faiss"
    path.write_bytes(content)
    with pytest.raises(IndexCorruptError):
        VectorIndex.open([path])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_index(tmp_path / "there.faiss", halves(unit(3)))
    with pytest.raises(IndexCorruptError, match=r"gone\.faiss"):
        VectorIndex.open([tmp_path / "there.faiss", tmp_path / "gone.faiss"])
    with pytest.raises(IndexCorruptError, match=r"gone\.f16"):
        VectorTable([tmp_path / "gone.f16"], 8)


@pytest.mark.parametrize("size", [1, 15, 17, 48 + 8])
def test_a_cut_table_is_named_with_the_remedy(tmp_path: Path, size: int) -> None:
    (tmp_path / "sentences.f16").write_bytes(bytes(size))
    with pytest.raises(IndexCorruptError, match=r"sentences\.f16 is cut") as caught:
        VectorTable([tmp_path / "sentences.f16"], 8)
    assert "rag index --rebuild" in caught.value.remedy


class FullDisk:
    """Takes some bytes, then no more."""

    def __init__(self, file: object, room: int) -> None:
        self.file, self.room = file, room

    def __enter__(self) -> "FullDisk":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()  # type: ignore[attr-defined]

    def write(self, content: bytes) -> int:
        self.room -= len(content)
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return int(self.file.write(content))  # type: ignore[attr-defined]


@pytest.mark.parametrize("room", [0, 10, 100, 500])
def test_a_full_disk_is_told_as_what_it_is(tmp_path: Path, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    really = Path.open
    monkeypatch.setattr(Path, "open", lambda path, mode: FullDisk(really(path, mode), room))
    with pytest.raises(OSError, match="No space left on device"):
        write_index(tmp_path / "x.faiss", halves(unit(100)))


def test_a_failing_sync_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(vectors_module.os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        write_index(tmp_path / "x.faiss", halves(unit(4)))


def test_threads_may_search_at_once(opened: Open) -> None:
    vectors = unit(200)
    index = opened(vectors, [120, 80])
    with ThreadPoolExecutor(8) as pool:
        nearest = list(pool.map(lambda vector: int(index.search(vector, 1)[0][0]), vectors))
    assert nearest == list(range(200))


def test_a_query_is_not_shared_among_threads() -> None:
    import faiss

    seen: list[int] = []

    class Part:
        ntotal, d = 1, 8

        def search(self, query: Vectors, k: int, params: object) -> tuple[Vectors, Vectors]:
            seen.append(faiss.omp_get_max_threads())
            return np.ones((1, 1), np.float32), np.zeros((1, 1), np.int64)

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(2)
    try:
        assert VectorIndex([Part(), Part()]).search(unit(1)[0], 5)[0].tolist() == [0, 1]
        assert (seen, faiss.omp_get_max_threads()) == ([1, 1], 2)
    finally:
        faiss.omp_set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_vectors_give_the_same_inverted_file_in_as_many_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    monkeypatch.setattr(vectors_module, "EXACT_UP_TO", 500)
    vectors = halves(clustered()[:900])
    for name in ("a", "b"):
        write_index(tmp_path / name, vectors, threads)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
