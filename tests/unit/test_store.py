"""The store gives back what was put in, and no question can break its search."""

import contextlib
import dataclasses
import sqlite3
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import store as store_module
from rag.chunking import pack_chunks
from rag.errors import IndexCorruptError
from rag.records import Document, Listed, SkippedFile
from rag.sentences import split_sentences
from rag.store import Origin, RowRange, Store, StoredChunk, StoredSentence, StoreWriter
from rag.wording import stems

TEXTS = {
    "mir.md": "# Mir\n\nMir was a station. Mir was visited by many crews.\n\n# End\n\nMir fell into the sea in 2001.",
    "salyut.md": "Salyut 1 was the first station. It was launched in 1971.",
    "zarya.md": "Zarya is a module; its “NEAR” side is café-brown. 和平号空间站 flew.",
}


def document(path: str, text: str) -> Document:
    return Document(f"id-{path}", path, text, 0, f"sha of {path}", path.split(".")[0].title(), url="https://x.org/?a=1")


def add(writer: StoreWriter, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        sentences = split_sentences(text)
        chunks = pack_chunks(text, sentences, [10] * len(sentences), 30)
        writer.add(document(name, text), chunks, [text[chunk.start : chunk.end] for chunk in chunks], name)


def write(path: Path, texts: Mapping[str, str]) -> Path:
    writer = StoreWriter(path)
    add(writer, texts)
    writer.finish()
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = Store(write(tmp_path_factory.mktemp("store") / "store.sqlite", TEXTS))
    yield opened
    opened.close()


def test_counts(store: Store) -> None:
    assert (store.documents, store.chunks, store.sentences) == (3, 4, 9)


def test_documents_come_back_unchanged_by_id_and_by_path(store: Store) -> None:
    expected = document("zarya.md", TEXTS["zarya.md"])
    assert store.document("id-zarya.md") == store.document("zarya.md") == expected
    assert store.all_documents() == [document(path, text) for path, text in sorted(TEXTS.items())]


@pytest.mark.parametrize("name", ["", "nothing", "mir", "../mir.md", "' OR 1 --", "%"])
def test_an_unknown_document_is_none(store: Store, name: str) -> None:
    assert store.document(name) is None


def test_rows_follow_each_other(store: Store) -> None:
    rows = {name: [found for _, found, _ in store.of_file(name)] for name in TEXTS}
    assert rows == {
        "mir.md": [RowRange(0, 2, 0, 5)],
        "salyut.md": [RowRange(2, 1, 5, 2)],
        "zarya.md": [RowRange(3, 1, 7, 2)],
    }
    assert store.of_file("absent.md") == []
    assert (store.chunk_rows, store.alive) == (4, None)


def test_chunks_of_a_document_come_back_as_they_were_cut(store: Store) -> None:
    for name, text in TEXTS.items():
        ((found, rows, _),) = store.of_file(name)
        sentences = split_sentences(text)
        assert found == document(name, text)
        assert store.chunks_of(rows) == pack_chunks(text, sentences, [10] * len(sentences), 30)


def test_chunks_and_sentences_by_row(store: Store) -> None:
    text = TEXTS["mir.md"]
    middle = text.index("# End")
    assert store.chunks_by_row([1, 42]) == {1: StoredChunk(1, "id-mir.md", middle, len(text), 3, 2)}
    assert store.sentences_of([1]) == [
        StoredSentence(3, 1, middle, middle + 5, False),
        StoredSentence(4, 1, middle + 7, len(text), True),
    ]
    assert [sentence.row for sentence in store.sentences_of([2, 0])] == [0, 1, 2, 5, 6]
    assert store.chunks_by_row([]) == {}
    assert store.sentences_of([]) == []
    assert list(store.all_chunks()) == list(store.chunks_by_row(range(99)).values())


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("Where did Mir fall, and into which sea?", [1, 0]),
        ("first STATIONS", [2, 0]),
        ("launching", [2]),
        ("Zarya", [3]),
        ("cafe CAFÉ", [3]),
        ("和平号空间站", [3]),
        ("mir NOT station", [0, 1, 2]),
        ("near*", [3]),
        ("nonsense", []),
        ("?! …", []),
        ("", []),
    ],
    ids=[
        "best first",
        "case",
        "stem",
        "title",
        "accents",
        "Chinese",
        "NOT is a word",
        "star",
        "unknown",
        "marks",
        "empty",
    ],
)
def test_bm25_finds_any_word_in_title_or_text(store: Store, question: str, rows: list[int]) -> None:
    found = [row for row, _ in store.bm25(question, 10)]
    assert found[:1] == rows[:1]
    assert sorted(found) == sorted(rows)


