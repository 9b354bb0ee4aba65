"""The evidence flow: standalone question → passages and the sentences that answer it, with probabilities."""

import dataclasses
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag import evidence
from rag.embedding import Embedder, Vectors
from rag.evidence import PassageScores, QuestionWords, Ranking, SentenceReading
from rag.filters import NO_FILTER, Filter
from rag.metrics import contains_gold, token_f1
from rag.prose import Prose, prose
from rag.reader import Reader
from rag.reading import Reading
from rag.records import Document, Evidence, Passage
from rag.retrieval import Retrieval, ScoredChunk, Snapshot, candidate_sentences, passages, search
from rag.store import StoredSentence
from rag.wording import content_stems, names, stem

READER_LANGUAGE = "en"
"""The reader was trained on English alone."""
_READ_TO_SEARCH = 16
_ALIKE = 0.5
"""Least token F1 of two spans that are taken for the same answer."""
_BEGINNING, _ENDING = 4, 3
"""Least letters that two words of one kin begin with, and most that follow in the one asked for: "Turkish" and "Turkey"."""
_NO_MARGIN = -20.0
"""Stands for the margin of a passage without words."""


@dataclass(frozen=True, slots=True)
class Picked:
    """What is known of a question before a word is written."""

    question: str
    passages: tuple[Passage, ...]
    """Best first."""
    evidence: tuple[Evidence, ...]
    """Citable sentences of the passages, best first."""
    confidence: float
    """Calibrated probability that the best sentence answers the question; 0 where there is none."""
    missing_words: tuple[str, ...]
    """Names and numbers of the question that occur nowhere in the index, as typed."""
    retrieve_seconds: float = 0.0
    evidence_seconds: float = 0.0
    """For reading and ranking, after retrieving."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidate sentences of a question with their features; what the weights are fitted on."""

    passages: tuple[Passage, ...]
    spans: tuple[tuple[int, int, int], ...]
    """For each candidate: its passage's position, start and end in the document."""
    answers: tuple[tuple[int, int] | None, ...]
    """For each candidate: the reader's best span in the sentence, as a range of the document."""
    context_starts: tuple[int | None, ...]
    """For each candidate: where the sentence right before it starts, if that one is citable too."""
    features: evidence.Features
    """Shape ``(candidates, len(FEATURES))``."""
    retrieve_seconds: float

    @property
    def answer_texts(self) -> tuple[str, ...]:
        """The reader's best span in each candidate; empty where nothing was read."""
        documents = (self.passages[passage].document for passage, _, _ in self.spans)
        return tuple(
            prose(document, *answer).text if answer else ""
            for document, answer in zip(documents, self.answers, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Steps:
    """Which steps finding takes; the measured best by default. What each is worth stands in docs/quality.md."""

    retrieval: Retrieval = "fusion"
    rerank: bool = True
    """Order passages by what the reader makes of them."""
    ranking: Ranking = "reader"
    """What ranks sentences."""

    @property
    def reads(self) -> bool:
        """Whether any step needs the reader."""
        return self.rerank or self.ranking == "reader"


_DEFAULT = Steps()


class Picker:
    """Retrieves, reads and ranks.

    Args:
        embedder: the model that the index was built with.
        reader: may be missing if no step needs it.
        steps: which steps to take. Where the best passage is not in the reader's language, cosines alone decide.
    """

    def __init__(self, embedder: Embedder, reader: Reader | None, steps: Steps = _DEFAULT) -> None:
        self._embedder = embedder
        self.reader = reader
        self.steps = steps

    def pick(self, snapshot: Snapshot, question: str, keep: int, read: int, filter: Filter = NO_FILTER) -> Picked:
        """Rank the passages and the sentences of the ``keep`` best ones, of ``read`` retrieved ones (if more)."""
        began = time.perf_counter()
        found = self.candidates(snapshot, question, max(keep, read), filter)
        known = _is_known(found.passages)
        ranking: Ranking = self.steps.ranking if known else "cosine"
        scores = evidence.probability(found.features, ranking)
        order, ranked = list(range(len(found.passages))), found.passages
        if self.steps.rerank and known:
            order, ranked = _reranked(found)
        kept = set(order[:keep])
        rows = np.array([row for row, span in enumerate(found.spans) if span[0] in kept], int)
        sentences = []
        for row in rows[np.argsort(-scores[rows], kind="stable")]:
            passage, start, end = found.spans[row]
            document = found.passages[passage].document
            score, context = float(scores[row]), found.context_starts[row]
            sentences.append(Evidence(document, start, end, score, found.answers[row], context))
        shown = np.zeros(len(scores))
        shown[rows] = scores[rows]  # how far the best one stands out is seen among all that were read
        sure = evidence.confidence(found.features, shown, found.answer_texts, ranking)
        missing = self._missing_words(snapshot, question)
        spent = time.perf_counter() - began - found.retrieve_seconds
        return Picked(question, ranked[:keep], tuple(sentences), sure, missing, found.retrieve_seconds, spent)

    def passages(self, snapshot: Snapshot, question: str, k: int, filter: Filter = NO_FILTER) -> tuple[Passage, ...]:
        """The ``k`` best passages alone. Only the first ones are read and reranked, as reading takes 10 ms each."""
        found = self.candidates(snapshot, question, _READ_TO_SEARCH, filter)
        ranked = found.passages
        if self.steps.rerank and _is_known(ranked):
            ranked = _reranked(found)[1]
        if k <= len(ranked) or len(ranked) < _READ_TO_SEARCH:
            return ranked[:k]
        query = self._embedder.embed([question])[0]
        found_again = search(snapshot, question, query, k, self.steps.retrieval, filter)
        rest = passages(snapshot, found_again)[len(ranked) :]
        behind = (dataclasses.replace(passage, score=min(passage.score, ranked[-1].score)) for passage in rest)
        return (*ranked, *behind)

    def answers_alike(self, question: str, sentence: str, answer: str) -> bool:
        """Whether a rewording still gives the short answer: it holds it, and the reader finds it there."""
        if not contains_gold(sentence, [answer]):
            return False
        if self.reader is None:
            return True
        (reading,) = self.reader.read(question, [("", sentence)])
        return reading is not None and token_f1(sentence[reading.start : reading.end], [answer]) >= _ALIKE

    def candidates(self, snapshot: Snapshot, question: str, k: int, filter: Filter = NO_FILTER) -> Candidates:
        """Every citable sentence of the ``k`` best passages with its features."""
        began = time.perf_counter()
        snapshot.check_model(self._embedder)
        query = self._embedder.embed([question])[0]
        found = search(snapshot, question, query, k, self.steps.retrieval, filter)
        retrieved = passages(snapshot, found)
        seconds = time.perf_counter() - began
        seen = [prose(passage.document, passage.start, passage.end) for passage in retrieved]
        readings: Sequence[Reading | None] = [None] * len(retrieved)
        if self.reader and self.steps.reads and _is_known(retrieved):
            titles = [passage.document.title for passage in retrieved]
            readings = self.reader.read(
                question, [(title, part.text) for title, part in zip(titles, seen, strict=True)]
            )
        known = snapshot.store.chunks_with(dict.fromkeys(content_stems(question)))
        words = QuestionWords.of(question, known, snapshot.store.chunks)
        return _candidates(words, snapshot, found, retrieved, seen, readings, query, seconds)

    def _missing_words(self, snapshot: Snapshot, question: str) -> tuple[str, ...]:
        written = names(question)
        stemmed = {word: stem(word.lower()) for word in written}
        known = snapshot.store.chunks_with(dict.fromkeys(stemmed.values()))
        absent = dict.fromkeys(word for word in written if stemmed[word] not in known)
        return tuple(word for word in absent if not _has_kin(snapshot, word.lower()))


def _has_kin(snapshot: Snapshot, word: str) -> bool:
    """Whether a word of the same beginning occurs: who asks for a Malaysian is not told that Malaysia is not mentioned."""
    alike = word[: max(_BEGINNING, len(word) - _ENDING)]
    return word.isalpha() and len(word) >= _BEGINNING and snapshot.store.has_stem_from(alike)


def _is_known(retrieved: Sequence[Passage]) -> bool:
    """Whether the best passage is in the reader's language."""
    return not retrieved or retrieved[0].document.language.lower().split("-")[0] == READER_LANGUAGE


def _reranked(found: Candidates) -> tuple[list[int], tuple[Passage, ...]]:
    """Positions of the passages by their best sentence, and the passages in that order with its probability as score."""
    best = np.zeros(len(found.passages))
    for (passage, _, _), score in zip(found.spans, evidence.probability(found.features, "reader"), strict=True):
        best[passage] = max(best[passage], score)
    order = [int(position) for position in np.argsort(-best, kind="stable")]
    return order, tuple(dataclasses.replace(found.passages[i], score=float(best[i])) for i in order)


def _candidates(
    words: QuestionWords,
    snapshot: Snapshot,
    found: Sequence[ScoredChunk],
    retrieved: Sequence[Passage],
    seen: Sequence[Prose],
    readings: Sequence[Reading | None],
    query: Vectors,
    retrieve_seconds: float,
) -> Candidates:
    positions = {scored.chunk.row: position for position, scored in enumerate(found)}
    margins = np.array([reading.margin if reading else _NO_MARGIN for reading in readings] or [_NO_MARGIN])
    best_margin, everywhere = float(margins.max()), float(np.logaddexp.reduce([0.0, *margins]))
    rows: list[evidence.Features] = []
    spans: list[tuple[int, int, int]] = []
    answers: list[tuple[int, int] | None] = []
    context_starts: list[int | None] = []
    before: dict[int, StoredSentence] = {}
    for sentence, cosine in candidate_sentences(snapshot, found, query):
        position = positions[sentence.chunk]
        passage, scored, reading, whole = retrieved[position], found[position], readings[position], seen[position]
        previous = before.get(sentence.chunk)
        if sentence.citable:
            start, end = whole.within(sentence.start, sentence.end)
            margin = float(margins[position])
            mass = reading.mass_within(start, end) if reading else 0.0
            read = SentenceReading(mass, margin, best_margin - margin, mass * float(np.exp(margin - everywhere)))
            rows.append(
                evidence.features(
                    words,
                    whole.text[start:end],
                    whole.text[slice(*whole.within(previous.start, previous.end))] if previous else "",
                    f"{passage.document.title}\n{whole.text}",
                    cosine,
                    PassageScores(
                        scored.cosine, scored.best_sentence_cosine, scored.bm25, found[0].score - scored.score
                    ),
                    read,
                )
            )
            spans.append((position, sentence.start, sentence.end))
            answer = reading.answer_within(start, end) if reading else None
            answers.append(whole.original(*answer) if answer else None)
            follows = (
                previous is not None and previous.citable and _adjoin(passage.document, previous.end, sentence.start)
            )
            context_starts.append(previous.start if previous and follows else None)
        before[sentence.chunk] = sentence
    features = np.array(rows) if rows else np.zeros((0, len(evidence.FEATURES)))
    candidates = Candidates(
        tuple(retrieved), tuple(spans), tuple(answers), tuple(context_starts), features, retrieve_seconds
    )
    documents = [retrieved[position].document.id for position, _, _ in spans]
    seen_together = evidence.with_witnesses(features, candidates.answer_texts, documents)
    return dataclasses.replace(candidates, features=seen_together)


def _adjoin(document: Document, end: int, start: int) -> bool:
    """Whether no boilerplate stands between two sentences, so that they can be quoted as one."""
    at = bisect_left(document.boilerplate, (end,))
    return at == len(document.boilerplate) or document.boilerplate[at][0] >= start
