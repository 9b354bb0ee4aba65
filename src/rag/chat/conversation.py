"""The state of one visitor's conversation, kept on the server; knows neither HTML nor Gradio."""

import dataclasses
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rag.records import Answer, AnswerSentence, Citation, Document, Passage, Turn
from rag.settings import Mode

QUESTION_LIMIT = 2000
"""Characters of a question."""
HISTORY_TURNS = 12
"""Latest messages that a follow-up question is read with."""
PAST_LIMIT = 50
"""Exchanges that stay on the page; older ones are dropped to bound memory."""


def new_id() -> str:
    """An id that nobody can guess: 32 hexadecimal digits."""
    return uuid.uuid4().hex


def now() -> str:
    """The time in UTC as ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(slots=True)
class Exchange:
    """A question and as much of its answer as has arrived."""

    number: int
    question: str
    mode: Mode
    id: str = field(default_factory=new_id)
    asked: str = field(default_factory=now)
    waiting: bool = True
    """Until the engine has been asked, which happens once."""
    ahead: int | None = field(default=None, compare=False)
    """How many questions are answered before this one is begun; ``None`` once it is."""
    on_stop: Callable[[], None] | None = field(default=None, compare=False)
    """Tells whoever answers that this has been stopped, or is no longer the latest."""
    standalone_question: str = ""
    filter: str = ""
    """Which articles were asked, if not all."""
    short_answer: str = ""
    citations: tuple[Citation, ...] = ()
    passages: tuple[Passage, ...] = ()
    documents: dict[str, Document] = field(default_factory=dict)
    """Articles of citations that no retrieved passage contains, to show their surroundings."""
    sentences: list[AnswerSentence] = field(default_factory=list)
    has_sources: bool = False
    answer: Answer | None = None
    problem: str = ""
    stopped: bool = False
    suggestions: tuple[str, ...] = ()
    """What could be asked next."""
    rating: int = 0
    """1 for thumbs up, -1 for thumbs down."""
    reason: str = ""
    """Why it was rated so, in the visitor's words."""

    @property
    def running(self) -> bool:
        return self.answer is None and not self.problem and not self.stopped

    def without_articles(self) -> "Exchange":
        """The same without whole articles, which would fill the memory over time; citations keep their quotes."""
        answer = dataclasses.replace(self.answer, retrieved=()) if self.answer else None
        return dataclasses.replace(self, passages=(), documents={}, answer=answer)


@dataclass(slots=True)
class Past:
    """A settled exchange, without its articles, and what the page shows of it."""

    exchange: Exchange
    html: str


@dataclass(slots=True)
class Conversation:
    """Mutable, because Stop must reach an answer that another thread is producing."""

    id: str = ""
    """Given with the first question: Gradio copies one empty conversation for every visitor."""
    past: list[Past] = field(default_factory=list)
    live: Exchange | None = None
    asked: int = 0
    visitor: str = ""
    """Whose conversations these are: an id that the browser keeps."""
    editing: bool = False
    """Whether the next question takes the place of the latest one."""
    ended: bool = False
    """Whether an answer has come to its end since the page was last shown as a whole."""
    notice: str = ""
    """To be said once, with the next whole view: what went wrong beside an answer."""

    @property
    def running(self) -> bool:
        return self.live is not None and self.live.running

    @property
    def exchanges(self) -> list[Exchange]:
        """All of them, oldest first."""
        return [*(past.exchange for past in self.past), *([self.live] if self.live else [])]

    def begin(self, question: str, mode: Mode, live_html: str) -> None:
        """Start a new exchange; ``live_html`` is how the settled one keeps being shown."""
        if self.live is not None:
            self.past = [*self.past, Past(self.live.without_articles(), live_html)][-PAST_LIMIT:]
        self._ask(question, mode)

    def retry(self, question: str, mode: Mode) -> None:
        """Ask the latest question again, or another one, in place of its answer."""
        if self.live is not None:
            self._ask(question, mode)

    def stop(self) -> None:
        if self.live is not None and self.live.running:
            self.live.stopped = True
        self._tell()

    def clear(self) -> None:
        """Begin another conversation. The number keeps counting, so that no new answer is taken for an old one."""
        self.stop()
        self.id, self.past, self.live = "", [], None

    def restore(self, id: str, past: Sequence[Past], live: Exchange | None) -> None:
        """Go on with an earlier conversation."""
        self.stop()
        self.id, self.past, self.live = id, list(past)[-PAST_LIMIT:], live

    def history(self) -> Sequence[Turn]:
        """The answered questions before the latest, newest last, bounded in number and length."""
        turns = [
            turn
            for past in self.past
            if past.exchange.answer
            for turn in (
                Turn("user", past.exchange.question),
                Turn("assistant", past.exchange.answer.text[:QUESTION_LIMIT]),
            )
        ]
        return turns[-HISTORY_TURNS:]

    def number(self) -> int:
        """One that no exchange on the page has."""
        self.asked += 1
        return self.asked

    def _ask(self, question: str, mode: Mode) -> None:
        self.id, self.visitor = self.id or new_id(), self.visitor or new_id()
        self._tell()
        self.live = Exchange(self.number(), question, mode)

    def _tell(self) -> None:
        tell = self.live.on_stop if self.live is not None else None
        if tell is not None:
            tell()
