"""What the page needs from whoever answers: the one door between the chat and the rest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from rag.records import AnswerEvent, Document, Turn
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


class Engine(Protocol):
    """Called from several threads; only ``ask`` may take long."""

    def status(self) -> EngineStatus:
        """Asked about once a second until it is ready."""
        ...

    def ask(self, question: str, history: Sequence[Turn], mode: Mode) -> Iterator[AnswerEvent]:
        """Answer step by step; closing the iterator stops the work.

        Raises:
            RagError: the question cannot be answered; also while iterating.
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
