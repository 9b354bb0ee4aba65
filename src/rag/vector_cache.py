"""Vectors of texts that were embedded before, kept beside the index: what is known is not embedded twice.

The key is the hash of the text and of the model's weights, so a vector is right wherever the text turns up again: in
a rebuilt index, in a file with another name, in a run that goes on where one was killed. Losing the cache loses time.
"""

import contextlib
import hashlib
import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from rag.vectors import Halves

FILE = "vectors.cache"
_AT_ONCE = 500
_VERSION = 1


class VectorCache:
    """Text → vector, on disk. A damaged file is begun anew; a damaged vector is not found.

    Args:
        path: of the file; made if it is not there.
        model: sha256 of the weights.
        dimension: of a vector.
        most_bytes: the vectors that no build has used for longest are dropped beyond this size.
        anew: forget what is there.
    """

    def __init__(self, path: Path, model: str, dimension: int, most_bytes: int, anew: bool = False) -> None:
        self._path, self._model, self._dimension, self._most_bytes = path, model, dimension, most_bytes
        self._build = time.time_ns()
        """When this build began; what it uses is dropped last."""
        if anew:
            self._delete()
        try:
            self._db = self._open()
        except sqlite3.DatabaseError:
            self._delete()
            self._db = self._open()

    def get(self, texts: Sequence[str]) -> dict[int, Halves]:
        """Position → vector of those texts that are known.

        Raises:
            sqlite3.OperationalError: the disk is full or at fault.
        """
        keys: dict[bytes, list[int]] = {}
        for position, text in enumerate(texts):
            keys.setdefault(self._key(text), []).append(position)
        found: dict[int, Halves] = {}
        listed = list(keys)
        with self._begun_anew_if_damaged():
            for start in range(0, len(listed), _AT_ONCE):
                some = listed[start : start + _AT_ONCE]
                marks = ", ".join("?" * len(some))
                rows = self._db.execute(f"SELECT key, crc, vector FROM vectors WHERE key IN ({marks})", some).fetchall()
                whole = [
                    (key, vector)
                    for key, crc, vector in rows
                    if zlib.crc32(vector) == crc and len(vector) == 2 * self._dimension
                ]
                for key, vector in whole:
                    for position in keys[key]:
                        found[position] = np.frombuffer(vector, np.float16)
                self._db.executemany(
                    "UPDATE vectors SET used = ? WHERE key = ? AND used < ?",
                    ((self._build, key, self._build) for key, _ in whole),
                )
            self._db.commit()
        return found

    def put(self, texts: Sequence[str], vectors: Halves) -> None:
        """Keep the vectors of these texts; they survive the end of the process from here on.

        Raises:
            sqlite3.OperationalError: the disk is full or at fault.
        """
        rows = ((self._key(text), self._build, vector.tobytes()) for text, vector in zip(texts, vectors, strict=True))
        with self._begun_anew_if_damaged():
            self._db.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)",
                ((key, used, zlib.crc32(vector), vector) for key, used, vector in rows),
            )
            self._db.commit()

    def close(self) -> None:
        """Drop what is too much and close the file."""
        with contextlib.suppress(sqlite3.DatabaseError):  # the next run will meet it; this one's index is written
            size = self._db.execute("SELECT COUNT(*) FROM vectors").fetchone()[0] * 2 * self._dimension
            excess = (size - self._most_bytes) // (2 * self._dimension) + 1
            if size > self._most_bytes:
                sql = "DELETE FROM vectors WHERE rowid IN (SELECT rowid FROM vectors ORDER BY used, rowid LIMIT ?)"
                self._db.execute(sql, (excess,))
                self._db.commit()
                self._db.execute("VACUUM")
        self._db.close()

    @contextlib.contextmanager
    def _begun_anew_if_damaged(self) -> Iterator[None]:
        """SQLite meets damage of single pages only when it reads them."""
        try:
            yield
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._db.close()
            self._delete()
            self._db = self._open()

    def _delete(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path)
        try:
            # Without a sync at each commit: a power cut may cost the file, which is begun anew then.
            database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;")
            if database.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                database.executescript(
                    f"""DROP TABLE IF EXISTS vectors;
                        CREATE TABLE vectors (key BLOB, used INTEGER, crc INTEGER, vector BLOB);
                        CREATE UNIQUE INDEX by_key ON vectors (key);
                        PRAGMA user_version = {_VERSION};"""
                )
            database.execute("SELECT used FROM vectors LIMIT 1")
        except sqlite3.DatabaseError:
            database.close()
            raise
        return database

    def _key(self, text: str) -> bytes:
        return hashlib.sha256(f"{self._model}\0{text}".encode("utf-8", "surrogatepass")).digest()[:16]
