"""How what waits for a model hears that nobody waits for the answer any more."""

import contextlib
import threading
from collections.abc import Iterator
from contextvars import ContextVar

LOOK_SECONDS = 0.1
"""How often what waits should look."""

_stop: ContextVar[threading.Event | None] = ContextVar("stop", default=None)


@contextlib.contextmanager
def stopped_by(event: threading.Event) -> Iterator[None]:
    """Within this block, in this thread, ``stop_wanted`` is whether the event is set."""
    before = _stop.set(event)
    try:
        yield
    finally:
        _stop.reset(before)


def stop_wanted() -> bool:
    event = _stop.get()
    return event is not None and event.is_set()
