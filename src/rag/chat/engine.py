"""What the page needs from whoever answers: the one door between the chat and the rest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from rag.filters import Filter
from rag.records import Answer, AnswerEvent, Document, Listed, Turn
from rag.settings import Mode


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """Whether questions can be answered yet."""

    state: Literal["preparing", "ready", "failed"]
    message: str = ""
    """One line for the user; when failed, with the remedy."""
    done: int = 0
    total: int = 0
    """0 when unknown."""


@dataclass(frozen=True, slots=True)
class IndexSummary:
    """What is indexed, and the models in use."""

    documents: int
    chunks: int
    sentences: int
    embedding_model: str
    writer_model: str
    publishers: tuple[str, ...] = ()
    first: str | None = None
    """Date of the oldest article that has one; ``last`` of the newest."""
    last: str | None = None
    generation: str = ""
    created: str = ""
    """When the index was built."""
    problems: tuple[tuple[str, str], ...] = ()
    """Files that could not be read, with the reason."""


@dataclass(frozen=True, slots=True)
class Choices:
    """How a visitor wants answers; ``None`` and empty values leave it to the settings."""

    mode: Mode
    writer: str = ""
    """One of ``Engine.writers``."""
    sources: int | None = None
    refuse_below: float | None = None
    filter: Filter = field(default_factory=Filter)


class Engine(Protocol):
    """Called from several threads; only ``ask``, ``suggest`` and what changes the library may take long."""

    def status(self) -> EngineStatus:
        """Asked about once a second until it is ready."""
        ...

    def ask(self, question: str, history: Sequence[Turn], choices: Choices) -> Iterator[AnswerEvent]:
        """Answer step by step; closing the iterator stops the work.

        Raises:
            RagError: the question cannot be answered; also while iterating.
        """
        ...

    def suggest(self, answer: Answer, asked: Sequence[str]) -> Iterator[str]:
        """Questions that could be asked next and would be answered, one at a time, as each is found.

        Args:
            answer: the latest.
            asked: all questions so far.
        """
        ...

    def document(self, document_id: str) -> Document:
        """The stored article.

        Raises:
            RagError: there is no such article, or the index cannot be read.
        """
        ...

    def summary(self) -> IndexSummary:
        """Asked only when ready.

        Raises:
            RagError: the index cannot be read.
        """
        ...

    def writers(self) -> Sequence[str]:
        """Models that can word answers; the first is the one of the settings."""
        ...

    def listed(self) -> Sequence[Listed]:
        """Every article of the index, newest first.

        Raises:
            RagError: the index cannot be read.
        """
        ...

    def add(self, name: str, content: bytes) -> str:
        """Put a file into the corpus folder, to be indexed by ``rebuild``; its path there.

        Raises:
            RagError: the name or the content cannot be taken.
        """
        ...

    def remove(self, path: str) -> None:
        """Delete a file of the corpus folder; it leaves the index with the next ``rebuild``.

        Raises:
            RagError: there is no such file, or it cannot be deleted.
        """
        ...

    def rebuild(self) -> None:
        """Bring the index up to date; ``status`` shows how far it is. Answers go on from the old one meanwhile.

        Raises:
            RagError: it failed; the old index stays.
        """
        ...
