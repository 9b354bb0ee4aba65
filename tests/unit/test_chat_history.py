"""Conversations outlive the program, belong to one visitor each, and are gone when they are deleted."""

import contextlib
import itertools
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rag.chat import history as module
from rag.chat.conversation import Exchange, new_id
from rag.chat.history import CONVERSATIONS, EXCHANGE_LIMIT, TITLE_LIMIT, TOO_LONG, History
from rag.chat.kept import Kept, keep, restore
from rag.errors import HistoryError, RagError, UsageError

ANNA, BEN, TALK, OTHER_TALK = "a" * 32, "b" * 32, "1" * 32, "2" * 32
POSIX = pytest.mark.skipif(os.name != "posix", reason="files have no such modes")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chats" / "history.sqlite"


@pytest.fixture
def history(path: Path) -> Iterator[History]:
    with contextlib.closing(History(path)) as opened:
        yield opened


def make_kept(question: str = "When?", **data: Any) -> Kept:
    return Kept(new_id(), "2026-01-01T00:00:00+00:00", question, data)


def opened(path: Path) -> contextlib.closing[History]:
    return contextlib.closing(History(path))


def words_of(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(path.parent.iterdir()))


def test_exchanges_come_back_in_order_after_a_restart(path: Path) -> None:
    talk = [make_kept(f"q{number}", mode="quote", sentences=[{"text": "“Мир” 🚀\0\n"}]) for number in range(12)]
    with opened(path) as first:
        for item in talk:
            first.save(ANNA, TALK, item)
    with opened(path) as second:
        assert second.load(ANNA, TALK) == talk
        assert second.load(ANNA, OTHER_TALK) == []


def test_an_exchange_is_updated_in_its_place(history: History) -> None:
    first, second = make_kept("first", sentences=[]), make_kept("second")
    grown = Kept(first.id, "2027-01-01", "first!", {"sentences": ["x"]})
    for item in (first, second, grown):
        history.save(ANNA, TALK, item)
    assert history.load(ANNA, TALK) == [grown, second]
    assert history.conversations(ANNA)[0].exchanges == 2


texts = st.text(st.characters(exclude_categories=()), max_size=99)
objects = st.dictionaries(texts, st.recursive(st.integers() | st.none() | texts, st.lists, max_leaves=5), max_size=4)


@given(question=texts, reason=texts, data=objects)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_kept_but_for_lone_surrogates(
    history: History, question: str, reason: str, data: dict[str, Any]
) -> None:
    def shown(value: Any) -> Any:
        match value:
            case str():
                return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in value)
            case list():
                return [shown(item) for item in value]
            case dict():
                return {shown(name): shown(item) for name, item in value.items()}
        return value

    kept = Kept(new_id(), "2026-01-01", question, data, -1, reason)
    talk = new_id()
    history.save(ANNA, talk, kept)
    assert history.load(ANNA, talk) == [Kept(kept.id, "2026-01-01", shown(question), shown(data), -1, shown(reason))]
    assert len(history.conversations(ANNA)[0].title.splitlines()) <= 1
    assert history.rate(ANNA, kept.id, 1, reason + "\ud800")
    assert history.load(ANNA, talk)[0].reason == shown(reason) + "\ufffd"
    history.delete(ANNA, talk)


def test_a_lone_surrogate_and_a_nul_are_no_obstacle(history: History) -> None:
    history.save(ANNA, TALK, make_kept("a\ud83db\0c", text="\udc00"))
    assert [(item.question, item.data) for item in history.load(ANNA, TALK)] == [("a\ufffdb\0c", {"text": "\ufffd"})]


def test_an_exchange_of_the_page_comes_back(history: History) -> None:
    exchange = Exchange(1, "When?", "write", problem="The model failed.", waiting=False)
    history.save(ANNA, TALK, keep(exchange))
    assert [restore(item, 1, lambda id: None) for item in history.load(ANNA, TALK)] == [exchange]


