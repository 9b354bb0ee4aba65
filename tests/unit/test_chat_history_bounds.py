"""The file of conversations cannot grow without end, whoever asks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.chat import history as module
from rag.chat.conversation import Exchange, new_id
from rag.chat.history import History
from rag.chat.kept import keep


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    found = History(tmp_path / "kept.sqlite", visitors=3, exchanges=10)
    yield found
    found.close()


def save(history: History, visitor: str, conversation: str, question: str = "q") -> Exchange:
    exchange = Exchange(1, question, "quote", problem="none")
    history.save(visitor, conversation, keep(exchange))
    return exchange


def test_the_visitor_who_stayed_away_longest_makes_room(history: History) -> None:
    visitors = [new_id() for _ in range(4)]
    for visitor in visitors[:3]:
        save(history, visitor, new_id())
    save(history, visitors[0], new_id(), "back again")
    save(history, visitors[3], new_id())
    assert [len(history.conversations(visitor)) for visitor in visitors] == [2, 0, 1, 1]


def test_the_oldest_exchanges_of_all_make_room(history: History) -> None:
    anna, bert, talk = new_id(), new_id(), new_id()
    for number in range(8):
        save(history, anna, talk, f"a{number}")
    for number in range(5):
        save(history, bert, new_id(), f"b{number}")
    assert [kept.question for kept in history.load(anna, talk)] == ["a3", "a4", "a5", "a6", "a7"]
    assert len(history.conversations(bert)) == 5


def test_a_growing_answer_drops_nothing(history: History) -> None:
    anna, talk = new_id(), new_id()
    exchanges = [save(history, anna, talk, f"a{number}") for number in range(10)]
    for _ in range(30):
        history.save(anna, talk, keep(exchanges[-1]))
    assert len(history.load(anna, talk)) == 10


def test_a_conversation_has_an_end(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXCHANGES_OF_ONE", 4)
    anna, talk, other = new_id(), new_id(), new_id()
    save(history, anna, other, "of another")
    for number in range(6):
        save(history, anna, talk, f"a{number}")
    assert [kept.question for kept in history.load(anna, talk)] == ["a2", "a3", "a4", "a5"]
    assert len(history.load(anna, other)) == 1
