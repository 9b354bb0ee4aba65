"""An engine for load tests: real records and the pace of a writer, but no model."""

import time
from collections.abc import Iterator, Sequence

from rag.chat.engine import Choices, EngineStatus, IndexSummary
from rag.errors import CorpusError
from rag.records import (
    Answer,
    AnswerEvent,
    AnswerReady,
    AnswerSentence,
    Citation,
    Document,
    Passage,
    SentenceReady,
    SourcesReady,
    Turn,
)
from rag.store import Listed

_TOKENS_OF_SENTENCE = 20
_SOURCES = 3


class StubEngine:
    """Answers every question in sentences of 20 tokens, each citing one of three sources.

    Args:
        tokens: of an answer.
        rate: tokens a second; 0 for as fast as possible.
        search_seconds: until the sources are there.
    """

    def __init__(self, tokens: int = 500, rate: float = 100.0, search_seconds: float = 0.05) -> None:
        self._sentences = max(1, tokens // _TOKENS_OF_SENTENCE)
        self._pause = _TOKENS_OF_SENTENCE / rate if rate else 0.0
        self._search_seconds = search_seconds if rate else 0.0
        self._articles = [_article(number) for number in range(1, _SOURCES + 1)]

    @property
    def ideal_seconds(self) -> float:
        """What an answer takes when nobody else asks."""
        return self._search_seconds + self._sentences * self._pause

    def status(self) -> EngineStatus:
        return EngineStatus("ready")

    def summary(self) -> IndexSummary:
        return IndexSummary(_SOURCES, _SOURCES, _SOURCES, "none", "stub", generation="gen-000001")

    def writers(self) -> Sequence[str]:
        return ["stub"]

    def suggest(self, answer: Answer, asked: Sequence[str]) -> Iterator[str]:
        yield from ()

    def document(self, document_id: str) -> Document:
        for article in self._articles:
            if article.id == document_id:
                return article
        raise CorpusError(f"There is no article {document_id!r}", "Open the library.")

    def listed(self) -> Sequence[Listed]:
        return []

    def add(self, name: str, content: bytes) -> str:
        raise CorpusError("The stub takes no articles", "Use the real engine.")

    def remove(self, path: str) -> None:
        raise CorpusError("The stub has no files", "Use the real engine.")

    def rebuild(self) -> None:
        return

    def ask(self, question: str, history: Sequence[Turn], choices: Choices) -> Iterator[AnswerEvent]:
        citations = tuple(_citation(number, article) for number, article in enumerate(self._articles, 1))
        passages = tuple(
            Passage(number, article, 0, len(article.text), 0.9) for number, article in enumerate(self._articles, 1)
        )
        time.sleep(self._search_seconds)
        yield SourcesReady(question, citations, passages, None, "")
        sentences = []
        for number in range(self._sentences):
            time.sleep(self._pause)
            words = " ".join(f"word{number}.{place}" for place in range(_TOKENS_OF_SENTENCE - 1))
            sentences.append(AnswerSentence(f"{words} end.", "supported", (number % _SOURCES + 1,)))
            yield SentenceReady(sentences[-1])
        yield AnswerReady(
            Answer(
                question=question,
                standalone_question=question,
                short_answer=None,
                refused=False,
                confidence=0.9,
                text=" ".join(sentence.text for sentence in sentences),
                sentences=tuple(sentences),
                citations=citations,
                retrieved=passages,
                seconds={"total": self.ideal_seconds},
                model="stub",
                generation="gen-000001",
            )
        )


def _article(number: int) -> Document:
    text = f"Article {number} opens with a sentence. " + f"It goes on about the matter {number} at length. " * 40
    return Document(f"stub-{number}", f"stub-{number}.md", text, 0, "0" * 64, f"Article {number}")


def _citation(number: int, article: Document) -> Citation:
    quote = article.text[: article.text.index(".") + 1]
    return Citation(
        number, article.id, article.title, article.path, article.url, article.publisher, article.published,
        0, len(quote), quote,
    )  # fmt: skip