def test_a_visitor_sees_and_changes_nothing_of_another(history: History) -> None:
    mine = make_kept("mine")
    theirs = Kept(mine.id, mine.asked, "theirs", {"x": 1})  # the same ids, as if they had been guessed
    history.save(ANNA, TALK, mine)
    assert history.conversations(BEN) == []
    assert history.load(BEN, TALK) == []
    assert not history.rate(BEN, mine.id, -1, "hostile")
    history.remove(BEN, mine.id)
    history.delete(BEN, TALK)
    history.delete_all(BEN)
    assert history.load(ANNA, TALK) == [mine]
    with opened(history._path) as later:
        later.save(BEN, TALK, theirs)
        assert later.load(ANNA, TALK) == [mine]
        assert later.load(BEN, TALK) == [theirs]
        later.delete_all(ANNA)
        assert later.load(BEN, TALK) == [theirs]
        assert later.conversations(ANNA) == []


BAD_IDS: list[Any] = ["", "a" * 31, "a" * 33, "A" * 32, "g" * 32, "a" * 32 + "\n", "%" * 32, "\ud800" * 32, None, 5, []]


@pytest.mark.parametrize("bad", BAD_IDS, ids=repr)
def test_ids_are_checked_everywhere(history: History, bad: Any) -> None:
    kept = make_kept()
    calls: list[Callable[[], object]] = [
        lambda: history.save(bad, TALK, kept),
        lambda: history.save(ANNA, bad, kept),
        lambda: history.save(ANNA, TALK, Kept(bad, kept.asked, "q")),
        lambda: history.conversations(bad),
        lambda: history.load(bad, TALK),
        lambda: history.load(ANNA, bad),
        lambda: history.remove(bad, kept.id),
        lambda: history.remove(ANNA, bad),
        lambda: history.delete(bad, TALK),
        lambda: history.delete(ANNA, bad),
        lambda: history.delete_all(bad),
        lambda: history.rate(bad, kept.id, 1),
        lambda: history.rate(ANNA, bad, 1),
    ]
    for call in calls:
        with pytest.raises(UsageError, match="cannot be found"):
            call()


def test_conversations_are_listed_latest_first(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    hours = itertools.count(10)
    monkeypatch.setattr(module, "_now", lambda: f"2026-01-01T{next(hours)}:00")
    talks = [new_id() for _ in range(3)]
    first, second = make_kept("opening"), make_kept()
    for talk, item in zip([*talks, talks[0]], [first, second, make_kept(), make_kept("later")], strict=True):
        history.save(ANNA, talk, item)
    listed = history.conversations(ANNA)
    assert [item.id for item in listed] == [talks[0], talks[2], talks[1]]
    assert (listed[0].title, listed[0].updated, listed[0].exchanges) == ("opening", "2026-01-01T13:00", 2)
    assert history.conversations(ANNA, 1) == listed[:1]
    assert history.conversations(ANNA, 0) == history.conversations(ANNA, -1) == []
    history.rate(ANNA, second.id, 1)
    assert history.conversations(ANNA) == listed, "to rate is not to go on"
    history.save(ANNA, talks[1], second)
    assert [item.id for item in history.conversations(ANNA)] == [talks[1], talks[0], talks[2]], "its answer has grown"
    history.remove(ANNA, first.id)
    assert [(item.title, item.exchanges) for item in history.conversations(ANNA)][1] == ("later", 1)


def test_conversations_of_the_same_moment_are_in_the_order_of_their_beginning(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_now", lambda: "2026-01-01T00:00")
    for talk in (TALK, OTHER_TALK):
        history.save(ANNA, talk, make_kept())
    assert [item.id for item in history.conversations(ANNA)] == [OTHER_TALK, TALK]


def test_a_hundred_are_listed_unless_more_are_wanted(history: History) -> None:
    for _ in range(102):
        history.save(ANNA, new_id(), make_kept())
    assert len(history.conversations(ANNA)) == 100
    assert len(history.conversations(ANNA, 200)) == 102


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("", ""),
        ("  When\n\twas\r\nit\u2028so? ", "When was it so?"),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 79 + "…"),
        ("word " * 16, "word " * 15 + "word"),
        ("word " * 17, "word " * 15 + "word…"),
        ("x" * 79 + " y", "x" * 79 + "…"),
        ("和平号 " + "空" * 99, "和平号 " + "空" * 75 + "…"),
    ],
)
def test_a_title_is_one_short_line(history: History, question: str, title: str) -> None:
    history.save(ANNA, TALK, make_kept(question))
    history.save(ANNA, TALK, make_kept("Another question"))
    assert [item.title for item in history.conversations(ANNA)] == [title]
    assert len(title) <= TITLE_LIMIT == 80


