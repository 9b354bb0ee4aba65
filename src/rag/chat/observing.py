"""What can be known of a running chat from outside: log lines, figures, traces. No word of a question is in any."""

import contextlib
import logging
import time
from collections.abc import Generator, Iterator
from typing import Protocol

from opentelemetry import trace

from rag.chat.conversation import Exchange
from rag.records import AnswerEvent, AnswerReady, SourcesReady

_log = logging.getLogger(__name__)


class Figures(Protocol):
    """Where times and counts go; see ``figures``."""

    def answered(self, outcome: str, seconds: dict[str, float]) -> None: ...

    def refused(self, reason: str) -> None: ...


class Seen:
    """When what was seen of one answer; seconds since the question was taken."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._began = time.monotonic()
        self.seconds: dict[str, float] = {}

    def begins(self) -> None:
        """Its turn has come."""
        self._note("wait", True)

    def shown(self) -> None:
        """The page is about to show the answer as it is now."""
        self._note("sources", self._exchange.has_sources)
        self._note("first_sentence", bool(self._exchange.sentences) or self._exchange.answer is not None)
        self._note("end", not self._exchange.running)

    def _note(self, name: str, reached: bool) -> None:
        if reached and name not in self.seconds:
            self.seconds[name] = round(time.monotonic() - self._began, 3)


class Observer:
    """One for the program.

    Args:
        figures: told of every answer and refusal, if there is one.
        tracer: makes the spans; by default those of OpenTelemetry's API, which go nowhere unless an SDK is set up.
    """

    def __init__(self, figures: Figures | None = None, tracer: trace.Tracer | None = None) -> None:
        self._figures = figures
        self._tracer = tracer or trace.get_tracer("rag")

    @contextlib.contextmanager
    def answering(self, exchange: Exchange) -> Iterator[Seen]:
        """Around an answer, from the question to its end."""
        seen = Seen(exchange)
        left = True
        try:
            yield seen
            left = False
        finally:
            outcome = "left" if left and exchange.answer is None else _outcome(exchange)
            answer = exchange.answer
            known = {"request": exchange.id, "outcome": outcome, "seconds": seen.seconds, "mode": exchange.mode}
            _log.info("answer", extra=known | ({"generation": answer.generation} if answer else {}))
            if self._figures is not None:
                self._figures.answered(outcome, seen.seconds)

    def refused(self, reason: str) -> None:
        """A request was refused: one word that says why."""
        if self._figures is not None:
            self._figures.refused(reason)

    def traced(self, events: Iterator[AnswerEvent], id: str) -> Generator[AnswerEvent]:
        """The same events, with a span around them and one for each step of which the answer tells how long it took."""
        began = time.time_ns()
        found = 0
        span = self._tracer.start_span("rag.ask", attributes={"rag.request": id}, start_time=began)
        try:
            for event in events:
                if isinstance(event, SourcesReady):
                    found = time.time_ns()
                elif isinstance(event, AnswerReady):
                    self._trace_steps(span, event, began, found or began)
                yield event
        except Exception as error:
            span.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise
        finally:
            if callable(close := getattr(events, "close", None)):
                close()
            span.end()

    def _trace_steps(self, span: trace.Span, event: AnswerReady, began: int, found: int) -> None:
        answer = event.answer
        retrieved = began + int(1e9 * answer.seconds.get("retrieve", 0.0))
        within = trace.set_span_in_context(span)
        for name, start, end in (
            ("rag.retrieve", began, retrieved),
            ("rag.read", retrieved, max(retrieved, found)),
            ("rag.write", found, time.time_ns()),
        ):
            self._tracer.start_span(name, within, start_time=start).end(end_time=end)
        span.set_attribute("rag.refused", answer.refused)
        span.set_attribute("rag.generation", answer.generation)


def _outcome(exchange: Exchange) -> str:
    if exchange.problem:
        return "problem"
    if exchange.answer is None:
        return "stopped"
    return "refused" if exchange.answer.refused else "answered"
