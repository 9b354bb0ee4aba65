"""Who is answered now and who waits: a bounded line in front of a bounded number of answers."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable

MOST_LOST = 8
"""Answers that may hang at once, given up by their visitors; with more, no question is taken any more."""


class Ticket:
    """A place in the line, later a slot. ``moved`` is called, in any thread, whenever the line has moved."""

    def __init__(self, moved: Callable[[], None]) -> None:
        self.moved = moved
        self.called = False
        """Whether it is this one's turn."""


class Slots:
    """First come, first served; may be used from all threads.

    Args:
        at_once: answers at the same time.
        waiting: questions that wait for one of these; more are not taken.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self.at_once = at_once
        self.most_waiting = waiting
        self._lock = threading.Lock()
        self._line: deque[Ticket] = deque()
        self._answering: set[Ticket] = set()
        self._lost: set[Ticket] = set()
        self.closed = False
        """Whether no question is begun any more, because the program is about to end."""

    @property
    def waiting(self) -> int:
        return len(self._line)

    @property
    def answering(self) -> int:
        return len(self._answering)

    @property
    def full(self) -> bool:
        return len(self._answering) >= self.at_once and len(self._line) >= self.most_waiting

    @property
    def hanging(self) -> bool:
        """Whether so many answers hang that another one would only join them."""
        return len(self._lost) >= MOST_LOST

    def enter(self, moved: Callable[[], None]) -> Ticket | None:
        """Join the line, or go straight to a free slot; ``None`` if it is full. Must be followed by ``leave``."""
        with self._lock:
            if self.full:
                return None
            ticket = Ticket(moved)
            self._line.append(ticket)
            self._call_next()
            return ticket

    def enter_if_free(self, moved: Callable[[], None]) -> Ticket | None:
        """A slot that nobody waits for, or ``None``. Must be followed by ``leave``."""
        with self._lock:
            if self._line or len(self._answering) >= self.at_once:
                return None
            ticket = Ticket(moved)
            self._line.append(ticket)
            self._call_next()
            return ticket

    def ahead(self, ticket: Ticket) -> int:
        """How many wait before this one."""
        with self._lock:
            return self._line.index(ticket) if ticket in self._line else 0

    def close(self) -> None:
        """Begin nothing any more; those that wait are told."""
        with self._lock:
            self.closed = True
            told = [*self._line]
        for ticket in told:
            ticket.moved()

    def leave(self, ticket: Ticket) -> None:
        """Give up the place or the slot; once more changes nothing."""
        self._remove(ticket, lost=False)

    def lose(self, ticket: Ticket) -> None:
        """Free the slot although the work in it goes on, until ``leave`` says that it has ended."""
        self._remove(ticket, lost=True)

    def _remove(self, ticket: Ticket, *, lost: bool) -> None:
        with self._lock:
            if lost and ticket in self._answering:
                self._lost.add(ticket)
            elif not lost:
                self._lost.discard(ticket)
            self._answering.discard(ticket)
            with contextlib.suppress(ValueError):
                self._line.remove(ticket)
            self._call_next()
            told = [*self._line]
        for other in told:
            other.moved()

    def _call_next(self) -> None:
        while self._line and len(self._answering) < self.at_once and not self.closed:
            ticket = self._line.popleft()
            self._answering.add(ticket)
            ticket.called = True
            ticket.moved()


class Bell:
    """Wakes one coroutine from any thread; made inside the running loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()

    def ring(self) -> None:
        # A closed loop has nobody left to wake.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._rung.set)

    async def wait(self, seconds: float) -> None:
        """Until it rings, at most so long; a ring since the last wait counts."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), seconds)
        self._rung.clear()
