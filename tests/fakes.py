"""Stand-ins for the three models: small, exact and repeatable, so that unit tests need no model file."""

import asyncio
import hashlib
import re
import threading
from collections.abc import Callable, Coroutine, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from rag.embedding import Vectors
from rag.errors import ModelError
from rag.reading import Reading
from rag.sentences import split_sentences
from rag.wording import FUNCTION_WORDS, content_stems, stem, stems, tokens

INDEX_FILES = ("chunks-000001.faiss", "sentences-000001.f16", "store.sqlite")
"""Files of a generation with one part, without the manifest."""


class BagOfWordsEmbedder:
    """Texts that share words are near each other; equal texts have equal vectors.

    Args:
        name: other names have other weights, and therefore other vectors.
        max_tokens: as of the real model.
    """

    def __init__(self, name: str = "bag-of-words", max_tokens: int = 256) -> None:
        self.name = name
        self.sha256 = hashlib.sha256(name.encode()).hexdigest()
        self.dimension = 64
        self.max_tokens = max_tokens
        self.embedded: list[str] = []
        """Every text embedded so far, in order."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(tokens(text)) for text in texts]

    def embed(self, texts: Sequence[str], progress: Callable[[int, int], None] | None = None) -> Vectors:
        self.embedded += texts
        if progress and texts:
            progress(len(texts), len(texts))
        return np.stack([self._vector(text) for text in texts]) if texts else np.zeros((0, self.dimension), np.float32)

    def _vector(self, text: str) -> Vectors:
        vector = np.zeros(self.dimension, np.float32)
        for word in content_stems(text) or stems(text):
            digest = hashlib.sha256(f"{self.name} {word}".encode()).digest()
            vector[digest[0] % self.dimension] += 1
            vector[digest[1] % self.dimension] += 1
        vector[0] += 0.01  # a text without words has a direction too
        return vector / np.linalg.norm(vector)


class FakeReader:
    """Points into the shortest of the sentences that share most words with the question.

    Args:
        answers: spans to point at where they occur in that sentence. Without one, the answer is its first word
            that is not in the question, numbers first.
    """

    def __init__(self, answers: Sequence[str] = ()) -> None:
        self.answers = answers
        self.asked: list[tuple[str, list[tuple[str, str]]]] = []
        """Every question with its passages, in order."""

    def read(self, question: str, passages: Sequence[tuple[str, str]]) -> list[Reading | None]:
        self.asked.append((question, list(passages)))
        return [self._read(question, text) for _, text in passages]

    def _read(self, question: str, text: str) -> Reading | None:
        offsets = tuple(match.span() for match in re.finditer(r"\S+", text))
        sentences = split_sentences(text)
        if not offsets or not sentences:
            return None
        wanted = set(content_stems(question))

        def shared(start: int, end: int) -> int:
            return len(wanted.intersection(content_stems(text[start:end])))

        best = min(sentences, key=lambda found: (-shared(found.start, found.end), found.end - found.start))
        overlap = shared(best.start, best.end)
        start, end = self._span(text, best.start, best.end, wanted)
        margin = 6.0 * overlap / len(wanted) if overlap else -6.0
        here = 1 / (1 + np.exp(-margin))
        (chosen,) = (row for row, (a, b) in enumerate(offsets) if a <= start < b)
        mass = np.full(len(offsets), 0.1 * here / len(offsets))
        mass[chosen] += 0.9 * here
        last = max(row for row, (a, b) in enumerate(offsets) if a < end)
        starts, ends = (np.where(np.arange(len(offsets)) == row, 9.0, 0.0) for row in (chosen, last))
        return Reading(start, end, margin, starts, ends, mass, offsets)

    def _span(self, text: str, start: int, end: int, wanted: set[str]) -> tuple[int, int]:
        for answer in self.answers:
            found = text.find(answer, start, end)
            if found >= 0:
                return found, found + len(answer)
        words = [match.span() for match in re.compile(r"[^\W_]+").finditer(text, start, end)]
        fresh = [(a, b) for a, b in words if not _is_known(text[a:b].lower(), wanted)]
        numbers = [(a, b) for a, b in fresh if text[a:b].isdigit()]
        return next(iter(numbers + fresh + words), (start, end))


class ScriptedWriter:
    """Writes what it is told to write.

    Args:
        pieces: the stream of every call.
        turns: streams of the first calls, one after the other; ``pieces`` follow.
        error: raised after the pieces.
        hang: after the pieces, wait until ``release`` is set or the time is up, as a model that has hung.
    """

    def __init__(
        self,
        pieces: Sequence[str] = (),
        *,
        turns: Sequence[Sequence[str]] = (),
        error: ModelError | None = None,
        hang: bool = False,
        name: str = "scripted",
    ) -> None:
        self.name = name
        self.release = threading.Event()
        self.requests: list[list[dict[str, str]]] = []
        """The messages of every call."""
        self.limits: list[tuple[int, float]] = []
        """``max_tokens`` and ``timeout`` of every call."""
        self.grammars: list[str] = []
        self.given = 0
        """Pieces taken from all streams so far."""
        self.closed = 0
        """Streams closed before their end."""
        self._pieces, self._turns, self._error, self._hang = pieces, list(turns), error, hang

    def write(
        self, messages: Sequence[dict[str, str]], max_tokens: int, timeout: float, grammar: str = ""
    ) -> Generator[str]:
        self.requests.append(list(messages))
        self.limits.append((max_tokens, timeout))
        self.grammars.append(grammar)
        return self._stream(self._turns.pop(0) if self._turns else self._pieces, timeout)

    def _stream(self, pieces: Sequence[str], timeout: float) -> Generator[str]:
        try:
            for piece in pieces:
                self.given += 1
                yield piece
            if self._hang and not self.release.wait(timeout):
                raise ModelError(f"The writer model {self.name} did not answer within {timeout:g} s", "Wait longer.")
            if self._error is not None:
                raise self._error
        except GeneratorExit:
            self.closed += 1
            raise


def _is_known(word: str, wanted: set[str]) -> bool:
    return word in FUNCTION_WORDS or stem(word) in wanted


def in_its_own_loop(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end in a thread of its own: the browser tests leave a loop running in the main one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()
