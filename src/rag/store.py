"""Texts, offsets and postings in one SQLite file. The only file of the index that speaks SQL.

Row numbers of chunks and sentences start at 0 and are the rows of the vectors. The rows of a document that was removed
by a later change stay empty; no other ever takes them.
"""

import json
import sqlite3
import threading
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag import duplicates
from rag.bm25 import MOST_COUNTED, Counts, Lengths, Rows, best, weight
from rag.errors import IndexCorruptError
from rag.records import Chunk, Document, Listed, Sentence, SkippedFile
from rag.wording import stems

_DOCUMENT_FIELDS = tuple(field.name for field in fields(Document))
_AS_JSON = ("boilerplate", "anchors", "found")
_COLUMNS = ", ".join(sorted(_DOCUMENT_FIELDS, key=lambda name: name == "text"))
"""The text comes last: what stands before it is read without it."""

_SCHEMA = f"""
CREATE TABLE files (path TEXT PRIMARY KEY, sha256 TEXT) WITHOUT ROWID;
CREATE TABLE skipped (path TEXT, reason TEXT, file TEXT);
CREATE TABLE documents (number INTEGER PRIMARY KEY, file TEXT, first_chunk INTEGER, chunks INTEGER,
                        first_sentence INTEGER, sentences INTEGER, characters INTEGER, signature BLOB, {_COLUMNS});
CREATE UNIQUE INDEX documents_by_id ON documents (id);
CREATE INDEX documents_rows ON documents (first_chunk, chunks, first_sentence, sentences, publisher, published);
CREATE INDEX documents_by_path ON documents (path);
CREATE INDEX documents_by_file ON documents (file);
CREATE TABLE chunks (row INTEGER PRIMARY KEY, document INTEGER, "start" INTEGER, "end" INTEGER,
                     first_sentence INTEGER, spans BLOB);
CREATE TABLE postings (stem TEXT, part INTEGER, chunks INTEGER, rows BLOB, counts BLOB);
CREATE UNIQUE INDEX postings_by_stem ON postings (stem, part);
CREATE TABLE bands (key INTEGER, document INTEGER, PRIMARY KEY (key, document)) WITHOUT ROWID;
CREATE TABLE alike (one INTEGER, other INTEGER);
CREATE INDEX alike_by_one ON alike (one);
CREATE INDEX alike_by_other ON alike (other);
CREATE TABLE copies (document TEXT PRIMARY KEY, of TEXT) WITHOUT ROWID;
CREATE TABLE lengths (first_row INTEGER PRIMARY KEY, words BLOB);
"""

