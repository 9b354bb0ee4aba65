"""How an answer comes about while its visitor looks on: waiting in line, the engine's events, stopping, keeping.

Runs in the server's loop and never waits there: the engine works in a thread of its own, the disk in another. So Stop, a
lost connection and a time limit take effect at once, whatever the engine is doing.
"""

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from rag.chat.conversation import Conversation, Exchange
from rag.chat.engine import Choices, Engine
from rag.chat.history import History
from rag.chat.kept import keep
from rag.chat.observing import Observer
from rag.chat.render import holds
from rag.chat.slots import Bell, Slots, Ticket
from rag.chat.work import Step, Work
from rag.errors import RagError
from rag.records import AnswerEvent, AnswerReady, Citation, Passage, SentenceReady, SourcesReady, Turn

MOST_SUGGESTIONS = 3
SHOW_SECONDS = 0.2
"""Least time between two views of a growing answer: more often is more than a reader sees."""
SHOW_SECONDS_EACH = 0.01
"""The same for each answer that grows at the same time: drawing them must not hold up the server."""
KEEP_SECONDS = 1.0
"""Least time between two writes of a growing answer."""
TICK_SECONDS = 1.0
"""Most time between two signs of life, by which a visitor who has left is noticed."""

UNEXPECTED = "Something went wrong while answering. The log of the server has the details; you can retry."
UNFINISHED = "The answer ended before it was complete. You can retry."
HANGING = "The models do not answer any more. Whoever runs this chat has to start it again."
CLOSED = "The chat is being stopped. Ask again once it runs."
_log = logging.getLogger(__name__)


