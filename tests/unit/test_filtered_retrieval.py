"""Retrieval under a filter is exactly retrieval among the admitted chunks, by each of its rankings."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import BagOfWordsEmbedder, FakeReader
from rag import retrieval
from rag.filters import NO_FILTER, Filter
from rag.indexing import build_index
from rag.picking import Picker, Steps
from rag.retrieval import ScoredChunk, Snapshot, search

EMBEDDER = BagOfWordsEmbedder()
PUBLISHERS = ("CGTN", "RT", "The Herald")
WORDS = [f"{start}{end}" for start in ("mir", "sal", "zar", "soy", "apo") for end in ("ta", "do", "ven", "lu", "kis")]


def article(chance: random.Random) -> str:
    head = [f"title: {chance.choice(WORDS).title()} {chance.choice(WORDS)}"]
    if chance.random() < 0.8:
        head.append(f"publisher: {chance.choice(PUBLISHERS)}")
    if chance.random() < 0.8:
        head.append(f"date: {chance.choice(['2020', '2020-07', '2020-07-15', '2021-06-18', '2022-01-01'])}")
    body = [
        " ".join(f"{' '.join(chance.choices(WORDS, k=chance.randint(3, 14))).capitalize()}." for _ in range(6))
        for _ in range(chance.randint(1, 4))
    ]
    return "\n".join(["---", *head, "---", "", *("\n\n# More\n\n".join(body)).split("\n")])


@pytest.fixture(scope="module", params=range(2))
def snapshot(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    """Sixty articles of random words, some without a publisher, some without a date."""
    folder: Path = tmp_path_factory.mktemp("random")
    chance = random.Random(request.param)
    (folder / "corpus").mkdir()
    for number in range(60):
        (folder / "corpus" / f"{number}.md").write_text(article(chance))
    build_index(folder / "corpus", folder / "index", EMBEDDER, chunk_tokens=40, max_file_bytes=10_000)
    opened = Snapshot(folder / "index")
    assert len(opened.chunks) > 200, "more than a ranking takes"
    yield opened
    opened.store.close()


FILTERS = [
    Filter(("CGTN",)),
    Filter(("RT", "The Herald")),
    Filter(since="2021"),
    Filter(until="2020-07"),
    Filter(("RT",), "2020-07-15", "2020-07-15"),
    Filter(("RT",), "2023"),
]


def admitted_rows(snapshot: Snapshot, filter: Filter) -> list[int]:
    """By looking at every chunk and its document."""
    store = snapshot.store
    found = []
    for row, chunk in sorted(store.chunks_by_row(range(store.chunks)).items()):
        document = store.document(chunk.document)
        assert document is not None
        if filter.admits(document):
            found.append(row)
    return found


def fused(snapshot: Snapshot, question: str, rows: list[int]) -> dict[int, float]:
    """The score of every one of these chunks, as the module documents it."""
    query = EMBEDDER.embed([question])[0]
    store = snapshot.store
    cosines = snapshot.chunks.get(np.array(rows)) @ query
    words = dict(store.bm25(question, store.chunks))
    nearest = dict.fromkeys(rows, -1.0)
    for sentence in store.sentences_of(rows):
        cosine = float((snapshot.sentences.get(np.array([sentence.row])) @ query)[0])
        nearest[sentence.chunk] = max(cosine, nearest[sentence.chunk])

    def scaled(values: list[float]) -> np.ndarray:
        spread = max(values) - min(values)
        return (np.array(values) - min(values)) / spread if spread else np.zeros(len(values))

    vectors = scaled([(float(cosine) + nearest[row]) / 2 for row, cosine in zip(rows, cosines, strict=True)])
    scores = 0.65 * vectors + 0.35 * scaled([words.get(row, 0.0) for row in rows])
    return dict(zip(rows, scores.tolist(), strict=True))


def ask(snapshot: Snapshot, question: str, k: int, filter: Filter = NO_FILTER) -> list[ScoredChunk]:
    return search(snapshot, question, EMBEDDER.embed([question])[0], k, filter=filter)


questions = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)


@pytest.mark.parametrize("filter", FILTERS, ids=str)
def test_it_is_brute_force_over_the_admitted(
    snapshot: Snapshot, filter: Filter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieval, "_POOL", snapshot.store.sentences)  # so that nothing is cut off before fusing
    rows = admitted_rows(snapshot, filter)
    assert len(rows) < 0.7 * snapshot.store.chunks

    @settings(max_examples=25)
    @given(questions)
    def check(question: str) -> None:
        expected = fused(snapshot, question, rows) if rows else {}
        found = ask(snapshot, question, snapshot.store.chunks, filter)
        assert {scored.chunk.row: scored.score for scored in found} == pytest.approx(expected, abs=1e-5)
        assert [scored.score for scored in found] == sorted((scored.score for scored in found), reverse=True)
        few = ask(snapshot, question, 5, filter)
        assert [scored.chunk.row for scored in few] == [scored.chunk.row for scored in found[:5]]

    check()


@pytest.mark.parametrize("filter", FILTERS[:4], ids=str)
@pytest.mark.parametrize("pool", [1, 10])
def test_the_rankings_are_not_cut_before_they_are_filtered(
    snapshot: Snapshot, filter: Filter, pool: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieval, "_POOL", pool)
    store, rows = snapshot.store, admitted_rows(snapshot, filter)
    assert len(rows) > 20
    sentences = {row: np.array([sentence.row for sentence in store.sentences_of([row])]) for row in rows}

    @settings(max_examples=25)
    @given(questions)
    def check(question: str) -> None:
        query = EMBEDDER.embed([question])[0]
        found = {scored.chunk.row: scored for scored in ask(snapshot, question, 3 * pool + 99, filter)}
        assert len(found) >= pool
        assert found.keys() <= set(rows)
        # Each ranking has brought up what is best among the admitted; ties may be cut either way.
        cosines = np.sort(snapshot.chunks.get(np.array(rows)) @ query)[::-1][:pool]
        assert sorted((scored.cosine for scored in found.values()), reverse=True)[:pool] == pytest.approx(cosines, abs=1e-5)  # fmt: skip
        for row, scored in found.items():
            nearest = float((snapshot.sentences.get(sentences[row]) @ query).max())
            assert scored.best_sentence_cosine == pytest.approx(nearest, abs=1e-5)
        words = [score for row, score in store.bm25(question, store.chunks) if row in set(rows)][:pool]
        assert sorted((scored.bm25 for scored in found.values()), reverse=True)[: len(words)] == pytest.approx(words)

    check()


@pytest.mark.parametrize("filter", FILTERS[:4], ids=str)
@pytest.mark.parametrize("k", [1, 16, 40, 60])
def test_all_passages_are_admitted_and_there_are_as_many_as_asked_for(
    snapshot: Snapshot, filter: Filter, k: int
) -> None:
    picker = Picker(EMBEDDER, FakeReader())
    found = picker.passages(snapshot, "mirta salven zarlu", k, filter)
    assert len({passage.chunk_id for passage in found}) == min(k, len(admitted_rows(snapshot, filter)))
    assert all(filter.admits(passage.document) for passage in found)
    assert not all(filter.admits(item.document) for item in picker.passages(snapshot, "mirta salven zarlu", 60))


def test_evidence_and_candidates_are_of_the_admitted(snapshot: Snapshot) -> None:
    picker, filter = Picker(EMBEDDER, FakeReader()), Filter(("RT",), "2020", "2020")
    picked = picker.pick(snapshot, "mirta salven", 10, 16, filter)
    assert len(picked.passages) == 10
    assert picked.evidence
    assert all(filter.admits(item.document) for item in (*picked.passages, *picked.evidence))
    found = picker.candidates(snapshot, "mirta salven", 12, filter)
    assert len(found.passages) == 12
    assert all(filter.admits(item.document) for item in found.passages)


@pytest.mark.parametrize("steps", [Steps(), Steps(rerank=False, ranking="cosine")], ids=str)
def test_where_nothing_is_admitted_nothing_is_found(snapshot: Snapshot, steps: Steps) -> None:
    picker, nothing = Picker(EMBEDDER, FakeReader(), steps), FILTERS[-1]
    assert snapshot.admitted(nothing).documents == 0
    picked = picker.pick(snapshot, "mirta salven", 10, 16, nothing)
    assert (picked.passages, picked.evidence, picked.confidence) == ((), (), 0.0)
    assert picker.passages(snapshot, "mirta salven", 30, nothing) == ()


def test_the_admitted_rows_are_worked_out_once(snapshot: Snapshot) -> None:
    one = snapshot.admitted(Filter(("CGTN",)))
    assert snapshot.admitted(Filter(("CGTN",))) is one
    assert one.chunks is not None
    assert np.flatnonzero(one.chunks).tolist() == admitted_rows(snapshot, Filter(("CGTN",)))
    documents = [document for document in snapshot.store.all_documents() if document.publisher == "CGTN"]
    assert one.documents == len(documents)
    assert snapshot.publishers == PUBLISHERS


def test_an_empty_filter_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Mir flew in 1986.")
    build_index(tmp_path, tmp_path / "index", EMBEDDER, chunk_tokens=40, max_file_bytes=1000)
    snapshot = Snapshot(tmp_path / "index")
    assert ask(snapshot, "Mir", 3, Filter()) == ask(snapshot, "Mir", 3)
    assert "origins" not in vars(snapshot.store)
    assert snapshot.admitted(NO_FILTER).chunks is None
    assert snapshot.admitted(NO_FILTER).documents == 1
