"""Slow steps in a thread of their own, so that whoever waits for them can turn away at any moment."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from rag.stopping import stopped_by

GRACE_SECONDS = 2.0
"""How long work that was stopped keeps its slot, in case that it ends by itself."""

Step = TypeVar("Step")


class Work(Generic[Step]):
    """Starts at once; made inside the running loop.

    Args:
        start: gives the steps; called, like the steps, in a thread of its own.
        changed: called, in that thread, after each step and at the end.
        ended: called in that thread when it is over for good.
        given_up: called in the loop if it goes on for long after ``stop``.
    """

    def __init__(
        self,
        start: Callable[[], Iterator[Step]],
        changed: Callable[[], None],
        ended: Callable[[], None],
        given_up: Callable[[], None],
    ) -> None:
        self._start, self._changed, self._ended, self._given_up = start, changed, ended, given_up
        self._steps: deque[Step] = deque()
        self._stop = threading.Event()
        self._over = threading.Event()
        self._loop = asyncio.get_running_loop()
        self.error: Exception | None = None
        """What ended it, once ``over``."""
        # A daemon: a hung model must not keep the program from ending.
        threading.Thread(target=self._run, name="answer", daemon=True).start()

    @property
    def over(self) -> bool:
        return self._over.is_set()

    def take(self) -> list[Step]:
        """The steps since the last time."""
        taken = []
        while self._steps:
            taken.append(self._steps.popleft())
        return taken

    def stop(self) -> None:
        """Want no further step; what runs is closed at its next one, or told through ``stopping``."""
        if not self._stop.is_set():
            self._stop.set()
            self._loop.call_later(GRACE_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if not self.over:
            self._given_up()

    def _run(self) -> None:
        try:
            with stopped_by(self._stop):
                self._run_steps()
        except Exception as error:  # the reader of the steps tells the visitor
            self.error = error
        finally:
            self._over.set()
            self._ended()
            self._changed()

    def _run_steps(self) -> None:
        steps = self._start()
        try:
            for step in steps:
                if self._stop.is_set():
                    return
                self._steps.append(step)
                self._changed()
        finally:
            # Closing is how the writer learns that nobody waits for it any more.
            if callable(close := getattr(steps, "close", None)):
                close()
