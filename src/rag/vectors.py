"""Vectors on disk and nearest-neighbour search. The only file that touches faiss."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.embedding import Vectors
from rag.errors import IndexCorruptError

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
"""One value for each row."""


class VectorIndex:
    """Exact inner-product search over unit vectors; the row of a vector is its id.

    Immutable once built: searching it from several threads is safe.
    """

    def __init__(self, index: Any) -> None:
        self._index = index

    @classmethod
    def build(cls, vectors: Vectors) -> "VectorIndex":
        """Index ``vectors`` of shape ``(n, dimension)``."""
        import faiss

        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(np.ascontiguousarray(vectors, np.float32))
        return cls(index)

    @classmethod
    def load(cls, path: Path) -> "VectorIndex":
        """Read an index whose hash has been checked.

        Raises:
            IndexCorruptError: faiss cannot read it.
        """
        import faiss

        try:
            return cls(faiss.deserialize_index(np.fromfile(path, np.uint8)))
        except (RuntimeError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise IndexCorruptError(
                f"{path} cannot be read: {reason}", "Rebuild it with `rag index --rebuild`."
            ) from error

    def to_bytes(self) -> bytes:
        """The file's content. faiss's own writer neither syncs nor reports a failing close, so we write it."""
        import faiss

        return bytes(faiss.serialize_index(self._index))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        return int(self._index.d)

    def search(self, query: Vectors, k: int, among: Mask | None = None) -> tuple[Rows, Vectors]:
        """Rows and cosines of the ``k`` nearest vectors of one query of shape ``(dimension,)``, best first.

        Args:
            query: a unit vector.
            k: how many; faiss would fill up with -1 where there are fewer.
            among: the rows that may be found; all without it.
        """
        k = min(k, len(self) if among is None else int(np.count_nonzero(among)))
        if k == 0:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        if among is None:
            cosines, rows = self._index.search(query[None, :], k)
        else:
            import faiss

            api: Any = faiss  # its stubs are those of the C++ functions
            # faiss keeps no reference to the selector: it must live until the search is over.
            selector = api.IDSelectorBitmap(np.packbits(among, bitorder="little"))
            cosines, rows = self._index.search(query[None, :], k, params=api.SearchParameters(sel=selector))
        return rows[0], cosines[0]

    def get(self, rows: Rows) -> Vectors:
        """Stored vectors of shape ``(len(rows), dimension)``."""
        vectors: Vectors = self._index.reconstruct_batch(np.asarray(rows, np.int64))
        return vectors
