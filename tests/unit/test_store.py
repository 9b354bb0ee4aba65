"""The store gives back what was put in, and no question can break its search."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.chunking import pack_chunks
from rag.errors import IndexCorruptError
from rag.records import Document
from rag.sentences import split_sentences
from rag.store import Listed, Origin, RowRange, Store, StoredChunk, StoredSentence, StoreWriter

TEXTS = {
    "mir.md": "# Mir\n\nMir was a station. Mir was visited by many crews.\n\n# End\n\nMir fell into the sea in 2001.",
    "salyut.md": "Salyut 1 was the first station. It was launched in 1971.",
    "zarya.md": "Zarya is a module; its “NEAR” side is café-brown. 和平号空间站 flew.",
}


def document(path: str, text: str) -> Document:
    return Document(f"id-{path}", path, text, 0, f"sha of {path}", path.split(".")[0].title(), url="https://x.org/?a=1")


def write(path: Path, texts: dict[str, str]) -> Path:
    writer = StoreWriter(path)
    for name, text in texts.items():
        sentences = split_sentences(text)
        writer.add(document(name, text), pack_chunks(text, sentences, [10] * len(sentences), 30))
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
    assert store.document_rows() == {
        ("sha of mir.md", "Mir"): RowRange(0, 2, 0, 5),
        ("sha of salyut.md", "Salyut"): RowRange(2, 1, 5, 2),
        ("sha of zarya.md", "Zarya"): RowRange(3, 1, 7, 2),
    }
    assert store.chunk_of_sentences([0, 2, 4, 8, 99]) == {0: 0, 2: 0, 4: 1, 8: 3}


def test_chunks_and_sentences_by_row(store: Store) -> None:
    text = TEXTS["mir.md"]
    middle = text.index("# End")
    assert store.chunks_by_row([1, 42]) == {1: StoredChunk(1, "id-mir.md", middle, len(text))}
    assert store.sentences_of([1]) == [
        StoredSentence(3, 1, middle, middle + 5, False),
        StoredSentence(4, 1, middle + 7, len(text), True),
    ]
    assert [sentence.row for sentence in store.sentences_of([2, 0])] == [0, 1, 2, 5, 6]
    assert store.chunks_by_row([]) == {}
    assert store.sentences_of([]) == []


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
        among = bytes(row in wanted for row in range(store.chunks))
        assert store.bm25("mir station first", 10, among) == [found for found in every if found[0] in wanted]
        assert store.bm25("mir station first", 1, among) == [found for found in every if found[0] in wanted][:1]


def dated(path: str, title: str, published: str | None, text: str = "Mir flew.") -> Document:
    return Document(f"id-{path}", path, text, 0, path, title, "CGTN", None, published, "https://x.org", "kk")


def test_documents_are_listed_without_their_texts_newest_first(tmp_path: Path) -> None:
    writer = StoreWriter(tmp_path / "store.sqlite")
    text = "Mir – “МИР” 🚀 flew.\r\n\r\n# It fell\n\nMir fell."
    writer.add(dated("a.md", "No date", None), [])
    writer.add(dated("b.md", "Old", "2020"), [])
    sentences = split_sentences(text)
    writer.add(dated("c.md", "New", "2021-06-18", text), pack_chunks(text, sentences, [10] * len(sentences), 30))
    writer.add(dated("d.md", "First of that day", "2021-06-18"), [])
    writer.add(dated("e.md", "Old", "2020-01"), [])
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
    content = bytearray(path.read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(IndexCorruptError, match=r"store\.sqlite"):
        Store(path).document("mir.md")
