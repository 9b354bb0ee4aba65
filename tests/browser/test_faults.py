"""What fails behind an answer: each ends in a clear state for the visitor, and the next question is answered."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from actions import wait_until
from served import served
from visiting import ask, stub_engine, visit

from fakes import BagOfWordsEmbedder, FakeReader, ScriptedWriter
from rag.assembly import Assembly
from rag.chat import answers, local, work
from rag.chat.history import History
from rag.chat.kept import restore
from rag.chat.local import LocalEngine
from rag.errors import ModelError
from rag.settings import Settings

pytestmark = pytest.mark.browser
LOAD_SERVER = Path(__file__).parents[2] / "benchmarks" / "load_server.py"


class FaultyEngine(stub_engine.StubEngine):  # type: ignore[misc,name-defined]
    """Answers well, but for questions that name a fault."""

    def __init__(self) -> None:
        super().__init__(tokens=100, rate=2000.0)
        self.let_go = threading.Event()
        self.hanging = threading.Event()
        self.closed = 0

    def ask(self, question: str, *rest: Any) -> Iterator[Any]:
        events = super().ask(question, *rest)
        try:
            if "before" in question:
                self._fail(question)
            for number, event in enumerate(events):
                yield event
                if number == 2:
                    self._fail(question)
        except GeneratorExit:
            self.closed += 1
            raise

    def _fail(self, question: str) -> None:
        if "hang" in question:
            self.hanging.set()
            assert self.let_go.wait(60)
        elif "crash" in question:
            raise ZeroDivisionError("secret detail")
        elif "memory" in question:
            raise MemoryError
        elif "model" in question:
            raise ModelError("The embedding model failed", "Run rag serve again.")
        elif "end" in question:
            raise StopIteration


@pytest.fixture
def engine() -> Iterator[FaultyEngine]:
    found = FaultyEngine()
    yield found
    found.let_go.set()


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "GRACE_SECONDS", 0.2)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("crash", answers.UNEXPECTED),
        ("crash before", answers.UNEXPECTED),
        ("memory", answers.UNEXPECTED),
        ("memory before", answers.UNEXPECTED),
        ("model", "The embedding model failed. Run rag serve again."),
        ("model before", "The embedding model failed. Run rag serve again."),
    ],
)
def test_what_fails_is_told_in_one_line_and_frees_the_slot(engine: FaultyEngine, fault: str, told: str) -> None:
    with served(engine) as running:
        reply = ask(running.address, fault)
        assert reply.error == told
        assert "secret detail" not in reply.html
        assert ('class="sentence"' in reply.html) is ("before" not in fault), "what there was stays"
        assert ask(running.address).error == ""


def test_an_answer_that_just_ends_is_no_answer(engine: FaultyEngine) -> None:
    class Cut(FaultyEngine):
        def ask(self, question: str, *rest: Any) -> Iterator[Any]:
            yield next(super().ask("fine", *rest))

    with served(Cut()) as running:
        assert ask(running.address).error == answers.UNFINISHED


def test_a_hanging_writer_is_given_up_and_its_slot_freed(engine: FaultyEngine) -> None:
    with served(engine, answer_timeout=0.5) as running:
        reply = ask(running.address, "hang")
        assert reply.error == "The answer took longer than 0.5 s and was given up. You can retry."
        assert 'class="sentence"' in reply.html, "what there was stays"
        assert ask(running.address).error == "", "while the first one still hangs"
        assert running.server._slots.answering == 0


def test_stop_reaches_a_hanging_writer_at_once(engine: FaultyEngine) -> None:
    async def stop(new: Callable[[], Any]) -> tuple[Any, Any]:
        visitor = new()
        asking = asyncio.create_task(visitor.ask("hang"))
        while not slots.answering:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        await visitor.stop()
        return await asyncio.wait_for(asking, 10), await visitor.ask("fine")

    with served(engine) as running:
        slots = running.server._slots
        stopped, after = visit(running.address, stop)
    assert "Stopped." in stopped.html
    assert after.error == ""


def test_too_many_hanging_answers_end_in_a_clear_refusal(engine: FaultyEngine) -> None:
    async def many(new: Callable[[], Any]) -> list[str]:
        return [(await new().ask(f"hang {number}")).error for number in range(9)]

    with served(engine, answer_timeout=0.2) as running:
        problems = visit(running.address, many)
        assert all("given up" in problem for problem in problems[:8])
        assert answers.HANGING in problems[8]
        engine.let_go.set()
        wait_until(lambda: not running.server._slots.hanging)
        assert ask(running.address).error == "", "they ended after all"


def test_a_visitor_who_leaves_frees_the_slot(engine: FaultyEngine) -> None:
    slow = FaultyEngine()
    slow._pause = 0.2
    with served(slow) as running:
        reply = visit(running.address, lambda new: new().ask("fine", leave_after=0.3))
        assert reply.error == "left"
        wait_until(lambda: running.server._slots.answering == 0)
        assert slow.closed == 1


def test_a_visitor_who_leaves_a_hanging_answer_frees_the_slot(engine: FaultyEngine) -> None:
    with served(engine) as running:

        async def leave(new: Callable[[], Any]) -> Any:
            asking = asyncio.create_task(new().ask("hang"))
            while not engine.hanging.is_set():
                await asyncio.sleep(0.01)
            await asyncio.sleep(4 * answers.SHOW_SECONDS)  # everything before it is shown: nothing more will come
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

        visit(running.address, leave)
        wait_until(lambda: running.server._slots.answering == 0)
        assert ask(running.address).error == ""


def test_a_visitor_who_leaves_the_line_makes_room(engine: FaultyEngine) -> None:
    with served(engine, waiting=1) as running:
        slots = running.server._slots

        async def leave(new: Callable[[], Any]) -> Any:
            first = asyncio.create_task(new().ask("hang"))
            while not slots.answering:
                await asyncio.sleep(0.01)
            second = asyncio.create_task(new().ask("fine"))
            while not slots.waiting:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)
            while slots.waiting:
                await asyncio.sleep(0.01)
            engine.let_go.set()
            return await first

        assert visit(running.address, leave).error == ""


def test_a_full_disk_costs_no_answer(engine: FaultyEngine, tmp_path: Path) -> None:
    with served(engine, history=str(tmp_path / "kept.sqlite")) as running:
        assert ask(running.address, "the first").notice == ""
        database = running.server._answers._kept._db
        (pages,) = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {pages}")
        replies = [ask(running.address, "x" * 1900) for _ in range(5)]
        assert [reply.error for reply in replies] == [""] * 5
        assert "database or disk is full. Make room on the disk" in replies[-1].notice
        database.execute("PRAGMA max_page_count = 100000")
        assert ask(running.address, "after room was made").notice == ""
    with sqlite3.connect(tmp_path / "kept.sqlite") as file:
        questions = [question for (question,) in file.execute("SELECT question FROM exchanges")]
    file.close()
    assert questions[0] == "the first"
    assert questions[-1] == "after room was made"


def started(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, str(LOAD_SERVER), "stub", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def interrupted(address: str, process: "subprocess.Popen[str]", number: int) -> Any:
    """Send the program a signal in the middle of an answer."""

    async def send(new: Callable[[], Any]) -> Any:
        return await new().ask("fine", on_sources=lambda: process.send_signal(number))

    return visit(address, send)


def test_killed_in_mid_answer_the_conversation_is_kept(tmp_path: Path) -> None:
    kept = tmp_path / "kept.sqlite"
    process, address = started("--rate", "100", "--history", str(kept))
    assert ask(address, "the first").error == ""
    assert interrupted(address, process, signal.SIGKILL).error != ""
    process.communicate(timeout=10)
    with sqlite3.connect(kept) as file:
        rows = file.execute("SELECT visitor, conversation, question FROM exchanges ORDER BY row").fetchall()
    file.close()
    assert [question for *_, question in rows] == ["the first", "fine"]
    history = History(kept)
    whole, cut = (restore(history.load(*row[:2])[0], 1, lambda id: None) for row in rows)
    history.close()
    assert whole.answer is not None
    assert cut.answer is None
    assert cut.stopped
    assert cut.citations
    process, address = started("--history", str(kept))
    assert ask(address).error == "", "started again, it answers"
    process.terminate()
    process.communicate(timeout=20)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_finishes_the_answer_and_ends_quietly(number: int) -> None:
    process, address = started("--rate", "250")
    reply = interrupted(address, process, number)
    _, said = process.communicate(timeout=20)
    assert reply.error == ""
    assert "word24.0" in reply.html, "its last sentence"
    assert "ERROR" not in said
    assert "Exception" not in said
    assert process.returncode == 0


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[LocalEngine, Settings]:
    """The real engine over a real index on disk; only the models are stand-ins."""

    class FakeModels(Assembly):
        embedder = BagOfWordsEmbedder()  # type: ignore[assignment]
        reader = FakeReader()  # type: ignore[assignment]
        writer = ScriptedWriter()  # type: ignore[assignment]

    monkeypatch.setattr(local, "Assembly", FakeModels)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for name in ("Salyut", "Mir", "Skylab"):
        text = f"{name} in orbit\n\nThe station {name} was launched by a large rocket. It stayed up for years.\n"
        (corpus / f"{name.lower()}.txt").write_text(text)
    settings = Settings(corpus=corpus, index=tmp_path / "index", mode="quote", refuse_below=0.0)
    engine = LocalEngine(settings)
    wait_until(lambda: engine.status().state != "preparing", 30)
    assert engine.status().state == "ready", engine.status().message
    return engine, settings


QUESTION = "How was the station Salyut launched?"


def test_the_index_is_rebuilt_while_visitors_ask(real: tuple[LocalEngine, Settings]) -> None:
    engine, settings = real
    rebuilt = 0

    async def rebuild() -> None:
        nonlocal rebuilt
        for number in range(4):
            text = f"Article {number}\n\nThe station number {number} was launched later.\n"
            (settings.corpus / f"new{number}.txt").write_text(text)
            await asyncio.to_thread(engine.rebuild)
            rebuilt += 1

    async def all_of_it(new: Callable[[], Any]) -> list[Any]:
        rebuilding = asyncio.create_task(rebuild())

        async def keep_asking() -> list[Any]:
            visitor, replies = new(), []
            while not rebuilding.done() or len(replies) < 2:
                replies.append(await visitor.ask(QUESTION))
            return replies

        replies = [reply for found in await asyncio.gather(*(keep_asking() for _ in range(5))) for reply in found]
        await rebuilding
        return replies

    with served(engine, answers_at_once=2, requests_per_minute=100_000, mode="quote") as running:
        replies = visit(running.address, all_of_it, 90)
    assert rebuilt == 4
    assert [reply.error for reply in replies if reply.error] == []
    assert engine.summary().documents == 7


def damaged(settings: Settings, how: str) -> None:
    for file in [path for path in settings.index.rglob("*") if path.is_file() and path.name != "LOCK"]:
        if how == "deleted":
            file.unlink()
        else:
            # Another file in its place: what is open stays as it was, as after a rebuild by another program.
            replacement = file.with_name("replacement")
            replacement.write_bytes(b"\0" * file.stat().st_size)
            replacement.replace(file)


@pytest.mark.parametrize("how", ["deleted", "corrupted"])
def test_an_index_that_breaks_under_way_is_told_and_a_rebuild_mends_it(
    real: tuple[LocalEngine, Settings], how: str
) -> None:
    engine, settings = real
    with served(engine, mode="quote") as running:
        assert ask(running.address, QUESTION).error == ""
        damaged(settings, how)
        reply = ask(running.address, QUESTION)
        assert reply.error == "" or "rag index" in reply.error, "the old index answers, or the remedy is named"
        assert "Traceback" not in reply.html
        if how == "deleted":
            engine.rebuild()
            assert ask(running.address, QUESTION).error == ""


def test_nothing_is_left_in_memory_of_a_thread_that_ended(engine: FaultyEngine) -> None:
    with served(engine) as running:
        for _ in range(5):
            ask(running.address)
        give_up = time.monotonic() + 10
        while any(thread.name == "answer" for thread in threading.enumerate()):
            assert time.monotonic() < give_up
            time.sleep(0.02)
