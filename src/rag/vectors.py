"""Vectors on disk and nearest-neighbour search. The only file that touches faiss.

Vectors are kept in half precision: the cosine of two unit vectors changes by less than 0.001, at half the size.
They stand in parts, each written once: rows of a later part follow those of the part before it.
"""

import contextlib
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from rag.embedding import Vectors
from rag.errors import IndexCorruptError

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
"""One value for each row."""
Halves = npt.NDArray[np.float16]

EXACT_UP_TO = 200_000
"""Rows. Beyond, an inverted file looks at the nearest of many cells only; ``docs/scale.md`` has the measurements."""
_PROBED = 96
"""Cells looked at for each query; more where a filter leaves fewer rows in each."""
_TRAINED_ON = 64
"""Vectors for each cell that the cells are learnt from."""
_BLOCK = 65_536
_SEED = 20_261_122
_REBUILD = "Rebuild it with `rag index --rebuild`."


class VectorIndex:
    """Inner-product search over unit vectors; the row of a vector is its id.

    Immutable: searching it from several threads is safe.

    Args:
        parts: faiss indexes; the rows of each follow those of the one before.
    """

    def __init__(self, parts: Sequence[Any]) -> None:
        self._parts = list(parts)
        self._firsts = np.cumsum([0, *(part.ntotal for part in parts)])

    @classmethod
    def open(cls, paths: Sequence[Path]) -> "VectorIndex":
        """Map the files of an index into memory; what is not looked at is not read.

        Raises:
            IndexCorruptError: faiss cannot read one.
        """
        import faiss

        parts = []
        for path in paths:
            try:
                part: Any = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
                if isinstance(part, faiss.IndexIVF):
                    part = faiss.read_index(str(path), faiss.IO_FLAG_MMAP)
                    part.nprobe = _PROBED
                    part.make_direct_map(True)
            except (RuntimeError, OSError) as error:
                reason = str(error).splitlines()[0]
                raise IndexCorruptError(f"{path} cannot be read: {reason}", _REBUILD) from error
            parts.append(part)
        return cls(parts)

    def __len__(self) -> int:
        return int(self._firsts[-1])

    @property
    def dimension(self) -> int:
        return int(self._parts[0].d) if self._parts else 0

    def search(self, query: Vectors, k: int, among: Mask | None = None) -> tuple[Rows, Vectors]:
        """Rows and cosines of the ``k`` nearest vectors of one query of shape ``(dimension,)``, best first.

        Args:
            query: a unit vector.
            k: how many; there may be fewer.
            among: the rows that may be found; all without it.
        """
        found_rows, found_cosines = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
        for part, first in zip(self._parts, self._firsts[:-1], strict=True):
            admitted = None if among is None else among[first : first + part.ntotal]
            most = min(k, part.ntotal if admitted is None else int(np.count_nonzero(admitted)))
            if not most:
                continue
            # One query is too little to share: threads that wait for each other took 30 times as long as it does alone.
            with _threads(1):
                cosines, rows = part.search(query[None, :], most, params=_parameters(part, admitted))
            real = rows[0] >= 0
            found_rows.append(rows[0][real] + first)
            found_cosines.append(cosines[0][real])
        rows, cosines = np.concatenate(found_rows), np.concatenate(found_cosines)
        order = np.lexsort((rows, -cosines))[:k]
        return rows[order], cosines[order]

    def get(self, rows: Rows) -> Vectors:
        """Stored vectors of shape ``(len(rows), dimension)``."""
        rows = np.asarray(rows, np.int64)
        vectors = np.empty((len(rows), self.dimension), np.float32)
        owner = np.searchsorted(self._firsts, rows, "right") - 1
        for number in np.unique(owner):
            mine = owner == number
            vectors[mine] = self._parts[number].reconstruct_batch(rows[mine] - self._firsts[number])
        return vectors


