"""Every step of finding can be left out; the reader orders passages and sentences where it may, and only there."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from fakes import BagOfWordsEmbedder, FakeReader
from rag import picking
from rag.evidence import FEATURES
from rag.indexing import build_index
from rag.picking import Picked, Picker, Steps
from rag.reading import Reading
from rag.records import Document, Passage
from rag.retrieval import Snapshot

QUESTION = "Which station flew around the Earth?"
NAMES = ("Almaz", "Mir", "Salyut", "Skylab", "Zarya")
FUSED = Steps(rerank=False, ranking="cosine")
UNREAD = [
    Steps(retrieval, rerank=False, ranking=ranking)
    for retrieval in ("fusion", "chunks+words", "chunks")
    for ranking in ("words", "cosine")
]


class PartialReader:
    """Is sure of every passage that holds a phrase, and sure that no other one holds the answer."""

    def __init__(self, liked: str) -> None:
        self.liked = liked
        self.read_passages: list[str] = []

    def read(self, question: str, passages: Sequence[tuple[str, str]]) -> list[Reading | None]:
        self.read_passages += [text for _, text in passages]
        return [self._read(text) for _, text in passages]

    def _read(self, text: str) -> Reading:
        start = text.find(self.liked)
        if start < 0:
            return Reading(0, 1, -9.0, np.zeros(1), np.zeros(1), np.zeros(1), ((0, 1),))
        span = (start, start + len(self.liked))
        return Reading(*span, 9.0, np.ones(1), np.ones(1), np.ones(1), (span,))


Index = Callable[[Mapping[str, str]], Snapshot]


@pytest.fixture
def index(write_corpus: Callable[[Mapping[str, str]], Path], tmp_path: Path, embedder: BagOfWordsEmbedder) -> Index:
    def build(files: Mapping[str, str]) -> Snapshot:
        build_index(write_corpus(files), tmp_path / "index", embedder, chunk_tokens=60, max_file_bytes=10_000)
        return Snapshot(tmp_path / "index")

    return build


@pytest.fixture
def snapshot(index: Index) -> Snapshot:
    """Five articles that differ in a name, so that only the reader can tell them apart."""
    return index(dict(article(name) for name in NAMES))


def article(name: str, language: str = "en") -> tuple[str, str]:
    head = f"---\ntitle: An article\nlanguage: {language}\n---\n\n"
    return f"{name.lower()}.md", f"{head}The station {name} flew around the Earth. Its crews came home safely.\n"


def paths(found: Sequence[Passage] | Picked) -> list[str]:
    passages = found.passages if isinstance(found, Picked) else found
    return [passage.document.path.removesuffix(".md") for passage in passages]


def fused(snapshot: Snapshot, embedder: BagOfWordsEmbedder, k: int = 5) -> list[str]:
    return paths(Picker(embedder, None, FUSED).passages(snapshot, QUESTION, k))


@pytest.mark.parametrize("steps", UNREAD, ids=str)
def test_steps_without_the_reader_never_call_it(snapshot: Snapshot, embedder: BagOfWordsEmbedder, steps: Steps) -> None:
    assert not steps.reads
    reader = FakeReader()
    unread, read = Picker(embedder, None, steps), Picker(embedder, reader, steps)
    picked = unread.pick(snapshot, QUESTION, 3, 5)
    assert picked.evidence == read.pick(snapshot, QUESTION, 3, 5).evidence
    assert all(item.answer is None for item in picked.evidence)
    assert unread.passages(snapshot, QUESTION, 3) == picked.passages == read.passages(snapshot, QUESTION, 3)
    assert reader.asked == []


@pytest.mark.parametrize("steps", [Steps(), Steps(rerank=False), Steps(ranking="words")], ids=str)
def test_the_other_steps_ask_it_once_about_every_passage(
    snapshot: Snapshot, embedder: BagOfWordsEmbedder, steps: Steps
) -> None:
    assert steps.reads
    reader = FakeReader()
    Picker(embedder, reader, steps).pick(snapshot, QUESTION, 2, 4)
    ((question, read),) = reader.asked
    assert question == QUESTION
    assert len(read) == 4
    assert all(title == "An article" and text.endswith("came home safely.") for title, text in read)


@pytest.mark.parametrize("ranking", ["reader", "words"])
@pytest.mark.parametrize("liked", NAMES)
def test_the_passage_that_the_reader_likes_comes_first(
    snapshot: Snapshot, embedder: BagOfWordsEmbedder, liked: str, ranking: str
) -> None:
    picker = Picker(embedder, PartialReader(liked), Steps(ranking=ranking))  # type: ignore[arg-type]
    picked = picker.pick(snapshot, QUESTION, 5, 5)
    assert paths(picked)[0] == liked.lower()
    assert sorted(paths(picked)) == sorted(fused(snapshot, embedder))
    scores = [passage.score for passage in picked.passages]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > scores[1]
    assert all(0 < score < 1 for score in scores)
    assert picker.passages(snapshot, QUESTION, 5) == picked.passages
    assert len({passage.chunk_id for passage in picked.passages}) == 5


def test_without_reranking_the_reader_ranks_sentences_alone(snapshot: Snapshot, embedder: BagOfWordsEmbedder) -> None:
    last = fused(snapshot, embedder)[-1].title()
    picker = Picker(embedder, PartialReader(last), Steps(rerank=False))
    picked = picker.pick(snapshot, QUESTION, 5, 5)
    assert paths(picked) == paths(picker.passages(snapshot, QUESTION, 5)) == fused(snapshot, embedder)
    best = picked.evidence[0]
    assert best.text == f"The station {last} flew around the Earth."
    assert best.answer is not None
    assert best.document.text[slice(*best.answer)] == last


def test_sentences_come_only_from_the_passages_that_are_kept(snapshot: Snapshot, embedder: BagOfWordsEmbedder) -> None:
    last = fused(snapshot, embedder)[-1]
    reader = PartialReader(last.title())
    picked = Picker(embedder, reader).pick(snapshot, QUESTION, 2, 5)
    assert len(reader.read_passages) == 5
    assert paths(picked)[0] == last, "the last one retrieved must be read too"
    assert len(picked.passages) == 2
    assert {item.document.path for item in picked.evidence} == {passage.document.path for passage in picked.passages}
    assert len(picked.evidence) == 4
    scores = [item.score for item in picked.evidence]
    assert scores == sorted(scores, reverse=True)
    assert picked.passages[0].score == scores[0]


def test_confidence_is_of_the_sentences_that_are_kept(snapshot: Snapshot, embedder: BagOfWordsEmbedder) -> None:
    last = fused(snapshot, embedder)[-1].title()
    picker = Picker(embedder, PartialReader(last), Steps(rerank=False))
    few, all_of_them = picker.pick(snapshot, QUESTION, 2, 5), picker.pick(snapshot, QUESTION, 5, 5)
    assert last not in few.evidence[0].text
    assert 0 < few.confidence < all_of_them.confidence


def test_no_fewer_are_read_than_kept(snapshot: Snapshot, embedder: BagOfWordsEmbedder) -> None:
    reader = PartialReader("Mir")
    assert len(Picker(embedder, reader).pick(snapshot, QUESTION, 4, 1).passages) == 4
    assert len(reader.read_passages) == 4


def test_a_long_list_is_reranked_at_its_head_alone(index: Index, embedder: BagOfWordsEmbedder) -> None:
    names = [f"Station{number}" for number in range(30)]
    snapshot = index(dict(article(name) for name in names))
    order = fused(snapshot, embedder, 30)
    head, tail = order[12].title(), order[20].title()
    for liked, places in ((head, range(12)), (tail, range(20, 21))):
        reader = PartialReader(f"{liked} ")
        found = Picker(embedder, reader).passages(snapshot, QUESTION, 25)
        assert paths(found).index(liked.lower()) in places
        assert len(found) == len(set(paths(found))) == 25
        assert len(reader.read_passages) == 16
        scores = [passage.score for passage in found]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("language", ["kk", "de-AT", "ENG"])
def test_in_another_language_cosines_alone_decide(index: Index, embedder: BagOfWordsEmbedder, language: str) -> None:
    snapshot = index(dict(article(name, language) for name in NAMES))
    order = fused(snapshot, embedder)
    picker = Picker(embedder, PartialReader(order[-1].title()))
    plain = Picker(embedder, None, FUSED).pick(snapshot, QUESTION, 5, 5)
    picked = picker.pick(snapshot, QUESTION, 5, 5)
    assert paths(picked) == paths(picker.passages(snapshot, QUESTION, 5)) == order
    assert picked.passages == plain.passages
    assert [(item.start, item.score) for item in picked.evidence] == [(i.start, i.score) for i in plain.evidence]
    assert picked.confidence == plain.confidence > 0


@pytest.mark.parametrize("language", ["en", "EN", "en-GB"])
def test_only_the_best_passage_decides_about_the_language(
    index: Index, embedder: BagOfWordsEmbedder, language: str
) -> None:
    best = (
        "best.md",
        f"---\ntitle: Earth\nlanguage: {language}\n---\n\nWhich station flew around the Earth is told.\n",
    )
    snapshot = index(dict([best, *(article(name, "kk") for name in NAMES)]))
    assert fused(snapshot, embedder)[0] == "best"
    picked = Picker(embedder, PartialReader("Zarya")).pick(snapshot, QUESTION, 6, 6)
    assert paths(picked)[0] == "zarya"
    assert picked.evidence[0].text == "The station Zarya flew around the Earth."


@pytest.mark.parametrize("steps", [Steps(), FUSED], ids=str)
def test_without_evidence_there_is_no_confidence(index: Index, embedder: BagOfWordsEmbedder, steps: Steps) -> None:
    snapshot = index({"headings.md": "# Which station flew around the Earth?\n\nMir.\n", "bare.md": "Mir flew\n"})
    picked = Picker(embedder, FakeReader(), steps).pick(snapshot, QUESTION, 3, 5)
    assert picked.evidence == ()
    assert picked.confidence == 0
    assert len(picked.passages) == 2


def test_confidence_rises_with_what_the_reader_finds(snapshot: Snapshot, embedder: BagOfWordsEmbedder) -> None:
    sure = Picker(embedder, PartialReader("Mir")).pick(snapshot, QUESTION, 5, 5).confidence
    unsure = Picker(embedder, PartialReader("nothing at all")).pick(snapshot, QUESTION, 5, 5).confidence
    assert 0 < unsure < sure < 1


@pytest.mark.parametrize("steps", [Steps(), FUSED], ids=str)
@pytest.mark.parametrize(("k", "count"), [(1, 1), (3, 3), (5, 5), (50, 5)])
def test_there_are_at_most_k_passages(
    snapshot: Snapshot, embedder: BagOfWordsEmbedder, steps: Steps, k: int, count: int
) -> None:
    found = Picker(embedder, FakeReader(), steps).passages(snapshot, QUESTION, k)
    assert len({passage.chunk_id for passage in found}) == len(found) == count


def test_missing_names_are_told_as_typed(snapshot: Snapshot, embedder: BagOfWordsEmbedder) -> None:
    picked = Picker(embedder, None, FUSED).pick(snapshot, "Did Stations of ESA and Mir fly in 1986?", 1, 1)
    assert picked.missing_words == ("ESA", "1986")


@pytest.mark.parametrize(
    ("asked", "missing"), [("Malaysian", ()), ("Turk", ()), ("Turkish", ()), ("Tur", ("Tur",)), ("Turin", ("Turin",))]
)
def test_a_word_of_the_same_kin_is_not_told_to_be_missing(
    asked: str, missing: tuple[str, ...], index: Index, embedder: BagOfWordsEmbedder
) -> None:
    snapshot = index({"a.md": "The crew came from Malaysia and from Turkey."})
    assert (
        Picker(embedder, None, FUSED).pick(snapshot, f"Who was the first {asked} in space?", 1, 1).missing_words
        == missing
    )


def test_candidates_know_every_feature(snapshot: Snapshot, embedder: BagOfWordsEmbedder) -> None:
    found = Picker(embedder, PartialReader("Mir")).candidates(snapshot, QUESTION, 5)
    assert found.features.shape == (10, len(FEATURES)) == (len(found.spans), len(FEATURES))
    assert np.isfinite(found.features).all()
    texts = [found.passages[passage].document.text for passage, _, _ in found.spans]
    spans = zip(texts, found.answers, strict=True)
    (answered,) = (row for row, (text, span) in enumerate(spans) if span and text[slice(*span)] == "Mir")
    mass = found.features[:, FEATURES.index("answer_mass")]
    assert mass.argmax() == answered
    assert mass[answered] == 1
    unread = Picker(embedder, None, FUSED).candidates(snapshot, QUESTION, 5)
    assert unread.features[:, FEATURES.index("answer_mass")].max() == 0
    assert [start for start in found.context_starts if start is not None] == [start for _, start, _ in found.spans[::2]]


@pytest.mark.parametrize(
    ("sentence", "found", "alike"),
    [
        ("Salyut 6 fell in 1982.", "1982", True),
        ("Salyut 6 fell in 1982.", "in 1982", True),
        ("Salyut 6 fell in 1982, and Mir in 2001.", "2001", False),
        ("Salyut 6 fell in 1982 and not before.", "in 1982 and not before", False),
        ("Salyut 6 fell in 1983.", "1983", False),
        ("Salyut 6 fell in 19820 days.", "19820", False),
    ],
    ids=["the same", "a word more", "another one", "much more", "not in it", "part of a word"],
)
def test_a_rewording_must_hold_the_answer_and_the_reader_must_find_it(
    embedder: BagOfWordsEmbedder, sentence: str, found: str, alike: bool
) -> None:
    assert Picker(embedder, FakeReader([found])).answers_alike("When did Salyut 6 fall?", sentence, "1982") is alike


@pytest.mark.parametrize(("sentence", "alike"), [("It fell in 1982.", True), ("It fell in 19820 days.", False)])
def test_without_a_reader_it_is_enough_to_hold_the_answer(
    embedder: BagOfWordsEmbedder, sentence: str, alike: bool
) -> None:
    assert Picker(embedder, None, FUSED).answers_alike("When did it fall?", sentence, "1982") is alike


def test_sentences_around_boilerplate_are_not_quoted_as_one() -> None:
    text = "It rained. Share this. It stopped. It froze."
    source = Document("a", "a.txt", text, 0, "", "Rain", boilerplate=((11, 22),))
    assert not picking._adjoin(source, 10, 23)
    assert picking._adjoin(source, 34, 35)
