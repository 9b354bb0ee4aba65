"""The evaluation flow: a question set → answers → figures on finding, answering, citing, refusing and speed."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

from rag.answer_json import answer_object
from rag.answering import Answerer
from rag.checking import check_sentence
from rag.errors import IndexMismatchError
from rag.metrics import (
    area_under_risk_coverage,
    citation_precision,
    citation_recall,
    contains_gold,
    exact_match,
    expected_calibration_error,
    percentile,
    ranking_figures,
    share,
    token_f1,
)
from rag.picking import Picker
from rag.prose import prose
from rag.question_sets import GoldQuestion, QuestionSet
from rag.records import Answer, Citation, Document, Passage
from rag.retrieval import Snapshot
from rag.store import Store

_DEPTH = 10
"""Passages looked at by the measures of retrieval."""
_MISSING_NAMED = 5

Figures = dict[str, float | None]
"""Name → value; shares lie between 0 and 1. ``None`` where no question of that kind was asked."""


@dataclass(frozen=True, slots=True)
class GoldSpan:
    """A gold passage as it stands in the index."""

    document: str
    start: int
    end: int
    relevance: int


@dataclass(frozen=True, slots=True)
class Fitted:
    """A question set, fitted to an index."""

    name: str
    questions: tuple[tuple[GoldQuestion, tuple[GoldSpan, ...]], ...]
    missing: tuple[str, ...]
    """Ids of questions left out, since a gold passage of theirs is not in the index."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one question went."""

    id: str
    question: str
    kind: str
    refused: bool
    confidence: float
    right: bool
    """What is shown, or would be shown without the threshold, holds a gold answer (one for each part)."""
    exact_match: bool
    """Of the short answer, as is ``token_f1``."""
    token_f1: float
    citation_right: bool
    """The cited quotes hold a gold answer (one for each part)."""
    citation_recall: float | None
    citation_precision: float | None
    quotes_exact: bool
    """Every citation's quote is the stored text at its offsets."""
    words: int
    """Shown, in quotes and sentences, without markers."""
    own: int
    """Shown sentences that are the writer's own."""
    written: int
    """Sentences that the writer wrote."""
    carried: int
    """Those of them that passed their check."""
    relevant: dict[str, int]
    ranked: tuple[str, ...]
    answer: dict[str, Any] | None
    """``None`` where only retrieval is judged."""

    def as_object(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @property
    def success(self) -> bool:
        """The right answer, or for an unanswerable question none."""
        return self.refused if self.kind == "unanswerable" else self.right and not self.refused

    @property
    def answerable(self) -> bool:
        return self.kind != "unanswerable"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of one run; ``docs/quality.md`` says what each one means."""

    name: str
    settings: dict[str, Any]
    counts: dict[str, int]
    retrieval: Figures
    answers: Figures
    citations: Figures
    refusals: Figures
    seconds: dict[str, Figures]
    """Percentiles of each step over all questions."""
    missing: tuple[str, ...]
    outcomes: tuple[Outcome, ...]

    def figures(self) -> dict[str, Any]:
        """Everything but the single outcomes."""
        return {name: value for name, value in asdict(self).items() if name != "outcomes"}


def fit_to_index(questions: QuestionSet, store: Store) -> Fitted:
    """Find the gold passages in the index.

    Raises:
        IndexMismatchError: the index holds none of them.
    """
    documents = {document.path: document for document in store.all_documents()}
    places: dict[tuple[str, str | None], tuple[Document, int] | None] = {}
    fitted, missing = [], []
    for question in questions.questions:
        spans = []
        for passage in question.passages:
            key = (passage.document, passage.text)
            if key not in places:
                places[key] = _place(passage.document, passage.text, documents)
            place = places[key]
            if place is not None:
                document, start = place
                length = len(document.text) - start if passage.text is None else len(passage.text)
                spans.append(GoldSpan(document.id, start, start + length, passage.relevance))
        if len(spans) < len(question.passages) and (question.judged or not spans):
            missing.append(question.id)
        else:
            fitted.append((question, tuple(spans)))
    if missing and not any(spans for _, spans in fitted):
        problem = f"The index holds none of the texts that the questions of {questions.name} are about"
        raise IndexMismatchError(problem, "Name the index that was built from them with --index.")
    return Fitted(questions.name, tuple(fitted), tuple(missing))


def _place(path: str, text: str | None, documents: dict[str, Document]) -> tuple[Document, int] | None:
    """The document and where in it the passage starts: in the document of that path, or in any other one."""
    named = [documents[path]] if path in documents else []
    if text is None:
        return (named[0], named[0].body_start) if named else None
    for document in [*named, *documents.values()]:
        start = document.text.find(text)
        if start >= 0:
            return document, start
    return None


def evaluate(
    answerer: Answerer,
    unrefused: Answerer,
    picker: Picker,
    snapshot: Snapshot,
    fitted: Fitted,
    settings: dict[str, Any],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Ask every question and judge the answers against the gold and against the stored text.

    Args:
        answerer: what users get.
        unrefused: the same without a threshold, in quote mode: what would have been said where it refused.
        picker: for questions of which only retrieval is judged.
        snapshot: the index that both answer from.
        fitted: of ``fit_to_index``.
        settings: kept beside the figures.
        progress: called with questions done and their total.
    """
    outcomes: list[Outcome] = []
    seconds: dict[str, list[float]] = {}
    for done, (question, spans) in enumerate(fitted.questions):
        progress(done, len(fitted.questions))
        if question.judged:
            answer = answerer.answer(question.question, question.history)
            for step, spent in answer.seconds.items():
                seconds.setdefault(step, []).append(spent)
            shown = unrefused.answer(question.question, question.history) if answer.refused else answer
            outcomes.append(_judge(question, spans, answer, shown, snapshot.store))
        else:
            found = picker.passages(snapshot, question.question, _DEPTH)
            outcomes.append(_judge_retrieval(question, spans, found))
    progress(len(fitted.questions), len(fitted.questions))
    judged = [outcome for outcome in outcomes if outcome.answer is not None]
    return Evaluation(
        name=fitted.name,
        settings=settings,
        counts=_counts(outcomes, fitted.missing),
        retrieval=_retrieval(outcomes),
        answers=_answers(judged),
        citations=_citations(judged),
        refusals=_refusals(judged),
        seconds={step: {f"p{p}": percentile(values, p) for p in (50, 95, 99)} for step, values in seconds.items()},
        missing=fitted.missing,
        outcomes=tuple(outcomes),
    )


def _judge(question: GoldQuestion, spans: Sequence[GoldSpan], answer: Answer, shown: Answer, store: Store) -> Outcome:
    short = shown.short_answer or ""
    alternatives = [text for part in question.answers for text in part]
    quotes = {citation.number: _shown(citation, store) for citation in shown.citations}
    sentences = [(item.text, [quotes[number] for number in item.citations]) for item in shown.sentences]
    titles = " ".join(citation.title for citation in shown.citations)

    def carries(sentence: str, cited: Sequence[str]) -> bool:
        if any(sentence in quote for quote in cited):
            return True
        together = [*cited, " ".join(cited)]
        return check_sentence(sentence, together, [titles] * len(together), shown.standalone_question) is not None

    text = " ".join(sentence for sentence, _ in sentences)
    relevant, ranked = _ranked(spans, answer.retrieved, alternatives)
    return Outcome(
        id=question.id,
        question=question.question,
        kind=question.kind,
        refused=answer.refused,
        confidence=answer.confidence,
        right=_holds(text, question),
        exact_match=exact_match(short, alternatives),
        token_f1=token_f1(short, alternatives),
        citation_right=_holds(" ".join(quotes.values()), question),
        citation_recall=citation_recall(sentences, carries) if sentences else None,
        citation_precision=citation_precision(sentences, carries) if sentences else None,
        quotes_exact=all(_is_exact(citation.document, citation, store) for citation in shown.citations),
        words=len(text.split()),
        own=sum(item.verdict != "quoted" for item in shown.sentences),
        written=answer.written,
        carried=answer.carried,
        relevant=relevant,
        ranked=ranked,
        answer=answer_object(answer, question.id),
    )


def _holds(text: str, question: GoldQuestion) -> bool:
    return bool(question.answers) and all(contains_gold(text, part) for part in question.answers)


def _shown(citation: Citation, store: Store) -> str:
    document = store.document(citation.document)
    exact = document is not None and _is_exact(citation.document, citation, store)
    return prose(document, citation.start, citation.end).text if document and exact else citation.quote


def _is_exact(name: str, citation: Any, store: Store) -> bool:
    document = store.document(name)
    return document is not None and document.text[citation.start : citation.end] == citation.quote


def _judge_retrieval(question: GoldQuestion, spans: Sequence[GoldSpan], found: Sequence[Passage]) -> Outcome:
    relevant, ranked = _ranked(spans, found, ())
    nothing: dict[str, Any] = dict.fromkeys(("citation_recall", "citation_precision", "answer"))
    return Outcome(
        question.id,
        question.question,
        question.kind,
        refused=False,
        confidence=0.0,
        right=False,
        exact_match=False,
        token_f1=0.0,
        citation_right=False,
        quotes_exact=True,
        words=0,
        own=0,
        written=0,
        carried=0,
        relevant=relevant,
        ranked=ranked,
        **nothing,
    )


def _ranked(
    spans: Sequence[GoldSpan], found: Sequence[Passage], answers: Sequence[str]
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Gold passages and found ones under common names.

    A chunk stands for a gold passage if they share half of the smaller one, or a part that holds a gold answer; a
    second chunk of the same one adds nothing and takes no rank.
    """
    relevant = {f"gold {number}": span.relevance for number, span in enumerate(spans, 1)}
    ranked: dict[str, None] = {}
    for passage in found:
        names = []
        for number, span in enumerate(spans, 1):
            start, end = max(passage.start, span.start), min(passage.end, span.end)
            if passage.document.id != span.document or start >= end:
                continue
            smaller = min(passage.end - passage.start, span.end - span.start)
            if end - start >= math.ceil(smaller / 2) or contains_gold(passage.document.text[start:end], answers):
                names.append(f"gold {number}")
        ranked |= dict.fromkeys(names or [f"chunk {passage.chunk_id}"])
    return relevant, tuple(ranked)[:_DEPTH]


def _counts(outcomes: Sequence[Outcome], missing: Sequence[str]) -> dict[str, int]:
    kinds = [outcome.kind for outcome in outcomes]
    return (
        {"questions": len(outcomes)}
        | {kind: kinds.count(kind) for kind in sorted(set(kinds))}
        | {"left out": len(missing)}
    )


def _retrieval(outcomes: Sequence[Outcome]) -> Figures:
    asked = [outcome for outcome in outcomes if outcome.relevant and outcome.answerable]
    if not asked:
        return {}
    return {**ranking_figures([outcome.relevant for outcome in asked], [outcome.ranked for outcome in asked])}


def _answers(outcomes: Sequence[Outcome]) -> Figures:
    """Of the answerable questions; a refusal counts as wrong unless the name says otherwise."""
    asked = [outcome for outcome in outcomes if outcome.answerable]
    given = [outcome for outcome in asked if not outcome.refused]
    single = [outcome for outcome in asked if outcome.kind != "two-articles"]
    written = sum(outcome.written for outcome in given)

    def right(kind: str) -> float | None:
        return share([outcome.success for outcome in asked if outcome.kind == kind])

    return {
        "contains gold": share([outcome.success for outcome in asked]),
        "contains gold, threshold aside": share([outcome.right for outcome in asked]),
        "contains gold, of the answered": share([outcome.right for outcome in given]),
        "contains gold, single questions": right("answerable"),
        "contains gold, follow-ups": right("follow-up"),
        "contains gold, two articles": right("two-articles"),
        "short answer exact match": share([outcome.exact_match and not outcome.refused for outcome in single]),
        "short answer F1": mean(outcome.token_f1 * (not outcome.refused) for outcome in single) if single else None,
        "words, median": percentile([outcome.words for outcome in given], 50) if given else None,
        "words, most": max((outcome.words for outcome in given), default=None),
        "sentences written": float(written),
        "written ones carried by a source": sum(outcome.carried for outcome in given) / written if written else None,
        "sentences shown that are not quotes": float(sum(outcome.own for outcome in given)),
    }


def _citations(outcomes: Sequence[Outcome]) -> Figures:
    given = [outcome for outcome in outcomes if not outcome.refused]
    recalls = [outcome.citation_recall for outcome in given if outcome.citation_recall is not None]
    precisions = [outcome.citation_precision for outcome in given if outcome.citation_precision is not None]
    return {
        "right, of the right answers": share([outcome.citation_right for outcome in given if outcome.success]),
        "recall (ALCE)": mean(recalls) if recalls else None,
        "precision (ALCE)": mean(precisions) if precisions else None,
        "quotes exact": share([outcome.quotes_exact for outcome in given]),
    }


def _refusals(outcomes: Sequence[Outcome]) -> Figures:
    confidences = [outcome.confidence for outcome in outcomes]
    right = [outcome.right for outcome in outcomes]
    return {
        "recall: refused, of the unanswerable": share([o.refused for o in outcomes if not o.answerable]),
        "precision: unanswerable, of the refused": share([not o.answerable for o in outcomes if o.refused]),
        "refused wrongly, of the answerable": share([o.refused for o in outcomes if o.answerable]),
        "all questions handled right": share([outcome.success for outcome in outcomes]),
        "AURC": area_under_risk_coverage(confidences, right),
        "expected calibration error": expected_calibration_error(confidences, right),
    }