class Answers:
    """One for the program; each visitor's conversation is passed in.

    Args:
        engine: answers.
        kept: where conversations are kept.
        slots: how many are answered and wait at once.
        observer: is told how it goes.
        timeout: seconds that an answer may take once it is its turn.
    """

    def __init__(self, engine: Engine, kept: History, slots: Slots, observer: Observer, timeout: float) -> None:
        self.slots = slots
        self._engine = engine
        self._kept = kept
        self._observer = observer
        self._timeout = timeout
        # One thread: the database takes one writer at a time.
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="history")

    def refusal(self) -> str:
        """Why no question can be taken now; nothing if one can."""
        if self.slots.closed:
            return CLOSED
        if self.slots.hanging:
            return HANGING
        if self.slots.full:
            self._observer.refused("full")
            return f"{self.slots.waiting} questions are waiting for an answer already. Please retry in a minute."
        return ""

    async def answer(self, state: Conversation, exchange: Exchange, choices: Choices) -> AsyncGenerator[None]:
        """Answer the exchange, the latest of its conversation; each step is something to show, or a sign of life.

        Closing this ends the work. Whatever happens, the exchange ends as answered, stopped or with a problem, and the
        slot is given back.
        """
        bell = Bell()
        refusal = self.refusal()
        ticket = None if refusal else self.slots.enter(bell.ring)
        if ticket is None:
            exchange.problem = refusal or self.refusal() or UNFINISHED
            yield
            return
        exchange.on_stop = bell.ring
        work: Work[AnswerEvent] | None = None
        with self._observer.answering(exchange) as seen:
            try:
                while exchange.running and not ticket.called:
                    exchange.ahead = self.slots.ahead(ticket)
                    exchange.problem = CLOSED if self.slots.closed else ""
                    yield
                    await bell.wait(TICK_SECONDS)
                exchange.ahead = None
                if exchange.running and self.slots.hanging:
                    exchange.problem = HANGING
                if exchange.running:
                    seen.begins()
                    ask = functools.partial(self._ask, exchange, state.history(), choices)
                    work = self._start(ask, exchange, bell, ticket)
                    async with contextlib.aclosing(self._follow(work, exchange, state, bell)) as steps:
                        async for _ in steps:
                            seen.shown()
                            yield
                state.notice = await asyncio.wrap_future(self._save(exchange, state))
                seen.shown()
                yield
            except (GeneratorExit, asyncio.CancelledError):
                # The visitor has left, or lost the connection.
                if exchange.running:
                    exchange.stopped = True
                    self._save(exchange, state)
                raise
            finally:
                exchange.on_stop = None
                if work is None:
                    self.slots.leave(ticket)
                else:
                    work.stop()

    async def suggest(self, state: Conversation, exchange: Exchange) -> AsyncGenerator[None]:
        """Offer what could be asked next: only where a slot is free, and never in the way of another question."""
        bell = Bell()
        ticket = self.slots.enter_if_free(bell.ring) if exchange.answer and not exchange.suggestions else None
        if exchange.answer is None or ticket is None:
            return
        asked = [item.question for item in state.exchanges]
        exchange.on_stop = bell.ring
        work = self._start(functools.partial(self._engine.suggest, exchange.answer, asked), exchange, bell, ticket)
        try:
            over = False
            while state.live is exchange and len(exchange.suggestions) < MOST_SUGGESTIONS and not over:
                over = work.over  # looked at first: the steps before it are then all there
                exchange.suggestions = (*exchange.suggestions, *work.take())[:MOST_SUGGESTIONS]
                yield
                if self.slots.waiting:
                    break
                if not over:
                    await bell.wait(TICK_SECONDS)
            if over and work.error and not isinstance(work.error, RagError):
                _log.error("Suggesting failed", exc_info=work.error, extra={"request": exchange.id})
            if exchange.suggestions and state.live is exchange:
                await asyncio.wrap_future(self._save(exchange, state))
        finally:
            exchange.on_stop = None
            work.stop()

    def flush(self) -> None:
        """Wait until everything so far is written."""
        self._disk.submit(lambda: None).result()

    def _start(self, steps: Callable[[], Iterator[Step]], exchange: Exchange, bell: Bell, ticket: Ticket) -> Work[Step]:
        def lost() -> None:
            _log.error("An answer hangs; its slot is free again", extra={"request": exchange.id})
            self.slots.lose(ticket)

        return Work(steps, bell.ring, lambda: self.slots.leave(ticket), lost)

    def _ask(self, exchange: Exchange, history: Sequence[Turn], choices: Choices) -> Iterator[AnswerEvent]:
        return self._observer.traced(self._engine.ask(exchange.question, history, choices), exchange.id)

    async def _follow(
        self, work: Work[AnswerEvent], exchange: Exchange, state: Conversation, bell: Bell
    ) -> AsyncGenerator[None]:
        """Take in steps until the answer is complete, stopped or lost."""
        gives_up = time.monotonic() + self._timeout
        kept_at, shown_at = 0.0, time.monotonic()
        while exchange.running:
            over = work.over  # looked at first: the steps before it are then all there
            steps = work.take()
            for step in steps:
                self._take(exchange, step)
            now = time.monotonic()
            if exchange.answer is None and over:
                exchange.problem = self._problem(work.error, exchange)
            elif exchange.answer is None and now >= gives_up:
                exchange.problem = f"The answer took longer than {self._timeout:g} s and was given up. You can retry."
                _log.warning("An answer was given up after %g s", self._timeout, extra={"request": exchange.id})
            if not exchange.running:
                return
            if steps and now - kept_at >= KEEP_SECONDS:
                kept_at = now
                self._save(exchange, state)
            if steps or now - shown_at >= TICK_SECONDS:
                yield
                shown_at = time.monotonic()
            await bell.wait(min(TICK_SECONDS, max(0.0, gives_up - time.monotonic())))
            # The sources and the first sentence are shown at once, and so is the end.
            if exchange.sentences and exchange.running and not work.over:
                pause = max(SHOW_SECONDS, SHOW_SECONDS_EACH * self.slots.answering)
                await asyncio.sleep(max(0.0, shown_at + pause - time.monotonic()))

    def _problem(self, error: Exception | None, exchange: Exchange) -> str:
        if error is None:
            return UNFINISHED
        if isinstance(error, RagError):
            return str(error)
        _log.error("Answering failed", exc_info=error, extra={"request": exchange.id})
        return UNEXPECTED

    def _take(self, exchange: Exchange, step: AnswerEvent) -> None:
        match step:
            case SourcesReady():
                exchange.standalone_question = step.standalone_question
                exchange.filter, exchange.short_answer = step.filter, step.short_answer or ""
                self._take_sources(exchange, step.citations, step.passages)
            case SentenceReady():
                exchange.sentences.append(step.sentence)
            case AnswerReady():
                answer = step.answer
                known = {citation.number: citation for citation in (*exchange.citations, *answer.citations)}
                exchange.standalone_question = answer.standalone_question
                exchange.filter, exchange.short_answer = answer.filter, answer.short_answer or ""
                self._take_sources(exchange, [known[number] for number in sorted(known)], answer.retrieved)
                exchange.answer = answer

    def _take_sources(self, exchange: Exchange, citations: Sequence[Citation], passages: Sequence[Passage]) -> None:
        exchange.citations, exchange.passages, exchange.has_sources = tuple(citations), tuple(passages), True
        for citation in citations:
            if citation.document in exchange.documents or any(holds(passage, citation) for passage in passages):
                continue
            try:
                exchange.documents[citation.document] = self._engine.document(citation.document)
            except RagError:
                # The quote stands on its own; only its surroundings are missing.
                _log.warning("No surroundings for citation %d", citation.number, exc_info=True)

    def _save(self, exchange: Exchange, state: Conversation) -> Future[str]:
        return self._disk.submit(keeping, self._kept.save, state.visitor, state.id, keep(exchange))


def keeping(do: Callable[..., object], *arguments: object) -> str:
    """Do something with the kept conversations; a failure is told, and costs no answer."""
    try:
        do(*arguments)
    except RagError as error:
        _log.warning("Conversations: %s", error)
        return str(error)
    return ""
