"""Texts, offsets and BM25 in one SQLite file. The only file that speaks SQL.

Row numbers of chunks and sentences start at 0 and are the rows of the two vector indexes.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from rag.errors import IndexCorruptError
from rag.records import Chunk, Document
from rag.wording import stems

_DOCUMENT_FIELDS = tuple(field.name for field in fields(Document))
_AS_JSON = ("boilerplate", "anchors", "found")

_SCHEMA = f"""
CREATE TABLE documents ({", ".join(_DOCUMENT_FIELDS)}, first_chunk INTEGER, chunks INTEGER,
                        first_sentence INTEGER, sentences INTEGER, PRIMARY KEY (id)) WITHOUT ROWID;
CREATE TABLE chunks (row INTEGER PRIMARY KEY, document TEXT, "start" INTEGER, "end" INTEGER);
CREATE TABLE sentences (row INTEGER PRIMARY KEY, chunk INTEGER, "start" INTEGER, "end" INTEGER, citable INTEGER);
CREATE INDEX sentences_of_chunk ON sentences (chunk);
CREATE VIRTUAL TABLE words USING fts5 (title, text, content = '', tokenize = 'unicode61 remove_diacritics 0');
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, row);
"""

_MAX_QUERY_WORDS = 64


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
    """A chunk with its row and its document."""

    row: int
    document: str
    start: int
    end: int


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


@dataclass(frozen=True, slots=True)
class Listed:
    """A document without its text, as a list of all articles shows it."""

    id: str
    path: str
    title: str
    publisher: str | None
    published: str | None
    url: str | None
    language: str
    chunks: int
    sentences: int
    characters: int
    """Of the whole file, front matter included."""


_LISTED = ", ".join(field.name for field in fields(Listed)[:-1])


class StoreWriter:
    """Writes a new store; nothing can be changed once it is finished."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        # The folder is synced as a whole before it is published, so no journal is needed here.
        self._db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _SCHEMA)
        self._db.execute("BEGIN")
        self.documents = self.chunks = self.sentences = 0

    def add(self, document: Document, chunks: Sequence[Chunk]) -> None:
        """Append one document; its rows follow those already written."""
        first_chunk, first_sentence = self.chunks, self.sentences
        for chunk in chunks:
            row = self.chunks
            self._db.execute("INSERT INTO chunks VALUES (?, ?, ?, ?)", (row, document.id, chunk.start, chunk.end))
            text = document.text[chunk.start : chunk.end]
            self._db.execute(
                "INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)",
                (row, " ".join(stems(document.title)), " ".join(stems(text))),
            )
            self._db.executemany(
                "INSERT INTO sentences VALUES (?, ?, ?, ?, ?)",
                (
                    (self.sentences + offset, row, sentence.start, sentence.end, sentence.citable)
                    for offset, sentence in enumerate(chunk.sentences)
                ),
            )
            self.chunks += 1
            self.sentences += len(chunk.sentences)
        values: list[Any] = [getattr(document, name) for name in _DOCUMENT_FIELDS]
        for name in _AS_JSON:
            position = _DOCUMENT_FIELDS.index(name)
            values[position] = json.dumps(values[position], ensure_ascii=False)
        values += [first_chunk, self.chunks - first_chunk, first_sentence, self.sentences - first_sentence]
        self._db.execute(f"INSERT INTO documents VALUES ({', '.join('?' * len(values))})", values)
        self.documents += 1

    def finish(self) -> None:
        """Compact the word index, check the file and close it.

        Raises:
            IndexCorruptError: SQLite finds the new file damaged, e.g. by a failing disk.
        """
        self._db.execute("INSERT INTO words (words) VALUES ('optimize')")
        self._db.execute("COMMIT")
        verdict = self._db.execute("PRAGMA integrity_check").fetchone()[0]
        self._db.close()
        if verdict != "ok":
            raise IndexCorruptError(f"The new index is damaged: {verdict}", "Check the disk and try again.")

    def abandon(self) -> None:
        """Close without finishing."""
        self._db.close()


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
            self.documents, self.chunks, self.sentences = (
                int(self._db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])
                for table in ("documents", "chunks", "sentences")
            )
        except sqlite3.Error as error:
            raise IndexCorruptError(
                f"{path} cannot be read: {error}", "Rebuild it with `rag index --rebuild`."
            ) from error

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def document(self, name: str) -> Document | None:
        """A document by its id or its path."""
        columns = ", ".join(_DOCUMENT_FIELDS)
        if not name.isprintable():  # no stored path is that, and SQLite takes no lone surrogates
            return None
        rows = self._rows(f"SELECT {columns} FROM documents WHERE id = ?1 OR path = ?1", (name,))
        return _document(rows[0]) if rows else None

    def document_rows(self) -> dict[tuple[str, str], RowRange]:
        """Rows of every document by its (sha256, title): equal keys mean equal chunks and vectors."""
        rows = self._rows("SELECT sha256, title, first_chunk, chunks, first_sentence, sentences FROM documents")
        return {(sha256, title): RowRange(*numbers) for sha256, title, *numbers in rows}

    @cached_property
    def origins(self) -> tuple[Origin, ...]:
        """Publisher, date and rows of every document; read once, as filters are applied to all of them."""
        sql = "SELECT publisher, published, first_chunk, chunks, first_sentence, sentences FROM documents"
        return tuple(
            Origin(publisher, published, RowRange(*numbers)) for publisher, published, *numbers in self._rows(sql)
        )

    def listed(self) -> list[Listed]:
        """Every document without its text, newest first, those without a date last, then by title."""
        sql = f"SELECT {_LISTED}, length(text) FROM documents ORDER BY published DESC, title, path"
        return [Listed(*row) for row in self._rows(sql)]

    def all_documents(self) -> list[Document]:
        """Every document, ordered by path."""
        return [
            _document(row) for row in self._rows(f"SELECT {', '.join(_DOCUMENT_FIELDS)} FROM documents ORDER BY path")
        ]

    def chunks_by_row(self, rows: Iterable[int]) -> dict[int, StoredChunk]:
        """The chunks with these rows."""
        found = self._in('SELECT row, document, "start", "end" FROM chunks WHERE row IN', rows)
        return {row[0]: StoredChunk(*row) for row in found}

    def sentences_of(self, chunks: Iterable[int]) -> list[StoredSentence]:
        """Sentences of these chunks, in order of their rows."""
        sql = 'SELECT row, chunk, "start", "end", citable FROM sentences WHERE chunk IN'
        found = sorted(self._in(sql, chunks))
        return [StoredSentence(row, chunk, start, end, bool(citable)) for row, chunk, start, end, citable in found]

    def chunk_of_sentences(self, rows: Iterable[int]) -> dict[int, int]:
        """Sentence row → chunk row."""
        return dict(self._in("SELECT row, chunk FROM sentences WHERE row IN", rows))

    def bm25(self, question: str, k: int, among: bytes | None = None) -> list[tuple[int, float]]:
        """The ``k`` best chunk rows for any word of the question, with positive BM25 scores, best first.

        Okapi BM25 as SQLite's FTS5 computes it (Robertson and Zaragoza 2009; k1 = 1.2, b = 0.75), on
        Porter stems, over the title and the text of each chunk.

        Args:
            question: its words.
            k: how many.
            among: a byte for each chunk, 1 for those that may be found; all without it. Scores are the same.
        """
        words = dict.fromkeys(stems(question))
        if not words:
            return []
        # Quoted, a word is never read as a search operator.
        match = " OR ".join(f'"{word}"' for word in list(words)[:_MAX_QUERY_WORDS])
        admitted = "" if among is None else "AND substr(?3, rowid + 1, 1) = x'01'"
        sql = f"SELECT rowid, -bm25(words) AS score FROM words WHERE words MATCH ?1 {admitted} ORDER BY score DESC, rowid LIMIT ?2"
        values = (match, k) if among is None else (match, k, among)
        return [(row, score) for row, score in self._rows(sql, values)]

    def chunks_with(self, stems: Iterable[str]) -> dict[str, int]:
        """In how many chunks each stem occurs; absent stems are left out."""
        return dict(self._in("SELECT term, doc FROM vocabulary WHERE term IN", stems))

    def _in(self, sql: str, values: Iterable[int] | Iterable[str]) -> list[tuple[Any, ...]]:
        listed = list(values)
        return self._rows(f"{sql} ({', '.join('?' * len(listed))})", listed)

    def _rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._db.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise IndexCorruptError(f"{self._path}: {error}", "Rebuild it with `rag index --rebuild`.") from error


def _document(row: Sequence[Any]) -> Document:
    values = dict(zip(_DOCUMENT_FIELDS, row, strict=True))
    for name in _AS_JSON:
        values[name] = tuple(tuple(item) for item in json.loads(values[name]))
    return Document(**values)
