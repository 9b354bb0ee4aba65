"""The state of one visitor's conversation, kept on the server; knows neither HTML nor Gradio."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rag.records import Answer, AnswerSentence, Citation, Document, Passage, Turn
from rag.settings import Mode

QUESTION_LIMIT = 2000
"""Characters of a question."""
HISTORY_TURNS = 12
"""Latest messages that a follow-up question is read with."""
PAST_LIMIT = 50
"""Exchanges that stay on the page; older ones are dropped to bound memory."""


@dataclass(slots=True)
class Exchange:
    """A question and as much of its answer as has arrived."""

    number: int
    question: str
    mode: Mode
    waiting: bool = True
    """Until the engine has been asked, which happens once."""
    standalone_question: str = ""
    citations: tuple[Citation, ...] = ()
    passages: tuple[Passage, ...] = ()
    documents: dict[str, Document] = field(default_factory=dict)
    """Articles of citations that no retrieved passage contains, to show their surroundings."""
    sentences: list[AnswerSentence] = field(default_factory=list)
    has_sources: bool = False
    answer: Answer | None = None
    problem: str = ""
    stopped: bool = False

    @property
    def running(self) -> bool:
        return self.answer is None and not self.problem and not self.stopped


@dataclass(frozen=True, slots=True)
class Past:
    """A settled exchange: what the page shows, without the records it was made from."""

    question: str
    answer: str
    """Empty when the question was not answered to the end."""
    html: str


@dataclass(slots=True)
class Conversation:
    """Mutable, because Stop must reach an answer that another thread is producing."""

    past: list[Past] = field(default_factory=list)
    live: Exchange | None = None
    asked: int = 0

    @property
    def running(self) -> bool:
        return self.live is not None and self.live.running

    def begin(self, question: str, mode: Mode, live_html: str) -> None:
        """Start a new exchange; ``live_html`` is how the settled one keeps being shown."""
        if self.live is not None:
            answer = self.live.answer.text if self.live.answer else ""
            self.past = [*self.past, Past(self.live.question, answer, live_html)][-PAST_LIMIT:]
        self._ask(question, mode)

    def retry(self, mode: Mode) -> None:
        """Ask the latest question again, in place of its answer."""
        if self.live is not None:
            self._ask(self.live.question, mode)

    def stop(self) -> None:
        if self.live is not None and self.live.running:
            self.live.stopped = True

    def clear(self) -> None:
        # The number keeps counting, so that the browser never takes a new answer for an old one.
        self.stop()
        self.past, self.live = [], None

    def history(self) -> Sequence[Turn]:
        """The answered questions before the latest, newest last, bounded in number and length."""
        turns = [
            turn
            for past in self.past
            if past.answer
            for turn in (Turn("user", past.question), Turn("assistant", past.answer[:QUESTION_LIMIT]))
        ]
        return turns[-HISTORY_TURNS:]

    def _ask(self, question: str, mode: Mode) -> None:
        self.asked += 1
        self.live = Exchange(self.asked, question, mode)
