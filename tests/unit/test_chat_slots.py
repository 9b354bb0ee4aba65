"""The line in front of the models: its order, its bound, and that nothing is ever left in it."""

import asyncio
import threading

from hypothesis import given
from hypothesis import strategies as st

from fakes import in_its_own_loop
from rag.chat.slots import MOST_LOST, Bell, Slots, Ticket


def enter(slots: Slots) -> Ticket:
    ticket = slots.enter(lambda: None)
    assert ticket is not None
    return ticket


def test_first_come_first_served() -> None:
    slots = Slots(1, 3)
    first, second, third = enter(slots), enter(slots), enter(slots)
    assert (first.called, second.called, third.called) == (True, False, False)
    assert (slots.ahead(second), slots.ahead(third)) == (0, 1)
    slots.leave(first)
    assert second.called
    assert not third.called
    assert slots.ahead(third) == 0


def test_a_full_line_takes_nobody() -> None:
    slots = Slots(1, 2)
    tickets = [enter(slots) for _ in range(3)]
    assert slots.full
    assert slots.enter(lambda: None) is None
    slots.leave(tickets[1])
    assert not slots.full
    enter(slots)


def test_without_a_line_only_a_free_slot_takes_somebody() -> None:
    slots = Slots(1, 0)
    first = enter(slots)
    assert slots.enter(lambda: None) is None
    slots.leave(first)
    assert enter(slots).called


def test_whoever_waits_hears_that_the_line_has_moved() -> None:
    slots = Slots(1, 5)
    heard: list[str] = []
    first = enter(slots)
    for name in "abc":
        assert slots.enter(lambda name=name: heard.append(name)) is not None  # type: ignore[misc]
    slots.leave(first)
    assert heard == ["a", "b", "c"], "the first has its turn, the others another place"


def test_a_free_slot_is_only_taken_where_nobody_waits() -> None:
    slots = Slots(2, 5)
    taken = slots.enter_if_free(lambda: None)
    assert taken is not None
    assert taken.called
    enter(slots)
    assert slots.enter_if_free(lambda: None) is None


def test_leaving_twice_frees_one_slot() -> None:
    slots = Slots(1, 5)
    first, second, third = enter(slots), enter(slots), enter(slots)
    slots.leave(first)
    slots.leave(first)
    assert second.called
    assert not third.called


def test_a_lost_answer_frees_its_slot_and_is_remembered() -> None:
    slots = Slots(1, MOST_LOST)
    tickets = [enter(slots) for _ in range(MOST_LOST)]
    for ticket in tickets:
        assert ticket.called
        slots.lose(ticket)
    assert slots.hanging
    slots.leave(tickets[0])
    assert not slots.hanging, "it has ended after all"


def test_what_has_ended_cannot_be_lost() -> None:
    slots = Slots(1, 5)
    for _ in range(2 * MOST_LOST):
        ticket = enter(slots)
        slots.leave(ticket)
        slots.lose(ticket)
    assert not slots.hanging


def test_a_closed_line_begins_nothing_and_tells_those_who_wait() -> None:
    slots = Slots(1, 5)
    first = enter(slots)
    told = threading.Event()
    second = slots.enter(told.set)
    assert second is not None
    slots.close()
    assert told.is_set()
    slots.leave(first)
    assert not second.called


@given(
    st.integers(1, 4), st.integers(0, 4), st.lists(st.tuples(st.sampled_from("elx"), st.integers(0, 9)), max_size=40)
)
def test_never_more_than_allowed_and_never_an_idle_slot(
    at_once: int, waiting: int, steps: list[tuple[str, int]]
) -> None:
    slots = Slots(at_once, waiting)
    tickets: list[Ticket] = []
    for action, which in steps:
        if action == "e":
            was_full = slots.full
            ticket = slots.enter(lambda: None)
            assert (ticket is None) == was_full
            tickets += [ticket] if ticket else []
        elif tickets:
            ticket = tickets[which % len(tickets)]
            slots.leave(ticket) if action == "l" else slots.lose(ticket)
        assert slots.answering <= at_once
        assert slots.waiting <= waiting
        assert slots.waiting == 0 or slots.answering == at_once
    for ticket in tickets:
        slots.leave(ticket)
    assert (slots.answering, slots.waiting, slots.hanging) == (0, 0, False)


def test_a_bell_wakes_from_another_thread_and_is_never_missed() -> None:
    woken: list[str] = []

    async def wait() -> None:
        bell = Bell()
        threading.Thread(target=bell.ring).start()
        await asyncio.wait_for(bell.wait(60), 10)
        woken.append("from another thread")
        bell.ring()
        await asyncio.sleep(0)
        await asyncio.wait_for(bell.wait(60), 10)
        woken.append("by a ring before the wait")
        await asyncio.wait_for(bell.wait(0.001), 10)
        woken.append("at its time, as a ring counts once")

    in_its_own_loop(wait())
    assert len(woken) == 3


def test_a_bell_of_a_loop_that_has_ended_rings_for_nobody() -> None:
    async def make() -> Bell:
        return Bell()

    bell = in_its_own_loop(make())
    bell.ring()
    assert bell._loop.is_closed()
    assert not bell._rung.is_set()
