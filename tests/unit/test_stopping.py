"""Stop reaches whatever waits for a model."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from rag import writer as module
from rag.errors import ModelError
from rag.stopping import stop_wanted, stopped_by
from rag.writer import LlamaCppWriter


class HungServer:
    """Takes a request and never says a word until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def handle_chat_completions(self, request: str, receive: Callable[[Any], bool]) -> None:
        self.let_go.wait()


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> LlamaCppWriter:
    monkeypatch.setattr(module, "_STOP_SECONDS", 0.01)
    found = object.__new__(LlamaCppWriter)
    found.name, found._repeat_penalty, found._server = "hung", 1.0, HungServer()
    return found


def test_nobody_wants_to_stop_outside_of_an_answer() -> None:
    event = threading.Event()
    assert not stop_wanted()
    with stopped_by(event):
        assert not stop_wanted()
        event.set()
        assert stop_wanted()
        with stopped_by(threading.Event()):
            assert not stop_wanted()
        assert stop_wanted()
    assert not stop_wanted()


def test_each_thread_has_its_own() -> None:
    event, seen = threading.Event(), list[bool]()
    event.set()
    with stopped_by(event):
        thread = threading.Thread(target=lambda: seen.append(stop_wanted()))
        thread.start()
        thread.join()
    assert seen == [False]


def test_stop_reaches_a_hung_writer_long_before_its_timeout(writer: LlamaCppWriter) -> None:
    event = threading.Event()
    threading.Timer(0.2, event.set).start()
    with stopped_by(event):
        assert list(writer.write([], 10, timeout=5)) == [], "at its timeout, it would raise"
    writer._server.let_go.set()


def test_a_hung_writer_is_given_up_at_its_timeout(writer: LlamaCppWriter) -> None:
    with pytest.raises(ModelError, match=r"did not answer within 0\.25 s"):
        list(writer.write([], 10, timeout=0.25))
    writer._server.let_go.set()
