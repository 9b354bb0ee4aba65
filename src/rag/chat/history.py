"""Conversations in one local SQLite file, so that they outlive the program; each visitor's apart from the others'."""

import contextlib
import json
import re
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rag.chat.kept import Kept, without_answer
from rag.errors import HistoryError, UsageError

CONVERSATIONS = 1000
"""Of one visitor; the one that was not gone on with for longest is dropped for another."""
EXCHANGES_OF_ONE = 1000
"""Of one conversation; the oldest is dropped for another."""
EXCHANGE_LIMIT = 1_000_000
"""Bytes of an exchange."""
TITLE_LIMIT = 80
REASON_LIMIT = 1000
TOO_LONG = "This answer was too long to be kept. Ask again to see it."

_VERSION = 1
_BUSY_SECONDS = 5.0
_REMOVED = 1000
"""Exchanges that are remembered as removed: those that may still be streaming."""
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_IDS = ("visitor", "id", "conversation")
_TEXTS = ("updated", "asked", "question", "reason", "data")
_COLUMNS = [
    "row INTEGER PRIMARY KEY",
    *(f"{name} TEXT CHECK (length({name}) IS 32 AND {name} NOT GLOB '*[^0-9a-f]*')" for name in _IDS),
    *(f"{name} TEXT CHECK (typeof({name}) = 'text')" for name in _TEXTS),
    "rating INTEGER CHECK (rating IS -1 OR rating IS 0 OR rating IS 1)",
    "UNIQUE (visitor, id)",
]
_SCHEMA = (
    f"CREATE TABLE exchanges ({', '.join(_COLUMNS)})",
    "CREATE INDEX listed ON exchanges (visitor, conversation, updated)",
    f"PRAGMA user_version = {_VERSION}",
)

_SAVE = """
INSERT INTO exchanges (visitor, conversation, updated, id, asked, question, data, rating, reason)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (visitor, id) DO UPDATE SET conversation = excluded.conversation, updated = excluded.updated,
                                        asked = excluded.asked, question = excluded.question, data = excluded.data
"""
_DROP_OLDEST = """
DELETE FROM exchanges WHERE visitor = ?1 AND conversation IN (
    SELECT conversation FROM exchanges WHERE visitor = ?1 AND conversation != ?2
    GROUP BY conversation ORDER BY MAX(updated) DESC, MAX(row) DESC LIMIT -1 OFFSET ?3)
"""
_DROP_VISITORS = """
DELETE FROM exchanges WHERE visitor IN (
    SELECT visitor FROM exchanges WHERE visitor != ?1 GROUP BY visitor ORDER BY MAX(row) DESC LIMIT -1 OFFSET ?2)
"""
_DROP_EXCHANGES = """
DELETE FROM exchanges WHERE row IN (
    SELECT row FROM exchanges ORDER BY row LIMIT MAX(0, (SELECT COUNT(*) FROM exchanges) - ?))
"""
_DROP_LONG = """
DELETE FROM exchanges WHERE visitor = ?1 AND conversation = ?2 AND row <= (
    SELECT row FROM exchanges WHERE visitor = ?1 AND conversation = ?2 ORDER BY row DESC LIMIT 1 OFFSET ?3)
"""
_LIST = """
SELECT listed.conversation, exchanges.question, listed.updated, listed.count
FROM (SELECT conversation, MAX(updated) AS updated, COUNT(*) AS count, MIN(row) AS first, MAX(row) AS last
      FROM exchanges WHERE visitor = ? GROUP BY conversation) AS listed
JOIN exchanges ON exchanges.row = listed.first
ORDER BY listed.updated DESC, listed.last DESC LIMIT ?
"""
_LOAD = """
SELECT id, asked, question, data, rating, reason FROM exchanges WHERE visitor = ? AND conversation = ? ORDER BY row
"""

_ALLOW = "Allow this program to write the file and its folder."
_REMEDIES = {
    sqlite3.SQLITE_FULL: "Make room on the disk; what was kept before is still there.",
    sqlite3.SQLITE_IOERR: "Check the disk and its free space; what was kept before is still there.",
    sqlite3.SQLITE_READONLY: _ALLOW,
    sqlite3.SQLITE_CANTOPEN: _ALLOW,
    sqlite3.SQLITE_BUSY: "Close the other program that uses the file, then try again.",
}
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""The last one says that a table or a column is missing."""
_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""The second one where a text, or even SQLite's message, shows damage."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation in a list."""

    id: str
    title: str
    """The first question, in one line."""
    updated: str
    """When it was gone on with, in UTC as ISO 8601."""
    exchanges: int