_SPAN = np.dtype([("start", "<u4"), ("end", "<u4"), ("citable", "u1")])
"""A sentence in the ``spans`` of its chunk."""
_FLUSHED = 50_000
"""Chunks whose postings are gathered in memory before they are written."""
_LARGE = 10_000
"""Chunks from which on a question is not looked up by words that most of them hold, unless it has no others."""
_MAX_QUERY_WORDS = 64
_AT_ONCE = 500
"""Values in one SQL statement; SQLite's limit is 999 in older versions."""
_REBUILD = "Rebuild it with `rag index --rebuild`."

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class StoredSentence:
    """A sentence with its row and the chunk it belongs to."""

    row: int
    chunk: int
    start: int
    end: int
    citable: bool


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk with its row, its document and the rows of its sentences."""

    row: int
    document: str
    start: int
    end: int
    first_sentence: int
    sentences: int


@dataclass(frozen=True, slots=True)
class RowRange:
    """The rows of one document's chunks and sentences."""

    first_chunk: int
    chunks: int
    first_sentence: int
    sentences: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the rows of one document come from."""

    publisher: str | None
    published: str | None
    rows: RowRange


_LISTED = ", ".join(field.name for field in fields(Listed))


@dataclass(frozen=True, slots=True)
class FormatCount:
    """What was read of the files with one ending."""

    suffix: str
    files: int
    articles: int
    chunks: int
    characters: int
    boilerplate: int
    """Characters of these that are no part of an article."""


@dataclass(frozen=True, slots=True)
class _Described:
    id: str
    path: str
    published: str | None
    publisher: str | None
    url: str | None


class StoreWriter:
    """Writes a new store, or changes a copy of one that no reader knows yet.

    Args:
        path: of the file; made if it is not there.
        sentence_rows: that are taken already, empty ones included.
    """

    def __init__(self, path: Path, sentence_rows: int = 0) -> None:
        is_new = not path.exists()
        self._db = sqlite3.connect(path, isolation_level=None)
        # The folder is synced as a whole before it is published, so no journal is needed here.
        self._db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + (_SCHEMA if is_new else ""))
        self._db.execute("BEGIN")
        # Lengths are kept of every row that there ever was, also of empty ones.
        self.chunk_rows = self._one("SELECT coalesce(SUM(length(words)), 0) / 4 FROM lengths")
        self.sentence_rows = sentence_rows
        self._number = self._one("SELECT coalesce(MAX(number) + 1, 0) FROM documents")
        self._part = self._one("SELECT coalesce(MAX(part) + 1, 0) FROM postings")
        self._stems: dict[str, int] = {}
        self._tokens = array("I")
        """Numbers of the stems of all chunks whose postings are not written yet."""
        self._words: list[int] = []
        """How many of them belong to each chunk."""

    def add(
        self,
        document: Document,
        chunks: Sequence[Chunk],
        texts: Sequence[str],
        file: str,
        signature: bytes | None = None,
    ) -> None:
        """Append one document; its rows follow those already written.

        Args:
            document: what to store.
            chunks: of it.
            texts: what each chunk is found by, beside the title.
            file: of the corpus that it was read from.
            signature: of its words, if it is known; see ``rag.duplicates``.
        """
        first_chunk, first_sentence = self.chunk_rows, self.sentence_rows
        title = stems(document.title)
        for chunk, text in zip(chunks, texts, strict=True):
            spans = np.array([(s.start, s.end, s.citable) for s in chunk.sentences], _SPAN)
            self._db.execute(
                "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?)",
                (self.chunk_rows, self._number, chunk.start, chunk.end, self.sentence_rows, spans.tobytes()),
            )
            words = title + stems(text)
            self._tokens.extend([self._stems.setdefault(stem, len(self._stems)) for stem in words])
            self._words.append(len(words))
            self.chunk_rows += 1
            self.sentence_rows += len(chunk.sentences)
        if signature is None:
            signature = duplicates.signature(
                duplicates.article_text(document.text, document.body_start, document.boilerplate)
            )
        self._find_alike(signature)
        values: dict[str, Any] = {name: getattr(document, name) for name in _DOCUMENT_FIELDS}
        values |= {name: json.dumps(values[name], ensure_ascii=False) for name in _AS_JSON}
        values |= {
            "number": self._number,
            "file": file,
            "first_chunk": first_chunk,
            "chunks": self.chunk_rows - first_chunk,
            "first_sentence": first_sentence,
            "sentences": self.sentence_rows - first_sentence,
            "characters": len(document.text),
            "signature": signature,
        }
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        self._db.execute(f"INSERT INTO documents ({names}) VALUES ({marks})", list(values.values()))
        self._number += 1
        if len(self._words) >= _FLUSHED:
            self._write_postings()

    def remove(self, file: str) -> None:
        """Take out all documents of a file and what was noted of it; their rows stay empty."""
        sql = "SELECT number, first_chunk, first_chunk + chunks FROM documents WHERE file = ?"
        for number, first, end in self._db.execute(sql, (file,)).fetchall():
            self._db.execute("DELETE FROM chunks WHERE row >= ? AND row < ?", (first, end))
            self._db.execute("DELETE FROM alike WHERE one = ?1 OR other = ?1", (number,))
            for key in duplicates.band_keys(self._signature(number)):
                self._db.execute("DELETE FROM bands WHERE key = ? AND document = ?", (key, number))
        self._db.execute("DELETE FROM documents WHERE file = ?", (file,))
        self._db.execute("DELETE FROM skipped WHERE file = ?", (file,))

    def skip(self, skipped: SkippedFile, file: str) -> None:
        """Note what of a file could not be read."""
        self._db.execute("INSERT INTO skipped VALUES (?, ?, ?)", (skipped.path, skipped.reason, file))

    def set_files(self, files: Mapping[str, str]) -> None:
        """Path → sha256 of every file of the corpus, indexed or not."""
        self._db.execute("DELETE FROM files")
        self._db.executemany("INSERT INTO files VALUES (?, ?)", sorted(files.items()))

    def counts(self) -> tuple[int, int, int, int]:
        """Documents, chunks, sentences and what was skipped."""
        sql = """SELECT COUNT(*), coalesce(SUM(chunks), 0), coalesce(SUM(sentences), 0),
                        (SELECT COUNT(*) FROM skipped) FROM documents"""
        documents, chunks, sentences, skipped = self._db.execute(sql).fetchone()
        return documents, chunks, sentences, skipped

    def finish(self) -> None:
        """Check the file and close it.

        Raises:
            IndexCorruptError: SQLite finds the new file damaged, e.g. by a failing disk.
        """
        self._write_postings()
        self._name_copies()
        self._db.execute("COMMIT")
        verdict = self._db.execute("PRAGMA quick_check").fetchone()[0]
        self._db.close()
        if verdict != "ok":
            raise IndexCorruptError(f"The new index is damaged: {verdict}", "Check the disk and try again.")

    def abandon(self) -> None:
        """Close without finishing."""
        self._db.close()

    def _signature(self, number: int) -> bytes:
        return bytes(self._db.execute("SELECT signature FROM documents WHERE number = ?", (number,)).fetchone()[0])

    def _find_alike(self, signature: bytes) -> None:
        """Note which documents the next one is a copy of."""
        keys = duplicates.band_keys(signature)
        marks = ", ".join("?" * len(keys))
        near = self._db.execute(f"SELECT DISTINCT document FROM bands WHERE key IN ({marks})", keys).fetchall()
        self._db.executemany(
            "INSERT INTO alike VALUES (?, ?)",
            (
                (number, self._number)
                for (number,) in near
                if duplicates.similarity(self._signature(number), signature) >= duplicates.SAME
            ),
        )
        self._db.executemany("INSERT OR IGNORE INTO bands VALUES (?, ?)", ((key, self._number) for key in keys))

    def _name_copies(self) -> None:
        """Choose from each group of copies the one that is answered from."""
        sql = """SELECT one.path, other.path FROM alike
                 JOIN documents AS one ON one.number = alike.one JOIN documents AS other ON other.number = alike.other"""
        self._db.execute("DELETE FROM copies")
        for group in duplicates.groups(self._db.execute(sql).fetchall()):
            found = [
                _Described(*row)
                for path in group
                for row in self._db.execute(
                    "SELECT id, path, published, publisher, url FROM documents WHERE path = ?", (path,)
                )
            ]
            first = duplicates.representative(found)
            of = next(item.id for item in found if item.path == first)
            self._db.executemany("INSERT INTO copies VALUES (?, ?)", sorted((item.id, of) for item in found))

    def _one(self, sql: str) -> int:
        return int(self._db.execute(sql).fetchone()[0])

    def _write_postings(self) -> None:
        if not self._words:
            return
        first = self.chunk_rows - len(self._words)
        rows = np.repeat(np.arange(first, self.chunk_rows, dtype=np.uint64), self._words)
        pairs = np.frombuffer(self._tokens, np.uint32).astype(np.uint64) << np.uint64(32) | rows
        pairs, often = np.unique(pairs, return_counts=True)
        stem_of, row_of = (pairs >> np.uint64(32)).astype(np.int64), pairs.astype("<u4")
        counts = np.minimum(often, MOST_COUNTED).astype("u1")
        ends = np.cumsum(np.bincount(stem_of, minlength=len(self._stems)))
        self._db.executemany(
            "INSERT INTO postings VALUES (?, ?, ?, ?, ?)",
            (
                (stem, self._part, int(end - start), row_of[start:end].tobytes(), counts[start:end].tobytes())
                for stem, number in sorted(self._stems.items())
                for start, end in [(ends[number - 1] if number else 0, ends[number])]
            ),
        )
        self._db.execute("INSERT INTO lengths VALUES (?, ?)", (first, np.array(self._words, "<u4").tobytes()))
        self._stems, self._tokens, self._words = {}, array("I"), []
        self._part += 1


class Store:
    """Reads a finished store. One connection serves all threads, one statement at a time.

    Raises:
        IndexCorruptError: the file is no such store.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
            self._db.execute("PRAGMA cache_size = -65536")  # kilobytes
            sql = "SELECT COUNT(*), coalesce(SUM(chunks), 0), coalesce(SUM(sentences), 0) FROM documents"
            self.documents, self.chunks, self.sentences = map(int, self._db.execute(sql).fetchone())
            self.chunk_rows = sum(
                size // 4 for (size,) in self._db.execute("SELECT length(words) FROM lengths").fetchall()
            )
            """Rows of chunks, empty ones included."""
        except sqlite3.Error as error:
            raise IndexCorruptError(f"{path} cannot be read: {error}", _REBUILD) from error

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def check(self) -> None:
        """Read the whole file and compare its counts with each other.

        Raises:
            IndexCorruptError: something in it is damaged.
        """
        verdict = self._rows("PRAGMA integrity_check")[0][0]
        chunks, sentences = self._rows(
            f"SELECT COUNT(*), coalesce(SUM(length(spans)), 0) / {_SPAN.itemsize} FROM chunks"
        )[0]
        if verdict != "ok" or (chunks, sentences) != (self.chunks, self.sentences):
            reason = verdict if verdict != "ok" else "its counts contradict each other"
            raise IndexCorruptError(f"{self._path} is damaged: {reason}", _REBUILD)

    def document(self, name: str) -> Document | None:
        """A document by its id or its path."""
        if not name.isprintable():  # no stored path is that, and SQLite takes no lone surrogates
            return None
        for column in ("id", "path"):
            rows = self._rows(f"SELECT {_COLUMNS} FROM documents WHERE {column} = ?", (name,))
            if rows:
                return _document(rows[0])
        return None

    def files(self) -> dict[str, str]:
        """Path → sha256 of every file of the corpus, indexed or not."""
        return dict(self._rows("SELECT path, sha256 FROM files"))

    def skipped(self) -> list[SkippedFile]:
        """Files, and parts of files, that were not indexed, ordered by path."""
        return [SkippedFile(*row) for row in self._rows("SELECT path, reason FROM skipped ORDER BY path, reason")]

    def skipped_of(self, file: str) -> list[SkippedFile]:
        """What of a file of the corpus was not indexed."""
        return [
            SkippedFile(*row)
            for row in self._rows("SELECT path, reason FROM skipped WHERE file = ? ORDER BY rowid", (file,))
        ]

    def failed(self) -> list[str]:
        """Files of the corpus that gave no document at all."""
        sql = "SELECT path FROM files WHERE path NOT IN (SELECT file FROM documents) ORDER BY path"
        return [row[0] for row in self._rows(sql)]

    def of_file(self, file: str) -> list[tuple[Document, RowRange, bytes]]:
        """The documents that were read from a file of the corpus, in order, with their rows and signatures."""
        sql = f"SELECT {_COLUMNS}, first_chunk, chunks, first_sentence, sentences, signature FROM documents WHERE file = ? ORDER BY number"
        return [(_document(row[:-5]), RowRange(*row[-5:-1]), row[-1]) for row in self._rows(sql, (file,))]

    def rows_of(self, id: str) -> RowRange:
        """The rows of a document that is in the store."""
        sql = "SELECT first_chunk, chunks, first_sentence, sentences FROM documents WHERE id = ?"
        return RowRange(*self._rows(sql, (id,))[0])

    def chunks_of(self, rows: RowRange) -> list[Chunk]:
        """The chunks of a document with their sentences."""
        sql = 'SELECT "start", "end", spans FROM chunks WHERE row >= ? AND row < ? ORDER BY row'
        found = self._rows(sql, (rows.first_chunk, rows.first_chunk + rows.chunks))
        return [Chunk(start, end, tuple(Sentence(*span) for span in _spans(spans))) for start, end, spans in found]

    @cached_property
    def origins(self) -> tuple[Origin, ...]:
        """Publisher, date and rows of every document; read once, as filters are applied to all of them."""
        sql = """SELECT publisher, published, first_chunk, chunks, first_sentence, sentences
                 FROM documents INDEXED BY documents_rows ORDER BY number"""
        return tuple(
            Origin(publisher, published, RowRange(*numbers)) for publisher, published, *numbers in self._rows(sql)
        )

    @cached_property
    def copies(self) -> dict[str, str]:
        """Id of each document that others are copies of, or that is one → id of the one of them that is answered from."""
        return dict(self._rows("SELECT document, of FROM copies"))

    def other_copies(self, id: str) -> list[Document]:
        """The other documents that say what this one says, ordered by path."""
        if id not in self.copies:
            return []
        same = [name for name, of in self.copies.items() if of == self.copies[id] and name != id]
        found = self._in(f"SELECT {_COLUMNS} FROM documents WHERE id IN", same)
        return sorted(map(_document, found), key=lambda document: document.path)

    @cached_property
    def alive(self) -> Mask | None:
        """For each row whether it is a chunk; ``None`` if all are."""
        if self.chunks == self.chunk_rows:
            return None
        alive = np.zeros(self.chunk_rows, np.bool_)
        for first, count in self._rows("SELECT first_chunk, chunks FROM documents"):
            alive[first : first + count] = True
        return alive

    def listed(self) -> list[Listed]:
        """Every document without its text, newest first, those without a date last, then by title."""
        sql = f"SELECT {_LISTED} FROM documents ORDER BY published DESC, title, path"
        return [Listed(*row) for row in self._rows(sql)]

    def by_format(self) -> list[FormatCount]:
        """What was read of each kind of file, most articles first."""
        counted: dict[str, list[Any]] = {}
        sql = "SELECT file, chunks, characters, boilerplate FROM documents"
        for file, chunks, characters, boilerplate in self._rows(sql):
            found = counted.setdefault(Path(file).suffix.lower(), [set(), 0, 0, 0, 0])
            found[0].add(file)
            marked = sum(end - start for start, end in json.loads(boilerplate))
            for place, more in enumerate((1, chunks, characters, marked), 1):
                found[place] += more
        counts = [FormatCount(suffix, len(files), *numbers) for suffix, (files, *numbers) in counted.items()]
        return sorted(counts, key=lambda count: (-count.articles, count.suffix))

    def all_documents(self) -> list[Document]:
        """Every document, ordered by path."""
        return [_document(row) for row in self._rows(f"SELECT {_COLUMNS} FROM documents ORDER BY path")]

    def all_chunks(self) -> Iterator[StoredChunk]:
        """Every chunk in order of its row."""
        for first in range(0, self.chunk_rows, _AT_ONCE):
            yield from self.chunks_by_row(range(first, min(first + _AT_ONCE, self.chunk_rows))).values()

    def chunks_by_row(self, rows: Iterable[int]) -> dict[int, StoredChunk]:
        """The chunks with these rows, in order."""
        sql = f"""SELECT row, id, "start", "end", chunks.first_sentence, length(spans) / {_SPAN.itemsize}
                  FROM chunks JOIN documents ON number = document WHERE row IN"""
        return {row[0]: StoredChunk(*row) for row in sorted(self._in(sql, rows))}

    def sentences_of(self, chunks: Iterable[int]) -> list[StoredSentence]:
        """Sentences of these chunks, in order of their rows."""
        found = []
        for chunk, first, spans in self._in("SELECT row, first_sentence, spans FROM chunks WHERE row IN", chunks):
            found += [
                StoredSentence(first + offset, chunk, start, end, citable)
                for offset, (start, end, citable) in enumerate(_spans(spans))
            ]
        return sorted(found, key=lambda sentence: sentence.row)

    def bm25(self, question: str, k: int, among: Mask | None = None) -> list[tuple[int, float]]:
        """The ``k`` best chunk rows for any word of the question, with positive BM25 scores, best first.

        On Porter stems, over the title and the text of each chunk; see ``rag.bm25``.

        Args:
            question: its words.
            k: how many.
            among: the rows that may be found; all without it. Scores are the same.
        """
        asked = list(dict.fromkeys(stems(question)))[:_MAX_QUERY_WORDS]
        holding = self.chunks_with(asked)
        if not holding:
            return []
        telling = [stem for stem in holding if 2 * holding[stem] <= self.chunks]
        if self.chunks >= _LARGE and telling:
            # Words that most chunks hold tell none of them apart, and take longest to read.
            holding = {stem: holding[stem] for stem in telling}
        words = [(weight(holding[stem], self.chunks), partial(self._postings, stem)) for stem in sorted(holding)]
        masks = [mask for mask in (among, self.alive) if mask is not None]
        admitted = np.logical_and.reduce(masks) if masks else None
        return best(words, self._lengths, self._words / self.chunks, k, admitted)

    def chunks_with(self, stems: Iterable[str]) -> dict[str, int]:
        """In how many chunks each stem occurs; absent stems are left out."""
        if self.alive is None:
            return dict(self._in("SELECT stem, SUM(chunks) FROM postings WHERE stem IN", stems, "GROUP BY stem"))
        holding: Counter[str] = Counter()
        for stem, rows in self._in("SELECT stem, rows FROM postings WHERE stem IN", stems):
            holding[stem] += int(np.count_nonzero(self.alive[np.frombuffer(rows, "<u4")]))
        return {stem: count for stem, count in holding.items() if count}

    def has_stem_from(self, beginning: str) -> bool:
        """Whether any chunk has a stem that begins so."""
        found = self._rows(
            "SELECT DISTINCT stem FROM postings WHERE stem >= ? AND stem < ?", (beginning, f"{beginning}\U0010ffff")
        )
        return bool(self.chunks_with(stem for (stem,) in found))

    def _postings(self, stem: str) -> tuple[Rows, Counts]:
        """The rows that hold a stem, in order, and how often each does."""
        found = self._rows("SELECT rows, counts FROM postings WHERE stem = ? ORDER BY part", (stem,))
        rows = np.frombuffer(b"".join(rows for rows, _ in found), "<u4")
        return rows, np.frombuffer(b"".join(counts for _, counts in found), "u1")

    @cached_property
    def _lengths(self) -> Lengths:
        stored = self._rows("SELECT words FROM lengths ORDER BY first_row")
        return np.frombuffer(b"".join(words for (words,) in stored), "<u4")

    @cached_property
    def _words(self) -> int:
        counted = self._lengths if self.alive is None else self._lengths[self.alive]
        return int(counted.sum(dtype=np.int64))

    def _in(self, sql: str, values: Iterable[int] | Iterable[str], order: str = "") -> list[tuple[Any, ...]]:
        listed = list(values)
        found = []
        for start in range(0, len(listed), _AT_ONCE):
            some = listed[start : start + _AT_ONCE]
            found += self._rows(f"{sql} ({', '.join('?' * len(some))}) {order}", some)
        return found

    def _rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._db.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise IndexCorruptError(f"{self._path}: {error}", _REBUILD) from error


def _document(row: Sequence[Any]) -> Document:
    values = dict(zip(_COLUMNS.split(", "), row, strict=True))
    for name in _AS_JSON:
        values[name] = tuple(tuple(item) for item in json.loads(values[name]))
    return Document(**values)


def _spans(spans: bytes) -> list[tuple[int, int, bool]]:
    return [(start, end, bool(citable)) for start, end, citable in np.frombuffer(spans, _SPAN).tolist()]