def test_ratings_are_kept_and_bounded(history: History) -> None:
    kept = make_kept()
    assert not history.rate(ANNA, kept.id, 1), "there is none yet"
    history.save(ANNA, TALK, kept)
    for rating, reason in ((1, ""), (-1, "x" * 1000), (0, "")):
        assert history.rate(ANNA, kept.id, rating, reason)
        assert [(item.rating, item.reason) for item in history.load(ANNA, TALK)] == [(rating, reason)]
    wrong: list[Any] = [2, -2, 0.5, "1", None, []]
    for rating in wrong:
        with pytest.raises(UsageError, match="no rating"):
            history.rate(ANNA, kept.id, rating)
    with pytest.raises(UsageError, match="1,001 characters"):
        history.rate(ANNA, kept.id, 1, "x" * 1001)
    assert history.load(ANNA, TALK) == [kept]


def test_a_save_that_was_prepared_before_does_not_undo_a_rating(history: History) -> None:
    kept = make_kept()
    history.save(ANNA, TALK, Kept(kept.id, kept.asked, "q", {}, 1, "Good"))
    history.rate(ANNA, kept.id, -1, "Bad")
    history.save(ANNA, TALK, kept)
    assert [(item.question, item.rating, item.reason) for item in history.load(ANNA, TALK)] == [("When?", -1, "Bad")]


def test_what_was_removed_stays_so_when_its_answer_still_streamed(history: History) -> None:
    saved, unsaved, elsewhere, kept = (make_kept(text) for text in ("saved", "unsaved", "elsewhere", "kept"))
    history.save(ANNA, TALK, saved)
    history.save(ANNA, OTHER_TALK, elsewhere)
    history.remove(ANNA, saved.id)
    history.remove(ANNA, unsaved.id)
    history.delete(ANNA, OTHER_TALK)
    for talk, item in ((TALK, saved), (TALK, unsaved), (OTHER_TALK, elsewhere), (TALK, kept)):
        history.save(ANNA, talk, item)
    assert history.load(ANNA, TALK) == [kept]
    assert history.load(ANNA, OTHER_TALK) == []
    history.delete_all(ANNA)
    history.save(ANNA, TALK, kept)
    assert history.conversations(ANNA) == []
    again = make_kept("A new question in a deleted conversation is a new beginning")
    history.save(ANNA, TALK, again)
    assert history.load(ANNA, TALK) == [again]


