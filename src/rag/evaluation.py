"""The evaluation flow: gold questions → answers → shares right, cited and refused."""

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rag.answer_json import answer_object
from rag.answering import Answerer
from rag.errors import UsageError
from rag.metrics import contains_gold
from rag.records import Answer, Turn
from rag.settings import Mode
from rag.store import Store


@dataclass(frozen=True, slots=True)
class GoldQuestion:
    """A question whose answer is known; no answers: the articles do not say."""

    id: str
    question: str
    history: tuple[Turn, ...]
    answers: tuple[str, ...]

    @property
    def is_followup(self) -> bool:
        return bool(self.history)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one gold question went."""

    id: str
    question: str
    kind: str
    right: bool
    """Answered with a gold answer in the shown text; for an unanswerable question: refused."""
    cited: bool
    """A cited quote holds a gold answer."""
    exact: bool
    """Every citation's quote is the stored text at its offsets, and every sentence has a citation."""
    answer: dict[str, Any]

    def as_object(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Shares between 0 and 1 over one run; ``None`` where no question of that kind was asked."""

    questions: int
    mode: str
    right: float | None
    """Of the answerable questions, follow-ups included."""
    right_followups: float | None
    cited: float | None
    """Of the right answers: a cited quote holds the gold answer."""
    exact: float | None
    """Of all answers given: every quote is found at its offsets and every sentence is cited."""
    refused: float | None
    """Of the unanswerable questions."""
    refused_wrongly: float | None
    """Of the answerable questions."""
    seconds_p50: float
    seconds_p95: float
    outcomes: tuple[Outcome, ...]

    def figures(self) -> dict[str, Any]:
        """Everything but the single outcomes."""
        return {name: value for name, value in asdict(self).items() if name != "outcomes"}


def read_gold(path: Path) -> list[GoldQuestion]:
    """Read gold questions: a JSON object a line with ``question``, ``answers`` and perhaps ``id``, ``history``.

    Raises:
        UsageError: the file cannot be read or a line is not such an object.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"Cannot read the questions {path}: {error}", "Name a JSONL file with --questions.") from error
    questions = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            history = tuple(Turn(turn["role"], str(turn["content"])) for turn in row.get("history") or ())
            answers = tuple(map(str, row.get("answers") or ()))
            questions.append(GoldQuestion(str(row.get("id", number)), str(row["question"]), history, answers))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problem = f"{path}, line {number} is not a gold question"
            remedy = 'Write it as {"id": "…", "question": "…", "answers": ["…"]}.'
            raise UsageError(problem, remedy) from error
    if not questions:
        raise UsageError(f"{path} holds no questions", "Name a JSONL file with --questions.")
    return questions


def evaluate(
    answerer: Answerer,
    store: Store,
    questions: Sequence[GoldQuestion],
    mode: Mode,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Ask every question and judge the answers against the gold and against the stored text."""
    outcomes = []
    seconds = []
    for done, question in enumerate(questions):
        progress(done, len(questions))
        answer = answerer.answer(question.question, question.history, mode)
        seconds.append(answer.seconds["total"])
        outcomes.append(_judge(question, answer, store))
    progress(len(questions), len(questions))
    answerable = [outcome for outcome in outcomes if outcome.kind != "unanswerable"]
    given = [outcome for outcome in outcomes if not outcome.answer["refused"]]
    percentiles = statistics.quantiles([*seconds, *seconds], n=20)
    return Evaluation(
        questions=len(questions),
        mode=mode,
        right=_share([outcome.right for outcome in answerable]),
        right_followups=_share([outcome.right for outcome in answerable if outcome.kind == "follow-up"]),
        cited=_share([outcome.cited for outcome in answerable if outcome.right]),
        exact=_share([outcome.exact for outcome in given]),
        refused=_share([outcome.right for outcome in outcomes if outcome.kind == "unanswerable"]),
        refused_wrongly=_share([outcome.answer["refused"] for outcome in answerable]),
        seconds_p50=statistics.median(seconds),
        seconds_p95=percentiles[-1],
        outcomes=tuple(outcomes),
    )


def _judge(question: GoldQuestion, answer: Answer, store: Store) -> Outcome:
    kind = "unanswerable" if not question.answers else "follow-up" if question.is_followup else "answerable"
    shown = " ".join(sentence.text for sentence in answer.sentences)
    exact = all(sentence.citations for sentence in answer.sentences)
    for citation in answer.citations:
        document = store.document(citation.document)
        exact = exact and document is not None and document.text[citation.start : citation.end] == citation.quote
    return Outcome(
        id=question.id,
        question=question.question,
        kind=kind,
        right=answer.refused if kind == "unanswerable" else contains_gold(shown, question.answers),
        cited=any(contains_gold(citation.quote, question.answers) for citation in answer.citations),
        exact=exact,
        answer=answer_object(answer, question.id),
    )


def _share(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None
