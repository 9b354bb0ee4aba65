"""What the readers of all formats share: what they are given, what they give back, and how they refuse."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from rag.records import SkippedFile

MAX_DEPTH = 3
"""Containers inside containers: an archive attached to a message in an archive is the deepest that is read."""

Facts = Mapping[str, tuple[str, str]]
"""Field of a document (``title``, ``published`` …) → its value and where that was found."""


class UnreadableFileError(Exception):
    """One file cannot become a document; the message is the reason shown to the user."""


@dataclass(slots=True)
class Budget:
    """What may still be unpacked from one file of the corpus, however deep it lies in it."""

    bytes: int
    entries: int = 10_000


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of one file, or of one that was found inside another."""

    data: bytes
    path: str
    max_bytes: int
    budget: Budget
    depth: int = 0

    @classmethod
    def of_file(cls, data: bytes, path: str, max_bytes: int) -> "Content":
        return cls(data, path, max_bytes, Budget(bytes=10 * max_bytes))

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def member(self, name: str, data: bytes) -> "Content":
        """A file inside this one.

        Raises:
            UnreadableFileError: it lies too deep.
        """
        if self.depth == MAX_DEPTH:
            raise UnreadableFileError(f"nested more than {MAX_DEPTH} deep")
        return Content(data, f"{self.path}#{name}", self.max_bytes, self.budget, self.depth + 1)


@dataclass(frozen=True, slots=True)
class Article:
    """The canonical text of an article and what its format says about it."""

    path: str
    text: str
    sha256: str
    body_start: int = 0
    facts: Facts = field(default_factory=dict)
    """Stated as such by the file, so that they win over what the opening lines say."""
    hints: Facts = field(default_factory=dict)
    """Taken where neither the file nor the opening lines say it: when a PDF was made, its largest type."""
    boilerplate: tuple[tuple[int, int], ...] = ()
    anchors: tuple[tuple[int, str], ...] = ()


Found = Article | SkippedFile | Content
"""``Content`` is a file inside the one that was read; the registry reads it in turn."""

Reader = Callable[[Content], Iterator[Found]]
"""
Raises:
    UnreadableFileError: nothing, or nothing more, can be read; what was given before is kept.
"""


def facts(place: str, **values: str | None) -> dict[str, tuple[str, str]]:
    """The values that are known, all found in one place."""
    return {name: (value, place) for name, value in values.items() if value and value.strip()}


def printable(path: str) -> str:
    """``path`` with a replacement character for whatever cannot be shown."""
    return "".join(char if char.isprintable() and not "\ud800" <= char <= "\udfff" else "\ufffd" for char in path)
