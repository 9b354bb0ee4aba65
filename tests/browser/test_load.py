"""Many visitors at once, over the page's own protocol. ``benchmarks/load.py`` is the same with large numbers."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from served import served
from visiting import chat_client, load, stub_engine, visit

pytestmark = pytest.mark.browser


def stub(**options: Any) -> Any:
    return stub_engine.StubEngine(**{"tokens": 100, "rate": 1000.0} | options)


def test_visitors_at_once_all_get_their_own_answer() -> None:
    with served(stub(), answers_at_once=30, requests_per_minute=100_000) as running, ThreadPoolExecutor(1) as thread:
        asking = load.load(running.address, ["What is said?"], 30, "burst", 1, 60)
        replies = thread.submit(asyncio.run, asking).result()
    assert [reply.error for reply in replies] == [""] * 30
    for number, reply in enumerate(replies):
        assert f"What is said? ({number})" in reply.html
        assert "(stub)" not in reply.html
        assert reply.html.count('class="sentence"') == 5


def test_one_answer_at_a_time_in_the_order_of_asking() -> None:
    order: list[str] = []

    class Noting(type(stub())):  # type: ignore[misc]
        def ask(self, question: str, *rest: Any) -> Any:
            order.append(question)
            yield from super().ask(question, *rest)
            order.append(f"end of {question}")

    async def several(new: Callable[[], Any]) -> list[Any]:
        asking = []
        for number in range(4):
            asking.append(asyncio.create_task(new().ask(f"q{number}")))
            while sum(not line.startswith("end") for line in order) + running_line() < number + 1:
                await asyncio.sleep(0.01)
        return list(await asyncio.gather(*asking))

    engine = Noting(tokens=100, rate=200.0)
    with served(engine) as running:
        slots = running.server._slots

        def running_line() -> int:
            return int(slots.waiting)

        replies = visit(running.address, several)
    assert [reply.error for reply in replies] == [""] * 4
    assert order == [line for number in range(4) for line in (f"q{number}", f"end of q{number}")]
    assert "2 ahead of you" in replies[3].ahead
    assert "You are next" in replies[3].ahead


def test_the_33rd_that_would_wait_is_told_at_once() -> None:
    engine = Hanging()

    async def many(new: Callable[[], Any]) -> tuple[list[Any], Any]:
        asking = [asyncio.create_task(new().ask(f"q{number}")) for number in range(33)]
        while slots.waiting < 32:
            await asyncio.sleep(0.01)
        too_late = await new().ask("one more")
        engine.go_on.set()
        return list(await asyncio.gather(*asking)), too_late

    with served(engine, requests_per_minute=100_000) as running:
        slots = running.server._slots
        replies, too_late = visit(running.address, many, 60)
    assert "32 questions are waiting for an answer already" in too_late.error
    assert "Please retry in a minute" in too_late.error
    assert [reply.error for reply in replies] == [""] * 33
    assert any("31 ahead of you" in reply.ahead for reply in replies)


def test_a_few_hundred_chats_leave_little_behind(tmp_path: Path) -> None:
    """10,000 of them: ``benchmarks/load.py --soak 10000``. Counted here are the things that could grow."""
    with served(stub(rate=0), answers_at_once=4, requests_per_minute=1_000_000) as running:
        blocks = running.blocks()

        async def some(new: Callable[[], Any]) -> list[Any]:
            return [await new().ask(f"q{number}") for number in range(60)]

        replies = visit(running.address, some, 120)
        queue = blocks._queue
        assert [reply.error for reply in replies] == [""] * 60
        assert queue.event_ids_to_events == {}
        assert len(queue.event_analytics) <= 1
        assert sum(map(len, queue.pending_event_ids_session.values())) == 0
        assert blocks.app.iterators == {}
        assert blocks.pending_diff_streams == {} or not any(blocks.pending_diff_streams.values())
        assert running.server._slots.answering == 0


class Hanging(type(stub())):  # type: ignore[misc]
    """Answers nothing until it is let."""

    def __init__(self) -> None:
        super().__init__(tokens=20, rate=0)
        self.go_on = threading.Event()

    def ask(self, *asked: Any) -> Any:
        assert self.go_on.wait(60)
        yield from super().ask(*asked)


def test_percentiles_are_those_of_the_nearest_rank() -> None:
    assert load.percentiles(range(1, 101)) == {"p50": 50, "p95": 95, "p99": 99}
    assert load.percentiles([7.0]) == {"p50": 7.0, "p95": 7.0, "p99": 7.0}
    assert load.percentiles([]) == {}


def test_the_client_finds_what_is_wrong_with_an_answer() -> None:
    whole = '<div aria-busy="false">q<div class="foot"></div></div>'
    assert chat_client._fault(whole, "q") == ""
    assert chat_client._fault(whole, "another") == "the answer of another question"
    assert "not complete" in chat_client._fault(whole.replace("false", "true"), "q")
    assert chat_client._fault('<p class="problem" role="alert">No.</p>', "q") == "No."