def test_the_oldest_conversation_makes_room(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr(module, "_now", lambda: f"{next(clock):09}")
    oldest, second, *others = talks = [new_id() for _ in range(CONVERSATIONS)]
    history.save(BEN, TALK, make_kept())
    growing = make_kept()
    history.save(ANNA, oldest, growing)
    for talk in talks[1:]:
        history.save(ANNA, talk, make_kept())
    history.save(ANNA, oldest, growing)
    assert len(history.conversations(ANNA, 9999)) == CONVERSATIONS == 1000
    monkeypatch.setattr(module, "_now", lambda: "0")  # the clock was set back: the new one is not the one to go
    history.save(ANNA, TALK, make_kept("new"))
    assert {item.id for item in history.conversations(ANNA, 9999)} == {oldest, *others, TALK}
    assert history.load(ANNA, oldest) == [growing]
    assert history.load(ANNA, second) == []
    assert len(history.conversations(BEN)) == 1


def test_an_exchange_above_the_limit_is_kept_without_its_answer(history: History) -> None:
    within, above = make_kept("within", mode="quote"), make_kept("above", mode="quote")
    room = EXCHANGE_LIMIT - len('{"mode": "quote", "text": ""}')
    history.save(ANNA, TALK, Kept(within.id, "", "within", {**within.data, "text": "x" * room}))
    history.save(ANNA, TALK, Kept(above.id, "", "above", {**above.data, "text": "é" * (room // 2 + 1)}))
    fits, cut = history.load(ANNA, TALK)
    assert len(fits.data["text"]) == room
    restored = restore(cut, 1, lambda id: None)
    assert (restored.id, restored.question, restored.problem, restored.mode) == (above.id, "above", TOO_LONG, "quote")


def test_deletion_leaves_no_words_in_the_files(path: Path) -> None:
    """Many small rows that move between pages, of which ``secure_delete`` alone leaves copies behind."""
    chance = random.Random(7)
    with opened(path) as history, opened(path) as other:
        other.load(ANNA, TALK)
        items: list[tuple[str, Kept, str]] = []
        for number in range(400):
            word = f"<secret {number}>"
            talk, kept = new_id(), make_kept(word, text=word * chance.randint(1, 9))
            history.save(ANNA, talk, kept)
            for _ in range(chance.randint(0, 2)):  # it grows
                history.save(ANNA, talk, Kept(kept.id, "", word, {"text": word * chance.randint(1, 90)}))
            history.rate(ANNA, kept.id, 1, word)
            items.append((talk, kept, word))
        chance.shuffle(items)
        with history._change():
            for talk, _, _ in items[20:]:
                history._db.execute("DELETE FROM exchanges WHERE conversation = ?", (talk,))
        history.remove(ANNA, items[19][1].id)
        history.delete(ANNA, items[18][0])
        found = words_of(path)
        assert [word for _, _, word in items if word.encode() in found] == [word for _, _, word in items[:18]]
        assert [item.question for talk, _, _ in items[:18] for item in other.load(ANNA, talk)]
        other.delete_all(ANNA)
        assert b"secret" not in words_of(path)


@pytest.mark.parametrize("way", ["remove", "delete", "delete_all"])
def test_every_deletion_wipes(history: History, path: Path, way: str) -> None:
    kept = make_kept("<secret>", text="<secret>" * 2000)
    history.save(ANNA, TALK, kept)
    assert b"<secret>" in words_of(path)
    {
        "remove": lambda: history.remove(ANNA, kept.id),
        "delete": lambda: history.delete(ANNA, TALK),
        "delete_all": lambda: history.delete_all(ANNA),
    }[way]()
    assert b"<secret>" not in words_of(path)


def test_what_is_written_over_is_wiped_with_the_log(history: History, path: Path) -> None:
    kept = make_kept(text="<secret>" * 2000)
    history.save(ANNA, TALK, kept)
    history.save(ANNA, TALK, Kept(kept.id, kept.asked, "When?", {"text": ""}))
    history._rows("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"<secret>" not in words_of(path)


def test_a_deletion_says_when_a_reader_keeps_the_words(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BUSY_SECONDS", 0.05)
    with opened(path) as history, contextlib.closing(sqlite3.connect(path)) as reader:
        history.save(ANNA, TALK, make_kept("<secret>"))
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM exchanges").fetchall()
        with pytest.raises(HistoryError, match=r"It is deleted, but .*history\.sqlite: another program is reading it"):
            history.delete(ANNA, TALK)
        assert history.load(ANNA, TALK) == []
        reader.rollback()
        history.delete(ANNA, TALK)
        assert b"<secret>" not in words_of(path)


def test_threads_save_at_once(path: Path) -> None:
    """Eight threads with two connections, each with its conversation, while a ninth reads."""
    with opened(path) as one, opened(path) as two:
        talks = [[new_id(), *(make_kept(f"{thread}.{number}") for number in range(25))] for thread in range(8)]

        def work(thread: int) -> None:
            talk, *items = talks[thread]
            for item in items:
                for _ in range(2):
                    (one, two)[thread % 2].save(ANNA, talk, item)
                    assert (one, two)[thread % 2].rate(ANNA, item.id, 0)

        with ThreadPoolExecutor(9) as pool:
            done = [pool.submit(work, thread) for thread in range(8)]
            while not all(future.done() for future in done):
                assert all(0 < item.exchanges <= 25 for item in two.conversations(ANNA))
            for future in done:
                future.result()
        for talk, *items in talks:
            assert one.load(ANNA, talk) == two.load(ANNA, talk) == items


def test_a_new_file_is_opened_by_many_at_once(path: Path) -> None:
    start = threading.Barrier(6)

    def work(number: int) -> None:
        start.wait()
        with opened(path) as history:
            history.save(ANNA, TALK, make_kept(str(number)))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    with opened(path) as history:
        assert sorted(item.question for item in history.load(ANNA, TALK)) == list("012345")


def test_another_program_that_writes_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(path) as history, contextlib.closing(sqlite3.connect(path, check_same_thread=False)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        ending = threading.Timer(0.2, writer.rollback)
        ending.start()
        history.save(ANNA, TALK, make_kept())
        ending.join()
        assert len(history.load(ANNA, TALK)) == 1
    monkeypatch.setattr(module, "_BUSY_SECONDS", 0.05)
    with opened(path) as history, contextlib.closing(sqlite3.connect(path)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(HistoryError, match="locked") as caught:
            history.save(ANNA, TALK, make_kept())
        assert "Close the other program" in caught.value.remedy
        assert len(history.load(ANNA, TALK)) == 1, "reading goes on"


ACT = f"""
import os, sys
from pathlib import Path
from rag.chat.history import History
from rag.chat.kept import Kept

path, action, statement = sys.argv[1:]
history = History(Path(path))
history._db.set_trace_callback(lambda sql: os._exit(9) if sql.split()[0] == statement else None)
if action == "save":
    history.save("{ANNA}", "{TALK}", Kept("{"5" * 32}", "", "new", {{"text": "new " * 5000}}))
else:
    history.delete("{ANNA}", "{TALK}")
"""


@pytest.mark.parametrize(
    ("action", "statement", "expected"),
    [
        ("save", "BEGIN", ["old"]),
        ("save", "INSERT", ["old"]),
        ("save", "COMMIT", ["old"]),
        ("delete", "DELETE", ["old"]),
        ("delete", "COMMIT", ["old"]),
        ("delete", "VACUUM", []),
        ("delete", "PRAGMA", []),
    ],
)
def test_a_program_that_is_killed_leaves_the_old_or_the_new(
    path: Path, action: str, statement: str, expected: list[str]
) -> None:
    with opened(path) as history:
        history.save(ANNA, TALK, make_kept("old"))
    done = subprocess.run([sys.executable, "-c", ACT, path, action, statement], timeout=60, check=False)
    assert done.returncode == 9
    with opened(path) as history:
        assert [item.question for item in history.load(ANNA, TALK)] == expected
        if action == "delete" and not expected:
            assert b"old" not in words_of(path)
        history.save(ANNA, TALK, make_kept("next"))
        assert [item.question for item in history.load(ANNA, TALK)] == [*expected, "next"]


@POSIX
def test_nothing_that_was_saved_is_lost_by_a_kill(path: Path) -> None:
    program = f"""
import itertools
from pathlib import Path
from rag.chat.history import History
from rag.chat.kept import Kept

history = History(Path({str(path)!r}))
for number in itertools.count():
    for text in ("", "text " * 999):
        history.save("{ANNA}", "{TALK}", Kept(f"{{number:032x}}", "", str(number), {{"text": text}}))
    print(number, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(40)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    saved = [line.strip() for line in lines]
    with opened(path) as history:
        found = history.load(ANNA, TALK)
    assert [item.question for item in found[: len(saved)]] == saved
    assert all(len(item.data["text"]) == 4995 for item in found[: len(saved)])
    assert len(found) <= len(saved) + 1


def check_error(caught: pytest.ExceptionInfo[HistoryError], path: Path, remedy: str) -> None:
    assert str(path) in caught.value.problem
    assert remedy in caught.value.remedy
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"no database, but a text of some length\n" * 99, b"SQLite format 3\0" + b"\1" * 999]
)
def test_a_damaged_file_is_left_alone_and_named(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(HistoryError, match="damaged") as caught:
        History(path)
    check_error(caught, path, "Move it away")
    assert path.read_bytes() == content
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_damage_inside_is_found_when_the_file_is_opened(path: Path) -> None:
    with opened(path) as history:
        for number in range(40):
            history.save(ANNA, TALK, make_kept(f"q{number}", text="x" * 900))
    whole = path.read_bytes()
    for content in (whole[:4096] + bytes(4096) + whole[8192:], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(HistoryError, match="damaged") as caught:
            History(path)
        check_error(caught, path, "Move it away")


def test_damage_met_while_open_is_an_error_of_ours(history: History, path: Path) -> None:
    for number in range(40):
        history.save(ANNA, TALK, make_kept(f"q{number}", text="x" * 900))
    history._rows("PRAGMA wal_checkpoint(TRUNCATE)")
    history._rows("PRAGMA cache_size = 0")
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    history._rows("PRAGMA shrink_memory")
    for call in (
        lambda: history.load(ANNA, TALK),
        lambda: history.conversations(ANNA),
        lambda: history.save(ANNA, TALK, make_kept()),
        lambda: history.delete_all(ANNA),
    ):
        with pytest.raises(HistoryError, match="damaged") as caught:
            call()
        check_error(caught, path, "Move it away")


@given(st.lists(st.tuples(st.integers(0, 10**6), st.binary(min_size=1, max_size=40)), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(damage=[(12220, b"\0")])  # an index that no longer finds what it should
def test_no_damage_is_a_traceback(tmp_path: Path, damage: list[tuple[int, bytes]]) -> None:
    path = tmp_path / new_id() / "history.sqlite"
    with opened(path) as history:
        for number in range(9):
            history.save(ANNA, (TALK, OTHER_TALK)[number % 2], make_kept(f"q{number}", text="x" * 300 * number))
    content = bytearray(path.read_bytes())
    for place, garbage in damage:
        start = place % (len(content) - len(garbage))
        content[start : start + len(garbage)] = garbage
    path.write_bytes(content)
    with contextlib.suppress(RagError), opened(path) as history:
        for item in (*history.load(ANNA, TALK), *history.load(ANNA, OTHER_TALK)):
            restore(item, 1, lambda id: None)
        history.conversations(ANNA)
        history.save(ANNA, TALK, make_kept())
        history.delete_all(ANNA)
        assert history.conversations(ANNA) == [], "what can be opened and written works to the end"


@pytest.mark.parametrize("data", ["", "{", "[1]", "null", '"x"', "[" * 99999, '{"a": 1' + "0" * 9999 + "}", "{}"])
def test_data_edited_by_hand_is_restored_with_a_problem(history: History, data: str) -> None:
    history.save(ANNA, TALK, make_kept("When?"))
    history._db.execute("UPDATE exchanges SET data = ?", (data,))
    (kept,) = history.load(ANNA, TALK)
    assert isinstance(kept.data, dict)
    restored = restore(kept, 1, lambda id: None)
    assert restored.question == "When?"
    assert restored.problem


@pytest.mark.parametrize(
    "change",
    [
        "question = NULL",
        "data = X'00'",
        "reason = X'ff'",
        "rating = 2",
        "rating = NULL",
        "id = '\"onclick=\"x'",
        "conversation = NULL",
        f"visitor = '{'A' * 32}'",
    ],
)
def test_a_row_that_could_not_have_been_saved_is_damage(path: Path, change: str) -> None:
    with opened(path) as history:
        history.save(ANNA, TALK, make_kept())
        with pytest.raises(sqlite3.IntegrityError):
            history._db.execute(f"UPDATE exchanges SET {change}")
        history._db.execute("PRAGMA ignore_check_constraints = ON")
        history._db.execute(f"UPDATE exchanges SET {change}")
    with pytest.raises(HistoryError, match="damaged"):
        History(path)


def test_a_newer_file_is_left_alone(path: Path) -> None:
    with opened(path) as history:
        history.save(ANNA, TALK, make_kept())
        history._db.execute("PRAGMA user_version = 2")
    content = path.read_bytes()
    with pytest.raises(HistoryError, match="newer version") as caught:
        History(path)
    check_error(caught, path, "Update the program, or move it away")
    assert path.read_bytes() == content


@pytest.mark.parametrize("version", [0, 1])
def test_the_file_of_another_program_is_left_alone(path: Path, version: int) -> None:
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE visits (place)")
        other.execute(f"PRAGMA user_version = {version}")
    content = path.read_bytes()
    with pytest.raises(HistoryError, match=r"another program|no such table") as caught:
        History(path)
    check_error(caught, path, "Move it away")
    assert path.read_bytes() == content


@pytest.mark.parametrize("found", [b"CREATE TABLE exchanges", b"question <here>"], ids=["schema", "text"])
def test_damage_that_is_no_text_is_damage(path: Path, found: bytes) -> None:
    with opened(path) as history:
        history.save(ANNA, TALK, make_kept("question <here>"))
    path.write_bytes(path.read_bytes().replace(found, found[:-1] + b"\xff"))
    with pytest.raises(HistoryError, match="damaged") as caught, opened(path) as history:
        history.load(ANNA, TALK)
    check_error(caught, path, "Move it away")


def test_an_empty_file_is_a_new_one(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with opened(path) as history:
        assert history.conversations(ANNA) == []


@pytest.mark.parametrize("what", ["folder", "below a file"])
def test_a_place_for_no_file_is_an_error(tmp_path: Path, what: str) -> None:
    path = tmp_path / "x"
    if what == "folder":
        path.mkdir()
    else:
        path.write_text("a file")
        path /= "history.sqlite"
    with pytest.raises(HistoryError) as caught:
        History(path)
    check_error(caught, path, "Allow this program to write")


@POSIX
def test_file_and_folder_are_private(path: Path) -> None:
    mask = os.umask(0)
    try:
        with opened(path) as history:
            history.save(ANNA, TALK, make_kept())
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in [path.parent, *path.parent.iterdir()]}
    finally:
        os.umask(mask)
    assert modes.pop("chats") == 0o700
    assert modes.keys() == {"history.sqlite", "history.sqlite-wal", "history.sqlite-shm"}
    assert set(modes.values()) == {0o600}


@POSIX
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("made_before", [True, False])
def test_a_folder_that_cannot_be_written_is_an_error(path: Path, made_before: bool) -> None:
    path.parent.mkdir()
    if made_before:
        History(path).close()
        path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        with pytest.raises(HistoryError) as caught:
            History(path)
        check_error(caught, path, "Allow this program to write")
    finally:
        path.parent.chmod(0o700)


def test_a_file_that_cannot_be_written_any_more_loses_nothing(history: History, path: Path) -> None:
    old, new = make_kept("old"), make_kept("new")
    history.save(ANNA, TALK, old)
    history._db.execute("PRAGMA query_only = ON")
    for call in (
        lambda: history.save(ANNA, TALK, new),
        lambda: history.rate(ANNA, old.id, 1),
        lambda: history.delete_all(ANNA),
    ):
        with pytest.raises(HistoryError, match="readonly") as caught:
            call()
        check_error(caught, path, "Allow this program to write")
    assert history.load(ANNA, TALK) == [old]
    history._db.execute("PRAGMA query_only = OFF")
    history.save(ANNA, TALK, new)
    assert history.load(ANNA, TALK) == [old, new]


def test_a_full_disk_loses_nothing(history: History, path: Path) -> None:
    old, grown = make_kept("old"), make_kept("grown")
    history.save(ANNA, TALK, old)
    history.save(ANNA, TALK, grown)
    pages = history._rows("PRAGMA page_count")[0][0]
    history._db.execute(f"PRAGMA max_page_count = {pages + 1}")
    large = {"text": "x" * 50_000}
    for item in (make_kept("new", **large), Kept(grown.id, "", "grown", large)):
        with pytest.raises(HistoryError, match="full") as caught:
            history.save(ANNA, TALK, item)
        check_error(caught, path, "Make room on the disk")
    assert history.load(ANNA, TALK) == [old, grown]
    history.save(ANNA, TALK, make_kept("small"))
    with opened(path) as later:
        assert [item.question for item in later.load(ANNA, TALK)] == ["old", "grown", "small"]


@POSIX
def test_a_write_that_fails_loses_nothing(history: History, path: Path) -> None:
    import resource

    old = make_kept("old")
    history.save(ANNA, TALK, old)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(HistoryError) as caught:
            history.save(ANNA, TALK, make_kept("new", text="x" * 500_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    check_error(caught, path, "what was kept before is still there")
    assert history.load(ANNA, TALK) == [old]
    new = make_kept("new", text="x" * 500_000)
    history.save(ANNA, TALK, new)
    with opened(path) as later:
        assert later.load(ANNA, TALK) == [old, new]


def test_a_closed_history_says_so(path: Path) -> None:
    history = History(path)
    history.close()
    with pytest.raises(HistoryError, match="closed") as caught:
        history.save(ANNA, TALK, make_kept())
    check_error(caught, path, "Start the chat again.")
    history.close()
