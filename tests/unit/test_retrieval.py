"""Three rankings are fused as documented, over one snapshot, and only with vectors of one model."""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from fakes import INDEX_FILES, BagOfWordsEmbedder
from rag import retrieval
from rag.embedding import Vectors
from rag.errors import IndexCorruptError, IndexMismatchError, IndexMissingError
from rag.indexing import build_index
from rag.picking import Picker, Steps
from rag.records import Passage
from rag.retrieval import Snapshot, candidate_sentences, passages, search

WriteCorpus = Callable[[Mapping[str, str | bytes]], Path]

ARTICLES = {
    "apollo.md": "# Apollo\n\nTwo spacecraft docked in orbit in July 1975. Their crews shook hands.",
    "mir.md": "# Mir\n\nMir was a modular station. Guests of twelve countries visited it.\n\n# Mir's end\n\nIt fell into the Pacific.",
    "salyut.md": "# Salyut\n\nSalyut 1 was the first station. It was launched in 1971.",
    "soyuz.md": "# Soyuz\n\nSoyuz has flown for half a century. It carries three people.",
}


def retrieve(snapshot: Snapshot, embedder: BagOfWordsEmbedder, question: str, k: int) -> list[Passage]:
    """What the fusion finds, before anything is read."""
    return list(Picker(embedder, None, Steps(rerank=False, ranking="cosine")).passages(snapshot, question, k))


@pytest.fixture
def index(write_corpus: WriteCorpus, tmp_path: Path, embedder: BagOfWordsEmbedder) -> Path:
    build_index(write_corpus(ARTICLES), tmp_path / "index", embedder, chunk_tokens=60, max_file_bytes=1000)
    return tmp_path / "index"


@pytest.fixture
def snapshot(index: Path) -> Snapshot:
    return Snapshot(index)


@pytest.mark.parametrize(
    ("question", "path", "quote"),
    [
        ("When was Salyut 1 launched?", "salyut.md", "launched in 1971"),
        ("Who visited the modular station?", "mir.md", "twelve countries"),
        ("Into which ocean did Mir fall?", "mir.md", "Pacific"),
        ("When did the spacecraft dock?", "apollo.md", "July 1975"),
    ],
)
def test_the_right_passage_comes_first(
    snapshot: Snapshot, embedder: BagOfWordsEmbedder, question: str, path: str, quote: str
) -> None:
    best, *others = retrieve(snapshot, embedder, question, 3)
    assert best.document.path == path
    assert quote in best.text
    assert best.text == best.document.text[best.start : best.end]
    scores = [passage.score for passage in (best, *others)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] <= 1
    assert scores[-1] >= 0


def test_the_fusion_is_the_documented_one(snapshot: Snapshot, embedder: BagOfWordsEmbedder) -> None:
    question = "Which station was visited by guests?"
    query = embedder.embed([question])[0]
    found = search(snapshot, question, query, 10)

    def scaled(values: list[float]) -> np.ndarray:
        return (np.array(values) - min(values)) / (max(values) - min(values))

    nearest = {}
    for sentence, cosine in candidate_sentences(snapshot, found, query):
        nearest[sentence.chunk] = max(cosine, nearest.get(sentence.chunk, -1.0))
    words = dict(snapshot.store.bm25(question, 10))
    assert [scored.best_sentence_cosine for scored in found] == pytest.approx([nearest[s.chunk.row] for s in found])
    assert [scored.bm25 for scored in found] == pytest.approx([words.get(s.chunk.row, 0.0) for s in found])
    expected = 0.65 * scaled([(s.cosine + s.best_sentence_cosine) / 2 for s in found])
    expected += 0.35 * scaled([s.bm25 for s in found])
    assert [scored.score for scored in found] == pytest.approx(expected.tolist())
    assert expected.tolist() == sorted(expected.tolist(), reverse=True)
    assert found[0].chunk.document == "mir-" + hashlib.sha256(b"mir.md").hexdigest()[:8]


def test_each_ranking_alone_can_bring_a_passage_up(
    snapshot: Snapshot, embedder: BagOfWordsEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieval, "_POOL", 1)
    query = embedder.embed(["Soyuz carries three people for half a century"])[0]
    found = {scored.chunk.document.split("-")[0]: scored for scored in search(snapshot, "Pacific", query, 5)}
    assert found["mir"].bm25 > 0
    assert found["soyuz"].bm25 == 0
    assert found["soyuz"].cosine > found["mir"].cosine


@pytest.mark.parametrize(("k", "found"), [(1, 1), (5, 5), (50, 5)])
def test_there_are_at_most_k_and_at_most_all(
    snapshot: Snapshot, embedder: BagOfWordsEmbedder, k: int, found: int
) -> None:
    rows = [passage.chunk_id for passage in retrieve(snapshot, embedder, "station", k)]
    assert len(rows) == len(set(rows)) == found