def test_bm25_prefers_rare_words_and_short_chunks(tmp_path: Path) -> None:
    texts = {
        "long.md": f"The station flew {'and flew ' * 30}on.",
        "short.md": "The station flew on.",
        "rare.md": "The station docked once, long ago, far away, above the sea.",
        "other.md": "Nothing of that sort.",
    }
    store = Store(write(tmp_path / "store.sqlite", texts))
    assert [row for row, _ in store.bm25("station docked", 9)] == [2, 1, 0]
    scores = [score for _, score in store.bm25("station docked", 9)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0
    assert len(store.bm25("station docked", 2)) == 2
    store.close()


def test_equal_scores_are_in_row_order(tmp_path: Path) -> None:
    store = Store(write(tmp_path / "store.sqlite", {f"{n}.md": "The same words stand here." for n in range(5)}))
    assert [row for row, _ in store.bm25("same words", 5)] == [0, 1, 2, 3, 4]
    store.close()


def test_bm25_among_some_chunks_scores_as_among_all(store: Store) -> None:
    every = store.bm25("mir station first", 10)
    assert len(every) == 3
    for wanted in (set(), {1}, {0, 2}, {0, 1, 2, 3}):
        among = np.array([row in wanted for row in range(store.chunks)])
        assert store.bm25("mir station first", 10, among) == [found for found in every if found[0] in wanted]
        assert store.bm25("mir station first", 1, among) == [found for found in every if found[0] in wanted][:1]


def dated(path: str, title: str, published: str | None, text: str = "Mir flew.") -> Document:
    return Document(f"id-{path}", path, text, 0, path, title, "CGTN", None, published, "https://x.org", "kk")


def test_documents_are_listed_without_their_texts_newest_first(tmp_path: Path) -> None:
    writer = StoreWriter(tmp_path / "store.sqlite")
    text = "Mir – “МИР” 🚀 flew.\r\n\r\n# It fell\n\nMir fell."
    writer.add(dated("a.md", "No date", None), [], [], "a.md")
    writer.add(dated("b.md", "Old", "2020"), [], [], "b.md")
    sentences = split_sentences(text)
    chunks = pack_chunks(text, sentences, [10] * len(sentences), 30)
    writer.add(dated("c.md", "New", "2021-06-18", text), chunks, [text] * len(chunks), "c.md")
    writer.add(dated("d.md", "First of that day", "2021-06-18"), [], [], "d.md")
    writer.add(dated("e.md", "Old", "2020-01"), [], [], "e.md")
    writer.finish()
    store = Store(tmp_path / "store.sqlite")
    listed = store.listed()
    assert [item.path for item in listed] == ["d.md", "c.md", "e.md", "b.md", "a.md"]
    expected = ("id-c.md", "c.md", "New", "CGTN", "2021-06-18", "https://x.org", "kk", 2, 3, len(text))
    assert listed[1] == Listed(*expected)
    assert store.origins[2:4] == (
        Origin("CGTN", "2021-06-18", RowRange(0, 2, 0, 3)),
        Origin("CGTN", "2021-06-18", RowRange(2, 0, 3, 0)),
    )
    store.close()


OPERATORS = """\
" | "mir | mir" OR "x | mir AND | NOT mir | NEAR(mir sea, 2) | title:mir | -mir | ^mir | (mir | mir* | {a b}:mir |\
 mir; DROP TABLE documents | mir\x00sea | mir' | _ mir _ | mir + + sea | *"""


@pytest.mark.parametrize("question", OPERATORS.split(" | "))
def test_operators_are_words(store: Store, question: str) -> None:
    found = {row for row, _ in store.bm25(question, 10)}
    assert found >= ({0, 1} if "mir" in question else set())
    assert store.documents == 3


@given(st.text(max_size=60) | st.text(alphabet="\"*()^:-+{}ANDORT mir\x00'_", max_size=60))
def test_no_question_breaks_the_search(store: Store, question: str) -> None:
    assert all(score > 0 for _, score in store.bm25(question, 4))


def test_a_question_of_many_words_is_answered(store: Store) -> None:
    padding = " ".join(f"w{number}" for number in range(5000))
    assert store.bm25(f"mir {padding}", 3)[0][0] in (0, 1)
    assert store.bm25(f"{padding} mir", 3) == [], "only the first 64 different words count"
    assert store.bm25("absent " * 100 + "mir", 3)[0][0] in (0, 1)


def test_vocabulary_counts_chunks_not_occurrences(store: Store) -> None:
    assert store.chunks_with(["station", "mir", "visit", "launch", "absent"]) == {
        "station": 2,
        "mir": 2,
        "visit": 1,
        "launch": 1,
    }
    assert store.chunks_with([]) == {}


def test_a_store_cannot_be_changed_by_its_readers(store: Store) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        store._db.execute("DELETE FROM documents")


@pytest.mark.parametrize(
    "content", [None, b"", b"no database, but a text of some length\n" * 9], ids=["missing", "empty", "text"]
)
def test_another_file_is_no_store(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "store.sqlite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(IndexCorruptError) as caught:
        Store(path)
    assert str(path) in caught.value.problem
    assert "rag index --rebuild" in caught.value.remedy


def test_damage_met_while_reading_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "store.sqlite", TEXTS)
    pages = len(content := bytearray(path.read_bytes())) // 4096
    opened = 0
    for page in range(1, pages):
        damaged = content.copy()
        damaged[page * 4096 : (page + 1) * 4096] = bytes(4096)
        path.write_bytes(damaged)
        with pytest.raises(IndexCorruptError, match=r"store\.sqlite") as caught:  # noqa: PT012 - whichever comes first
            store = Store(path)
            opened += 1
            try:
                store.check()
            finally:
                store.close()
        assert "rag index --rebuild" in caught.value.remedy
    assert opened, "opening reads little"


def test_a_whole_store_passes_its_check(store: Store) -> None:
    counts = store.documents, store.chunks, store.sentences
    store.check()
    assert (len(store.all_documents()), len(list(store.all_chunks()))) == counts[:2]


@pytest.mark.parametrize("table", ["chunks", "documents"])
def test_counts_that_contradict_each_other_are_damage(tmp_path: Path, table: str) -> None:
    path = write(tmp_path / "store.sqlite", TEXTS)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute(f"DELETE FROM {table} WHERE rowid = 1")
        database.commit()
    store = Store(path)
    with pytest.raises(IndexCorruptError, match="contradict"):
        store.check()
    store.close()


MORE = {
    "new.md": "Tiangong is a station. Three crews have visited it.",
    "mir.md": "Mir was rewritten. It flew for long.\n\n# Its end\n\nIt fell.",
}


@pytest.fixture
def changed(tmp_path: Path) -> Iterator[Store]:
    """``TEXTS`` without Salyut, with another text of Mir and one more article."""
    path = write(tmp_path / "store.sqlite", TEXTS)
    writer = StoreWriter(path, sentence_rows=9)
    assert (writer.chunk_rows, writer.sentence_rows) == (4, 9)
    for name in ("mir.md", "salyut.md", "absent.md"):
        writer.remove(name)
    add(writer, MORE)
    assert writer.counts()[:3] == (3, 4, 8)
    writer.finish()
    opened = Store(path)
    yield opened
    opened.close()


def test_rows_of_what_was_removed_stay_empty(changed: Store) -> None:
    assert (changed.documents, changed.chunks, changed.sentences, changed.chunk_rows) == (3, 4, 8, 7)
    assert changed.alive is not None
    assert changed.alive.tolist() == [False, False, False, True, True, True, True]
    assert [(name, [rows for _, rows, _ in changed.of_file(name)]) for name in ("new.md", "mir.md", "salyut.md")] == [
        ("new.md", [RowRange(4, 1, 9, 2)]),
        ("mir.md", [RowRange(5, 2, 11, 4)]),
        ("salyut.md", []),
    ]
    assert [chunk.row for chunk in changed.all_chunks()] == [3, 4, 5, 6]
    assert [sentence.row for sentence in changed.sentences_of([5, 2])] == [11, 12]
    assert changed.document("salyut.md") is None
    changed.check()


def test_a_changed_store_scores_as_one_written_at_once(changed: Store, tmp_path: Path) -> None:
    fresh = Store(write(tmp_path / "fresh.sqlite", {"zarya.md": TEXTS["zarya.md"], **MORE}))
    moved = {0: 3, 1: 4, 2: 5, 3: 6}
    for question in ("station", "mir fell visited", "zarya", "salyut launched", "first crews flew its end", "it was"):
        expected = [(moved[row], score) for row, score in fresh.bm25(question, 9)]
        assert changed.bm25(question, 9) == expected
        assert changed.bm25(question, 2) == expected[:2]
    words = {stem for text in (TEXTS | MORE).values() for stem in stems(text)}
    assert changed.chunks_with(words) == fresh.chunks_with(words)
    assert changed.chunks_with(["salyut"]) == {}, "only what was removed held it"
    fresh.close()


def test_removed_chunks_are_never_found_whatever_is_asked_for(changed: Store) -> None:
    everything = np.ones(changed.chunk_rows, np.bool_)
    assert {row for row, _ in changed.bm25("mir salyut station first it was", 9, everything)} <= {3, 4, 5, 6}


@pytest.mark.parametrize("flushed", [1, 2, 3])
def test_postings_are_the_same_however_often_they_were_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flushed: int
) -> None:
    whole = Store(write(tmp_path / "whole.sqlite", TEXTS))
    monkeypatch.setattr(store_module, "_FLUSHED", flushed)
    parts = Store(write(tmp_path / "parts.sqlite", TEXTS))
    words = {stem for text in TEXTS.values() for stem in stems(text)}
    assert parts.chunks_with(words) == whole.chunks_with(words)
    for question in ("mir station", "first was launched", "in the sea", "zarya"):
        assert parts.bm25(question, 9) == whole.bm25(question, 9)
    assert len(parts._rows("SELECT DISTINCT part FROM postings")) > 1
    whole.close()
    parts.close()


