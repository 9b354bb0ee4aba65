"""The evidence flow: standalone question → passages and the sentences that answer it, with probabilities."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag import evidence
from rag.embedding import Embedder, Vectors
from rag.evidence import PassageScores, QuestionWords, SentenceReading
from rag.reader import Reader
from rag.reading import Reading
from rag.records import Evidence, Passage
from rag.retrieval import ScoredChunk, Snapshot, candidate_sentences, passages, search
from rag.store import StoredSentence
from rag.wording import content_stems, names, stem

_NO_MARGIN = -20.0
"""Stands for the margin of a passage without words."""


@dataclass(frozen=True, slots=True)
class Picked:
    """What is known of a question before a word is written."""

    question: str
    passages: tuple[Passage, ...]
    evidence: tuple[Evidence, ...]
    """Citable sentences of the passages, best first."""
    missing_words: tuple[str, ...]
    """Names and numbers of the question that occur nowhere in the index, as typed."""
    retrieve_seconds: float = 0.0
    evidence_seconds: float = 0.0
    """For reading and ranking, after retrieving."""

    @property
    def confidence(self) -> float:
        """Probability that the best sentence answers the question."""
        return self.evidence[0].score if self.evidence else 0.0


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidate sentences of a question with their features; what the weights are fitted on."""

    passages: tuple[Passage, ...]
    spans: tuple[tuple[int, int, int], ...]
    """For each candidate: its passage's position, start and end in the document."""
    answers: tuple[tuple[int, int] | None, ...]
    """For each candidate: the reader's best span in the document where it lies in the sentence."""
    context_starts: tuple[int | None, ...]
    """For each candidate: where the sentence right before it starts, if that one is citable too."""
    features: evidence.Features
    """Shape ``(candidates, len(FEATURES))``."""
    retrieve_seconds: float


class Picker:
    """Retrieves, reads and ranks."""

    def __init__(self, embedder: Embedder, reader: Reader) -> None:
        self._embedder = embedder
        self._reader = reader

    def pick(self, snapshot: Snapshot, question: str, k: int) -> Picked:
        """Rank the sentences of the ``k`` best passages."""
        began = time.perf_counter()
        found = self.candidates(snapshot, question, k)
        scores = evidence.probability(found.features) if len(found.features) else np.zeros(0)
        ranked = []
        for position in np.argsort(-scores, kind="stable"):
            passage, start, end = found.spans[position]
            document = found.passages[passage].document
            ranked.append(
                Evidence(
                    document,
                    start,
                    end,
                    float(scores[position]),
                    found.answers[position],
                    found.context_starts[position],
                )
            )
        missing = self._missing_words(snapshot, question)
        spent = time.perf_counter() - began - found.retrieve_seconds
        return Picked(question, found.passages, tuple(ranked), missing, found.retrieve_seconds, spent)

    def candidates(self, snapshot: Snapshot, question: str, k: int) -> Candidates:
        """Every citable sentence of the ``k`` best passages with its features."""
        began = time.perf_counter()
        snapshot.check_model(self._embedder)
        query = self._embedder.embed([question])[0]
        found = search(snapshot, question, query, k)
        retrieved = passages(snapshot, found)
        seconds = time.perf_counter() - began
        readings = self._reader.read(question, [(passage.document.title, passage.text) for passage in retrieved])
        known = snapshot.store.chunks_with(dict.fromkeys(content_stems(question)))
        words = QuestionWords.of(question, known, snapshot.store.chunks)
        return _candidates(words, snapshot, found, retrieved, readings, query, seconds)

    def _missing_words(self, snapshot: Snapshot, question: str) -> tuple[str, ...]:
        written = names(question)
        stemmed = {word: stem(word.lower()) for word in written}
        known = snapshot.store.chunks_with(dict.fromkeys(stemmed.values()))
        return tuple(dict.fromkeys(word for word in written if stemmed[word] not in known))


def _candidates(
    words: QuestionWords,
    snapshot: Snapshot,
    found: Sequence[ScoredChunk],
    retrieved: Sequence[Passage],
    readings: Sequence[Reading | None],
    query: Vectors,
    retrieve_seconds: float,
) -> Candidates:
    positions = {scored.chunk.row: position for position, scored in enumerate(found)}
    best_margin = max((reading.margin for reading in readings if reading), default=_NO_MARGIN)
    rows: list[evidence.Features] = []
    spans: list[tuple[int, int, int]] = []
    answers: list[tuple[int, int] | None] = []
    context_starts: list[int | None] = []
    before: dict[int, StoredSentence] = {}
    for sentence, cosine in candidate_sentences(snapshot, found, query):
        position = positions[sentence.chunk]
        passage, scored, reading = retrieved[position], found[position], readings[position]
        text = passage.document.text[sentence.start : sentence.end]
        previous = before.get(sentence.chunk)
        if sentence.citable:
            start, end = sentence.start - passage.start, sentence.end - passage.start
            margin = reading.margin if reading else _NO_MARGIN
            rows.append(
                evidence.features(
                    words,
                    text,
                    passage.document.text[previous.start : previous.end] if previous else "",
                    f"{passage.document.title}\n{passage.text}",
                    cosine,
                    PassageScores(
                        scored.cosine, scored.best_sentence_cosine, scored.bm25, found[0].score - scored.score
                    ),
                    SentenceReading(reading.mass_within(start, end) if reading else 0.0, margin, best_margin - margin),
                )
            )
            spans.append((position, sentence.start, sentence.end))
            inside = reading is not None and start <= reading.start and reading.end <= end
            answers.append((passage.start + reading.start, passage.start + reading.end) if reading and inside else None)
            context_starts.append(previous.start if previous and previous.citable else None)
        before[sentence.chunk] = sentence
    features = np.array(rows) if rows else np.zeros((0, len(evidence.FEATURES)))
    return Candidates(tuple(retrieved), tuple(spans), tuple(answers), tuple(context_starts), features, retrieve_seconds)