class VectorTable:
    """Vectors that are looked up by row and never searched; they are read from their files when they are asked for.

    They are not mapped into memory: of a large index, every page that was ever looked at would stay there.

    Args:
        paths: files of half-precision numbers; the rows of each follow those of the one before.
        dimension: of a vector.

    Raises:
        IndexCorruptError: a file is missing or holds no whole number of vectors.
    """

    def __init__(self, paths: Sequence[Path], dimension: int) -> None:
        self._files: list[BinaryIO] = []
        weakref.finalize(self, _close, self._files)
        self._lock = threading.Lock()
        self._dimension = dimension
        self._bytes = 2 * dimension
        lengths = [0]
        for path in paths:
            try:
                # A file stays readable for who has it open, also when its generation is removed meanwhile.
                self._files.append(path.open("rb", buffering=0))
                size = path.stat().st_size
            except OSError as error:
                raise IndexCorruptError(f"{path} cannot be read: {error.strerror}", _REBUILD) from error
            if size % self._bytes:
                raise IndexCorruptError(f"{path} is cut", _REBUILD)
            lengths.append(size // self._bytes)
        self._firsts = np.cumsum(lengths)

    def __len__(self) -> int:
        return int(self._firsts[-1])

    def get(self, rows: Rows) -> Vectors:
        """Stored vectors of shape ``(len(rows), dimension)``.

        Raises:
            IndexCorruptError: a file was cut meanwhile, or cannot be read.
        """
        rows = np.asarray(rows, np.int64)
        vectors = np.empty((len(rows), self._dimension), np.float32)
        owner = np.searchsorted(self._firsts, rows, "right") - 1
        # Runs of rows that follow each other in one file are read at once.
        breaks = np.flatnonzero((np.diff(rows) != 1) | (np.diff(owner) != 0)) + 1
        for start, end in pairwise((0, *breaks.tolist(), len(rows)) if len(rows) else ()):
            number = int(owner[start])
            run = self._read(number, int(rows[start] - self._firsts[number]), end - start)
            vectors[start:end] = run.reshape(end - start, self._dimension)
        return vectors

    def _read(self, number: int, first: int, count: int) -> Halves:
        file = self._files[number]
        try:
            with self._lock:
                file.seek(first * self._bytes)
                content = file.read(count * self._bytes)
        except OSError as error:
            raise IndexCorruptError(f"{file.name} cannot be read: {error.strerror}", _REBUILD) from error
        if len(content) < count * self._bytes:
            raise IndexCorruptError(f"{file.name} is cut", _REBUILD)
        return np.frombuffer(content, np.float16)


def _close(files: Sequence[BinaryIO]) -> None:
    for file in files:
        file.close()


def write_index(path: Path, vectors: Halves, threads: int = 0) -> None:
    """Index vectors of shape ``(n, dimension)`` and write the index, of the type that suits their number.

    Args:
        path: the new file.
        vectors: may be mapped from a file; they are read in blocks.
        threads: for learning the cells; 0 leaves it to faiss. With one, the same vectors always give the same file.

    Raises:
        OSError: writing failed.
    """
    import faiss

    count, dimension = vectors.shape
    api: Any = faiss  # its stubs are those of the C++ functions
    if count <= EXACT_UP_TO:
        index = api.IndexScalarQuantizer(dimension, api.ScalarQuantizer.QT_fp16, api.METRIC_INNER_PRODUCT)
    else:
        cells = 1 << int(np.log2(4 * np.sqrt(count)))
        index = api.IndexIVFScalarQuantizer(
            api.IndexFlatIP(dimension),
            dimension,
            cells,
            api.ScalarQuantizer.QT_fp16,
            api.METRIC_INNER_PRODUCT,
            False,  # codes of the vectors themselves, not of their distance to the cell's centre
        )
        index.cp.seed, index.cp.spherical = _SEED, True
        sample = np.random.default_rng(_SEED).choice(count, min(count, cells * _TRAINED_ON), replace=False)
        with _threads(threads):
            index.train(np.asarray(vectors[np.sort(sample)], np.float32))
    for start in range(0, count, _BLOCK):
        index.add(np.ascontiguousarray(vectors[start : start + _BLOCK], np.float32))
    # faiss's own writer neither syncs nor reports a failing close, so the bytes go through a file of ours.
    with path.open("wb") as file:
        _write(api, index, file)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    """How many threads faiss takes to itself in this one; 0 leaves it as it is."""
    import faiss

    api: Any = faiss
    before = api.omp_get_max_threads()
    api.omp_set_num_threads(count or before)
    try:
        yield
    finally:
        api.omp_set_num_threads(before)


def _write(api: Any, index: Any, file: BinaryIO) -> None:
    failed: list[OSError] = []

    def write(content: bytes) -> int:
        try:
            return file.write(content)
        except OSError as error:
            failed.append(error)
            return 0

    try:
        api.write_index(index, api.PyCallbackIOWriter(write))
    except RuntimeError:
        if not failed:
            raise
    if failed:
        raise failed[0]


def _parameters(part: Any, admitted: Mask | None) -> Any:
    """Search parameters that keep the selector alive as long as themselves; ``None`` if there is nothing to say."""
    if admitted is None:
        return None
    import faiss

    api: Any = faiss
    selector = api.IDSelectorBitmap(np.packbits(admitted, bitorder="little"))
    if isinstance(part, faiss.IndexIVF):
        share = np.count_nonzero(admitted) / len(admitted)
        parameters = api.SearchParametersIVF(sel=selector, nprobe=min(part.nlist, int(_PROBED / share**0.5)))
    else:
        parameters = api.SearchParameters(sel=selector)
    parameters.kept = selector  # faiss itself keeps no reference
    return parameters


def halves(vectors: Vectors) -> Halves:
    """In the precision in which vectors are stored."""
    return vectors.astype(np.float16)