def test_a_smaller_k_gives_the_beginning_of_a_larger(snapshot: Snapshot, embedder: BagOfWordsEmbedder) -> None:
    question = "Who visited the first station in orbit?"
    assert retrieve(snapshot, embedder, question, 2) == retrieve(snapshot, embedder, question, 5)[:2]


class DenseEmbedder(BagOfWordsEmbedder):
    """As real models do, it fills every place of a vector, so that the order of additions shows in the last bit.

    Texts that differ in their figures alone have one vector, but are no copies of each other.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dimension = 384

    def _vector(self, text: str) -> Vectors:
        plain = "".join(char for char in text if not char.isdigit())
        vector = np.random.default_rng(list(plain.encode())).normal(size=384).astype(np.float32)
        return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("copies", [2, 6, 23, 90])
def test_equal_scores_are_in_order_of_documents(tmp_path: Path, write_corpus: WriteCorpus, copies: int) -> None:
    embedder = DenseEmbedder()
    texts = {
        f"{n}/same.md": f"---\ntitle: Same\n---\nThe very same words stand in report {n} here." for n in range(copies)
    }
    corpus = write_corpus(texts)
    build_index(corpus, tmp_path / "index", embedder, chunk_tokens=60, max_file_bytes=1000)
    for question in ("same words", "standing report", "here"):
        found = retrieve(Snapshot(tmp_path / "index"), embedder, question, copies)
        assert len({passage.score for passage in found}) == 1, "a product must not depend on its place in a matrix"
        names = [passage.document.id for passage in found]
        assert len(names) == copies
        assert names == sorted(names)


def test_a_question_without_words_still_has_neighbours(snapshot: Snapshot, embedder: BagOfWordsEmbedder) -> None:
    assert len(retrieve(snapshot, embedder, "?!", 3)) == 3


def test_candidate_sentences_are_all_of_the_found_chunks(snapshot: Snapshot, embedder: BagOfWordsEmbedder) -> None:
    query = embedder.embed(["It was launched in 1971."])[0]
    found = search(snapshot, "launched in 1971", query, 1)
    (passage,) = passages(snapshot, found)
    sentences = candidate_sentences(snapshot, found, query)
    texts = [passage.document.text[sentence.start : sentence.end] for sentence, _ in sentences]
    assert texts == ["# Salyut", "Salyut 1 was the first station.", "It was launched in 1971."]
    assert sentences[2][1] == pytest.approx(1.0, abs=1e-3), "vectors are stored in half precision"
    assert candidate_sentences(snapshot, [], query) == []


def test_vectors_of_two_models_are_never_compared(snapshot: Snapshot) -> None:
    with pytest.raises(IndexMismatchError) as caught:
        retrieve(snapshot, BagOfWordsEmbedder("another"), "station", 3)
    assert "bag-of-words" in caught.value.problem
    assert "another" in caught.value.problem
    assert "rag index" in caught.value.remedy


def test_a_snapshot_outlives_its_generation(
    snapshot: Snapshot, index: Path, embedder: BagOfWordsEmbedder, write_corpus: WriteCorpus
) -> None:
    before = retrieve(snapshot, embedder, "first station", 5)
    build_index(
        write_corpus({"new.md": "The first station of all."}), index, embedder, chunk_tokens=60, max_file_bytes=1000
    )
    assert retrieve(snapshot, embedder, "first station", 5) == before
    assert snapshot.name == "gen-000001"
    assert Snapshot(index).name == "gen-000002"
    assert retrieve(Snapshot(index), embedder, "first station", 1)[0].document.path == "new.md"


@pytest.mark.parametrize("name", INDEX_FILES)
def test_files_of_two_generations_are_not_mixed(index: Path, write_corpus: WriteCorpus, name: str) -> None:
    corpus = write_corpus({"new.md": "One more article.\n\n# It has\n\nTwo chunks."})
    other = build_index(corpus, index.parent / "other", BagOfWordsEmbedder(), chunk_tokens=60, max_file_bytes=1000)
    folder = index / "gen-000001"
    shutil.copy(other.generation.folder / name, folder / name)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = other.generation.manifest.files[name]  # as if it had been sealed that way
    content = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(content)
    (index / "CURRENT").write_text(f"gen-000001 {hashlib.sha256(content).hexdigest()}")
    with pytest.raises(IndexMismatchError, match="do not belong together"):
        Snapshot(index)


def test_a_missing_or_cut_index_is_told(index: Path, tmp_path: Path) -> None:
    with pytest.raises(IndexMissingError):
        Snapshot(tmp_path / "nowhere")
    (index / "gen-000001" / "sentences-000001.f16").write_bytes(b"")
    with pytest.raises(IndexCorruptError, match=r"sentences-000001\.f16"):
        Snapshot(index)


def test_found_passages_are_plain_records(snapshot: Snapshot, embedder: BagOfWordsEmbedder) -> None:
    (passage,) = retrieve(snapshot, embedder, "Soyuz", 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        passage.score = 2.0  # type: ignore[misc]
    assert type(passage.score) is float
    assert type(passage.chunk_id) is int