class History:
    """One connection serves all threads, one at a time; several programs can use the file at once.

    What was saved survives that the program is killed. Every call may raise a HistoryError, after which everything is as
    it was before, unless it says that a deletion was done; and a UsageError where an id is not one of 32 hexadecimal
    digits.

    Args:
        path: the file; it is made if it is missing, readable by its owner alone, and so is its folder.
        visitors: whose conversations are kept; the one who has not gone on with any for longest makes room.
        exchanges: that are kept of all visitors together; the oldest make room.

    Raises:
        HistoryError: the file is damaged, of a newer version or of another program, or cannot be written.
    """

    def __init__(self, path: Path, visitors: int = 1000, exchanges: int = 50_000) -> None:
        self._path = path
        self._visitors, self._exchanges = visitors, exchanges
        self._lock = threading.RLock()
        self._removed: deque[tuple[str, str]] = deque(maxlen=_REMOVED)
        try:
            if not path.exists():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.touch(mode=0o600)  # SQLite gives the files beside it the same mode
        except OSError as error:
            problem = f"Conversations cannot be kept in {path}: {error.strerror}"
            raise HistoryError(problem, _ALLOW) from error
        with self._errors():
            self._db = sqlite3.connect(
                path.absolute(), timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        self._db.text_factory = bytes.decode
        try:
            with self._errors():
                self._prepare()
        except HistoryError:
            self._db.close()
            raise

    def close(self) -> None:
        """Release the file."""
        with self._lock, self._errors():
            self._db.close()

    def save(self, visitor: str, conversation_id: str, kept: Kept) -> None:
        """Insert an exchange, or update it by its id; often, while its answer grows.

        Each keeps the place in its conversation that it first had. The rating of one that is there is left as it is:
        ``rate`` changes it, and a save that was prepared before must not undo that. For the same reason, an exchange
        that was removed stays so when its answer was still streaming.

        An exchange above the limit is kept with its question and a line that its answer was too long: to trim a quote
        would make it inexact, and to keep nothing would tear a hole into the conversation. Lone surrogates, which no
        page could show, become U+FFFD.
        """
        _check_ids(visitor, conversation_id, kept.id)
        data = _json(kept)
        if len(data.encode()) > EXCHANGE_LIMIT:
            data = _json(without_answer(kept, TOO_LONG))
        texts = (kept.id, kept.asked, _storable(kept.question), data, kept.rating, _storable(kept.reason))
        known = "SELECT 1 FROM exchanges WHERE visitor = ? AND conversation = ? LIMIT 1"
        with self._lock:
            if (visitor, kept.id) in self._removed:
                return
            with self._change():
                is_new = not self._rows(known, visitor, conversation_id)
                is_first_save = not self._rows("SELECT 1 FROM exchanges WHERE visitor = ? AND id = ?", visitor, kept.id)
                self._db.execute(_SAVE, (visitor, conversation_id, _now(), *texts))
                if is_new:
                    self._db.execute(_DROP_OLDEST, (visitor, conversation_id, CONVERSATIONS - 1))
                    self._db.execute(_DROP_VISITORS, (visitor, self._visitors - 1))
                if is_first_save:
                    self._db.execute(_DROP_EXCHANGES, (self._exchanges,))
                    self._db.execute(_DROP_LONG, (visitor, conversation_id, EXCHANGES_OF_ONE))

    def conversations(self, visitor: str, limit: int = 100) -> list[Listed]:
        """Those of a visitor, latest first."""
        _check_ids(visitor)
        with self._errors():
            rows = self._rows(_LIST, visitor, max(limit, 0))
        return [Listed(id, _title(question), updated, count) for id, question, updated, count in rows]

    def load(self, visitor: str, conversation_id: str) -> list[Kept]:
        """All exchanges of a conversation, oldest first; none if the visitor has no such conversation."""
        _check_ids(visitor, conversation_id)
        with self._errors():
            rows = self._rows(_LOAD, visitor, conversation_id)
        return [
            Kept(id, asked, question, _object(data), rating, reason)
            for id, asked, question, data, rating, reason in rows
        ]

    def rate(self, visitor: str, exchange_id: str, rating: int, reason: str = "") -> bool:
        """Set the rating (-1, 0 or 1) of an exchange and why; whether there is such an exchange.

        Raises:
            UsageError: another rating, or a reason that is too long.
        """
        _check_ids(visitor, exchange_id)
        if rating not in (-1, 0, 1):
            raise UsageError(f"{rating!r} is no rating", "Use -1, 0 or 1.")
        if len(reason) > REASON_LIMIT:
            raise UsageError(f"The reason has {len(reason):,} characters", f"Keep it within {REASON_LIMIT:,}.")
        sql = "UPDATE exchanges SET rating = ?, reason = ? WHERE visitor = ? AND id = ?"
        with self._change():
            return self._db.execute(sql, (int(rating), _storable(reason), visitor, exchange_id)).rowcount > 0

    def remove(self, visitor: str, exchange_id: str) -> None:
        """Delete an exchange, e.g. one that another takes the place of."""
        _check_ids(visitor, exchange_id)
        with self._lock:
            self._removed.append((visitor, exchange_id))  # it may not have been saved yet
            self._delete("visitor = ? AND id = ?", visitor, exchange_id)

    def delete(self, visitor: str, conversation_id: str) -> None:
        """Delete a conversation; no word of it stays in the file."""
        _check_ids(visitor, conversation_id)
        self._delete("visitor = ? AND conversation = ?", visitor, conversation_id)

    def delete_all(self, visitor: str) -> None:
        """Delete all conversations of a visitor."""
        _check_ids(visitor)
        self._delete("visitor = ?", visitor)

    def _delete(self, which: str, *values: str) -> None:
        with self._lock:
            with self._change():
                # Without an index: one that is damaged would hide rows, and they would stay.
                rows = f"FROM exchanges NOT INDEXED WHERE {which}"
                gone = self._rows(f"SELECT visitor, id {rows} ORDER BY row", *values)
                self._db.execute(f"DELETE {rows}", values)
            self._removed.extend(gone)
            self._wipe()

    def _wipe(self) -> None:
        """Let no deleted word stay in a file.

        ``secure_delete`` alone does not do that: where SQLite has moved rows between pages, copies stay behind in
        their gaps. ``VACUUM`` writes the file anew, and the checkpoint empties the log beside it.

        Raises:
            HistoryError: the deletion is done, and only this is not. The next deletion does it again, also when the
                program is killed here.
        """
        try:
            self._rows("VACUUM")
            busy = self._rows("PRAGMA wal_checkpoint(TRUNCATE)")[0][0]
            why = "another program is reading it" if busy else ""
        except _ERRORS as error:
            why = str(error)
        if why:
            problem = f"It is deleted, but its words may still be in {self._path}: {why}"
            raise HistoryError(problem, "Mend that; the next deletion wipes out these words too.")

    def _prepare(self) -> None:
        for setting in ("secure_delete = ON", "synchronous = NORMAL", "temp_store = MEMORY"):
            self._rows(f"PRAGMA {setting}")
        with self._change():
            version = self._rows("PRAGMA user_version")[0][0]
            tables = self._rows("SELECT name FROM sqlite_master")
            if version > _VERSION:
                problem = f"The conversations in {self._path} were kept by a newer version of this program"
                raise HistoryError(problem, f"Update the program, or {_away(self._path)}")
            if version < _VERSION and tables:
                raise HistoryError(f"{self._path} is a file of another program", _capital(_away(self._path)))
            for statement in _SCHEMA if version < _VERSION else ():
                self._db.execute(statement)
            self._rows(f"{_LOAD} LIMIT 0", "", "")
        self._write_ahead()
        verdict = self._rows("PRAGMA quick_check(1)")[0][0]
        if verdict != "ok":
            raise _damaged(self._path, verdict)
        # What a killed program deleted may still be in the log.
        self._rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def _write_ahead(self) -> None:
        """Switch to a write-ahead log. SQLite does not wait for others that do the same, so this does."""
        give_up = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                self._rows("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                    raise
                time.sleep(0.01)

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        # All at once: a statement that is not read to its end would hold the file.
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    @contextlib.contextmanager
    def _change(self) -> Iterator[None]:
        """A transaction: all of it is kept, or nothing."""
        with self._lock, self._errors(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """SQLite's errors as ours."""
        try:
            yield
        except _ERRORS as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE) & 0xFF
            if code in _DAMAGE or isinstance(error, UnicodeDecodeError):
                raise _damaged(self._path, str(error)) from error
            problem = f"The conversations in {self._path} cannot be used: {error}"
            raise HistoryError(problem, _REMEDIES.get(code, "Start the chat again.")) from error


def _damaged(path: Path, why: str) -> HistoryError:
    return HistoryError(f"The conversations in {path} are damaged: {why}", _capital(_away(path)))


def _away(path: Path) -> str:
    return f"move it away with the files {path.name}-* beside it, and start again with none."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _check_ids(*ids: str) -> None:
    for id in ids:
        if not isinstance(id, str) or not re.fullmatch("[0-9a-f]{32}", id):
            raise UsageError("This conversation cannot be found", "Reload the page.")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _storable(text: str) -> str:
    return _LONE_SURROGATE.sub("\ufffd", text)


def _json(kept: Kept) -> str:
    return _storable(json.dumps(kept.data, ensure_ascii=False))


def _object(text: str) -> dict[str, Any]:
    """A JSON object; an empty one where the text is none, which ``restore`` then says."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _title(question: str) -> str:
    line = " ".join(question.split())
    if len(line) <= TITLE_LIMIT:
        return line
    cut = line[:TITLE_LIMIT]
    whole = cut[: cut.rfind(" ")] if cut.rfind(" ") >= TITLE_LIMIT // 2 else cut[:-1]
    return f"{whole.rstrip()}…"
