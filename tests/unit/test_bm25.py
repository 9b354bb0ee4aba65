"""BM25 is the documented formula, scores as SQLite's FTS5 does, and is the same however rows are laid out."""

import contextlib
import math
import random
import sqlite3
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.bm25 import MOST_COUNTED, Mask, best, weight
from rag.records import Chunk, Document
from rag.store import Store, StoreWriter
from rag.wording import stems

ALPHABET = "abcdefgh"
texts = st.lists(st.lists(st.sampled_from(ALPHABET), max_size=12), min_size=1, max_size=14)
questions = st.lists(st.sampled_from(ALPHABET + "z"), min_size=1, max_size=5, unique=True)


def postings(rows: list[list[str]], words: list[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    found = []
    for word in words:
        holding = [(row, text.count(word)) for row, text in enumerate(rows) if word in text]
        if holding:
            numbers, counts = zip(*holding, strict=True)
            found.append((np.array(numbers, np.uint32), np.array(counts, np.uint8)))
    return found


def run(
    rows: list[list[str]], words: list[str], k: int, among: Mask | None = None, alive: Mask | None = None
) -> list[tuple[int, float]]:
    """As the store does it: rows that are not alive count in no weight and in no average, and are never found."""
    counted = [text for row, text in enumerate(rows) if alive is None or alive[row]]
    lengths = np.array([len(text) for text in rows], np.uint32)
    if alive is not None:
        among = alive if among is None else among & alive
    weighted = [
        (weight(holding, len(counted)), partial(tuple, found))
        for found in postings(rows, words)
        if (holding := sum(alive is None or alive[row] for row in found[0]))
    ]
    average = sum(map(len, counted)) / max(1, len(counted))
    return best(weighted, lengths, average, k, among) if weighted else []


def reference(rows: list[list[str]], words: list[str]) -> dict[int, float]:
    """Written from the formula, one chunk and one word after the other."""
    average = sum(map(len, rows)) / len(rows)
    scores = {}
    for row, text in enumerate(rows):
        score = 0.0
        for word in words:
            often, holding = text.count(word), sum(word in other for other in rows)
            if often:
                inverse = max(math.log((len(rows) - holding + 0.5) / (holding + 0.5)), 1e-6)
                score += inverse * often * 2.2 / (often + 1.2 * (0.25 + 0.75 * len(text) / average))
        if score:
            scores[row] = score
    return scores


@given(texts, questions)
def test_it_is_the_formula(rows: list[list[str]], words: list[str]) -> None:
    found = run(rows, words, 99)
    assert dict(found) == pytest.approx(reference(rows, words), rel=1e-5)
    assert len(dict(found)) == len(found)
    assert found == sorted(found, key=lambda item: (-item[1], item[0])), "best first, equal ones in order of rows"


@settings(max_examples=50)
@given(texts, questions, st.integers(0, 6))
def test_a_smaller_k_gives_the_beginning(rows: list[list[str]], words: list[str], k: int) -> None:
    assert run(rows, words, k) == run(rows, words, 99)[:k]


@settings(max_examples=50)
@given(texts, questions, st.integers(0, 6), st.randoms(use_true_random=False))
def test_a_mask_leaves_scores_as_they_are(
    rows: list[list[str]], words: list[str], k: int, chance: random.Random
) -> None:
    among = np.array([chance.random() < 0.5 for _ in rows], np.bool_)
    assert run(rows, words, k, among) == [found for found in run(rows, words, 99) if among[found[0]]][:k]


@settings(max_examples=60)
@given(texts, questions, st.randoms(use_true_random=False), st.booleans())
def test_empty_rows_are_as_if_they_had_never_been(
    rows: list[list[str]], words: list[str], chance: random.Random, masked: bool
) -> None:
    alive = np.array([chance.random() < 0.6 for _ in rows], np.bool_)
    among = np.array([chance.random() < 0.6 for _ in rows], np.bool_) if masked else None
    places = np.flatnonzero(alive)
    left = [rows[place] for place in places]
    expected = run(left, words, 99, among[places] if among is not None else None) if left else []
    assert run(rows, words, 99, among, alive) == [(int(places[row]), score) for row, score in expected]


@settings(max_examples=30)
@given(st.randoms(use_true_random=False), st.integers(1, 12))
def test_rows_that_cannot_be_among_the_best_are_left_out_without_changing_them(chance: random.Random, k: int) -> None:
    weights = [2.0**-rank for rank in range(8)]
    rows = [chance.choices(ALPHABET, weights, k=chance.randint(1, 30)) for _ in range(200)]
    words = chance.sample(ALPHABET, 5)
    found, every = run(rows, words, k), run(rows, words, 200)
    assert [score for _, score in found] == pytest.approx([score for _, score in every[:k]], rel=1e-5)
    scores = dict(every)
    assert all(score == pytest.approx(scores[row], rel=1e-5) for row, score in found)


def test_equal_scores_are_cut_in_order_of_rows() -> None:
    rows = [["a", "b"]] * 40 + [["c", "d"]] * 60
    assert [row for row, _ in run(rows, ["a"], 7)] == list(range(7))
    among = np.arange(100) % 3 == 2
    assert [row for row, _ in run(rows, ["a"], 4, among)] == [2, 5, 8, 11]


@pytest.mark.parametrize("k", [0, 1, 5])
def test_without_words_or_chunks_nothing_is_found(k: int) -> None:
    assert run([["a"], ["b"]], ["z"], k) == []
    assert run([[], []], ["z"], k) == []
    nothing = np.zeros(2, np.bool_)
    assert run([["a"], ["b"]], ["a"], k, nothing) == []
    assert run([["a"], ["b"]], ["a"], k, None, nothing) == []


def test_a_word_of_most_chunks_counts_next_to_nothing_and_a_rare_one_much() -> None:
    weights = [weight(holding, 100) for holding in (1, 10, 49, 50, 51, 100)]
    assert weights[0] == pytest.approx(math.log(99.5 / 1.5))
    assert weights == sorted(weights, reverse=True)
    assert weights[3:] == [1e-6] * 3
    found = dict(run([["a", "b"], ["a", "c"], ["a", "d"]], ["a", "b"], 9))
    assert len(found) == 3, "it is found all the same"
    assert found[0] > 1000 * found[1] > 0


def test_counts_level_off_before_their_bound() -> None:
    lengths = np.array([1000, 1000, 1000, 1000, 1000], np.uint32)
    counts = np.array([MOST_COUNTED, 250], np.uint8)
    found = best([(weight(2, 5), lambda: (np.array([0, 1], np.uint32), counts))], lengths, 1000, 5)
    assert found[0][1] / found[1][1] == pytest.approx(1.0, abs=1e-3)


def fts5(rows: list[list[str]], words: list[str]) -> list[tuple[int, float]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        try:
            database.execute("CREATE VIRTUAL TABLE stemmed USING fts5(words)")
        except sqlite3.OperationalError:
            pytest.skip("this SQLite has no FTS5")
        database.executemany("INSERT INTO stemmed (rowid, words) VALUES (?, ?)", enumerate(map(" ".join, rows), 1))
        query = " OR ".join(f'"{word}"' for word in words)
        sql = "SELECT rowid - 1, -bm25(stemmed) FROM stemmed WHERE stemmed MATCH ? ORDER BY 2 DESC, 1"
        return list(database.execute(sql, (query,)))


@pytest.mark.parametrize("seed", range(2))
def test_it_ranks_as_fts5_does_on_the_same_stems(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    vocabulary = [f"{first}{second}" for first in "bdfgklmnp" for second in ("ar", "ent", "ol", "ush", "ic")]
    weights = [1 / (rank + 1) for rank in range(len(vocabulary))]
    rows = [chance.choices(vocabulary, weights, k=chance.randint(1, 60)) for _ in range(300)]
    writer = StoreWriter(tmp_path / "store.sqlite")
    for number, row in enumerate(rows):
        text = " ".join(row)
        # A title that holds no word: it is a part of every chunk.
        document = Document(f"d{number}", f"{number}.md", text, 0, str(number), "–")
        writer.add(document, [Chunk(0, len(text), ())], [text], f"{number}.md")
    writer.finish()
    store = Store(tmp_path / "store.sqlite")
    stemmed = [stems(" ".join(row)) for row in rows]
    for _ in range(40):
        question = " ".join(chance.choices(vocabulary, k=chance.randint(1, 6)))
        expected = fts5(stemmed, list(dict.fromkeys(stems(question))))
        found = store.bm25(question, 999)
        assert dict(found) == pytest.approx(dict(expected), rel=1e-5)
        scores = [score for _, score in expected]
        assert [dict(expected)[row] for row, _ in found] == pytest.approx(scores, rel=1e-5), "the same ranking"
    store.close()


@settings(max_examples=30)
@given(st.lists(st.lists(st.sampled_from(["mir", "flew", "far"]), max_size=9), min_size=1, max_size=6))
def test_the_store_counts_words_as_the_texts_hold_them(rows: list[list[str]]) -> None:
    counted = [Counter(stems(" ".join(row))) for row in rows]
    found = run([list(counts.elements()) for counts in counted], ["mir", "far"], 9)
    assert found == run([stems(" ".join(row)) for row in rows], ["mir", "far"], 9)