def test_every_field_of_a_document_comes_back(tmp_path: Path) -> None:
    full = dataclasses.replace(
        document("a.md", "Menu. Mir flew. “Слово” 🚀"),
        publisher="CGTN",
        author="A. B.",
        published="2021-06",
        language="ru",
        licence="CC BY",
        body_start=3,
        boilerplate=((0, 5), (6, 8)),
        anchors=((0, "p. 1"), (6, "“p. 2”")),
        found=(("title", "front matter"), ("published", "the first line")),
    )
    unset = {field.name for field in dataclasses.fields(full) if getattr(full, field.name) in (None, (), "")}
    assert not unset, "a field that is empty proves nothing"
    writer = StoreWriter(tmp_path / "store.sqlite")
    writer.add(full, [], [], "archive.zip")
    writer.finish()
    store = Store(tmp_path / "store.sqlite")
    assert store.document("a.md") == full
    ((found, rows, _),) = store.of_file("archive.zip")
    assert (found, rows) == (full, RowRange(0, 0, 0, 0))
    assert store.of_file("a.md") == []
    store.close()


def test_files_and_what_was_skipped_are_kept_for_each_file(tmp_path: Path) -> None:
    writer = StoreWriter(tmp_path / "store.sqlite")
    add(writer, {"mir.md": TEXTS["mir.md"]})
    for path, reason in (("b.zip#2", "empty"), ("b.zip#1", "too large"), ("b.zip#1", "binary file")):
        writer.skip(SkippedFile(path, reason), "b.zip")
    writer.skip(SkippedFile("a.png", "no reader"), "a.png")
    writer.set_files({"gone.md": "0"})
    writer.set_files({"mir.md": "1", "b.zip": "2", "a.png": "3"})
    assert writer.counts() == (1, 2, 5, 4)
    writer.finish()
    store = Store(tmp_path / "store.sqlite")
    assert store.files() == {"mir.md": "1", "b.zip": "2", "a.png": "3"}
    assert store.failed() == ["a.png", "b.zip"]
    assert [(item.path, item.reason) for item in store.skipped_of("b.zip")] == [
        ("b.zip#2", "empty"),
        ("b.zip#1", "too large"),
        ("b.zip#1", "binary file"),
    ]
    assert [(item.path, item.reason) for item in store.skipped()] == [
        ("a.png", "no reader"),
        ("b.zip#1", "binary file"),
        ("b.zip#1", "too large"),
        ("b.zip#2", "empty"),
    ]
    store.close()
    writer = StoreWriter(tmp_path / "store.sqlite", 5)
    writer.remove("b.zip")
    writer.finish()
    store = Store(tmp_path / "store.sqlite")
    assert store.skipped() == [SkippedFile("a.png", "no reader")]
    store.close()


def test_a_word_that_occurs_very_often_is_counted_up_to_a_bound(tmp_path: Path) -> None:
    texts = {"often.md": "mir " * 700, "once.md": "mir", "other.md": "soyuz"}
    store = Store(write(tmp_path / "store.sqlite", texts))
    rows = [row for row, _ in store.bm25("mir", 5)]
    assert len(rows) == store.chunks_with(["mir"])["mir"] == store.chunks - 1
    store.close()


def test_threads_may_read_at_once(store: Store) -> None:
    questions = ["mir", "first station", "zarya", "sea 2001", "absent"] * 40
    expected = {question: store.bm25(question, 5) for question in questions}
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda question: store.bm25(question, 5), questions)) == [
            expected[question] for question in questions
        ]
        assert set(pool.map(store.document, ["mir.md"] * 100)) == {document("mir.md", TEXTS["mir.md"])}
