"""What the command line shows people: progress on stderr, results on stdout."""

import contextlib
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rag.evaluation import Evaluation
from rag.indexing import IndexReport, Progress
from rag.records import Answer, Citation, Passage


@contextlib.contextmanager
def index_progress() -> Iterator[Progress]:
    """Progress bars of an indexing run; silent where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda stage, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=None)
            bars.update(tasks[stage], completed=done, total=total or None)

        yield show


@contextlib.contextmanager
def counting(stage: str) -> Iterator[Callable[[int, int], None]]:
    """One progress bar, as ``index_progress``."""
    with index_progress() as show:
        yield lambda done, total: show(stage, done, total)


def index_summary(report: IndexReport) -> str:
    """What an indexing run did, in a few lines; skipped files with their reasons."""
    manifest = report.generation.manifest
    counts = f"{manifest.documents:,} documents, {manifest.chunks:,} chunks, {manifest.sentences:,} sentences"
    if not report.changed:
        lines = [f"The index is up to date: {counts} ({report.generation.name})."]
    else:
        lines = [
            f"Indexed {counts} in {report.seconds:.1f} s "
            f"({report.embedded_chunks / report.seconds:.0f} chunks/s) as {report.generation.name}.",
            f"Embedded {report.embedded_documents:,} documents; {report.reused_documents:,} unchanged; "
            f"{report.removed_documents:,} removed.",
        ]
    if report.skipped:
        lines.append(f"Skipped {len(report.skipped):,} files:")
        lines += [f"  {file.path}: {file.reason}" for file in report.skipped]
    return "\n".join(lines)


def answer_text(answer: Answer) -> str:
    """The answer, then each source with its exact place and quote."""
    parts = []
    if answer.standalone_question != answer.question:
        parts.append(f"Searched for: {answer.standalone_question}")
    if answer.filter:
        parts.append(f"Searched {answer.filter}.")
    parts.append(_wrapped(answer.text))
    if answer.refused:
        parts.append("\n".join(_nearest(passage) for passage in answer.retrieved[:3]))
    else:
        parts += [_source(citation) for citation in answer.citations]
        if answer.notice:
            parts.append(_wrapped(answer.notice))
        parts.append(f"Confidence {100 * answer.confidence:.0f} % (calibrated on questions to other articles).")
    return "\n\n".join(parts)


def passages_text(passages: Sequence[Passage]) -> str:
    """Found passages, best first."""
    if not passages:
        return "No passage found."
    return "\n\n".join(
        f"{number}. {passage.document.title}  ({passage.document.path}:{passage.start}-{passage.end}, "
        f"score {passage.score:.2f})\n{_wrapped(passage.text, '   ')}"
        for number, passage in enumerate(passages, 1)
    )


def evaluation_text(evaluation: Evaluation) -> str:
    """The figures as a table, group by group."""
    groups = {
        "retrieval": evaluation.retrieval,
        "answers": evaluation.answers,
        "citations": evaluation.citations,
        "refusals": evaluation.refusals,
    }
    counts = ", ".join(f"{count:,} {name}" for name, count in evaluation.counts.items() if count)
    lines = [f"{evaluation.name}: {counts}", " ".join(f"{name}={value}" for name, value in evaluation.settings.items())]
    for title, figures in groups.items():
        if figures:
            lines += ["", title, *(f"  {name:<44}{_figure(name, value):>9}" for name, value in figures.items())]
    if evaluation.seconds:
        lines += ["", "milliseconds" + " " * 34 + "".join(f"{p:>9}" for p in ("p50", "p95", "p99"))]
    for step, percentiles in evaluation.seconds.items():
        lines.append(f"  {step:<44}" + "".join(f"{1000 * (value or 0):>9.0f}" for value in percentiles.values()))
    if evaluation.missing:
        named = ", ".join(evaluation.missing[:5]) + (", …" if len(evaluation.missing) > 5 else "")
        lines += ["", f"Left out, since the index does not hold their gold passages: {named}"]
    return "\n".join(lines)


_ABLATION_COLUMNS = (
    ("retrieval", "recall@1"),
    ("retrieval", "recall@5"),
    ("retrieval", "mrr@10"),
    ("retrieval", "ndcg@10"),
    ("answers", "contains gold, threshold aside"),
    ("answers", "contains gold"),
    ("answers", "short answer exact match"),
    ("answers", "short answer F1"),
    ("answers", "words, median"),
    ("answers", "sentences written"),
    ("answers", "written ones carried by a source"),
    ("answers", "sentences shown that are not quotes"),
    ("citations", "right, of the right answers"),
    ("citations", "recall (ALCE)"),
    ("citations", "precision (ALCE)"),
    ("refusals", "recall: refused, of the unanswerable"),
    ("refusals", "precision: unanswerable, of the refused"),
    ("refusals", "refused wrongly, of the answerable"),
    ("refusals", "AURC"),
    ("refusals", "expected calibration error"),
)


def ablation_text(evaluations: Mapping[str, Evaluation]) -> str:
    """All rows of an ablation as a Markdown table: a measure a line, a row of the ablation a column."""
    lines = ["| | " + " | ".join(evaluations) + " |", "|---|" + "---:|" * len(evaluations)]
    for group, name in _ABLATION_COLUMNS:
        cells = [_figure(name, getattr(evaluation, group).get(name)) for evaluation in evaluations.values()]
        lines.append(f"| {name} | " + " | ".join(cell.strip() for cell in cells) + " |")
    for step, percent in (("retrieve", 50), ("evidence", 50), ("first_token", 50), ("total", 50), ("total", 95)):
        cells = [f"{1000 * (e.seconds.get(step, {}).get(f'p{percent}') or 0):.0f}" for e in evaluations.values()]
        lines.append(f"| milliseconds, {step} p{percent} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def outcomes_markdown(evaluation: Evaluation) -> str:
    """Every question with what was shown for it and how that was judged, for reading."""
    lines = []
    for outcome in evaluation.outcomes:
        if outcome.answer is None:
            continue
        judged = "right" if outcome.success else "wrong"
        lines += [
            "",
            f"**{outcome.question}** ({outcome.kind}, {outcome.id}: {judged})",
            "",
            f"> {outcome.answer['answer']}",
        ]
        if not outcome.refused:
            verdicts = ", ".join(sentence["verdict"] for sentence in outcome.answer["sentences"])
            lines += ["", f"{verdicts}; {100 * outcome.confidence:.0f} % sure"]
            lines += [
                f"- [{item['number']}] {item['title']}: “{item['quote']}”" for item in outcome.answer["citations"]
            ]
    return "\n".join(lines[1:]) + "\n"


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    if name.startswith(("words", "sentences")):
        return f"{value:.0f}"
    if name in ("AURC", "expected calibration error", "mrr@10", "ndcg@10"):
        return f"{value:.3f}"
    return f"{100 * value:.1f} %"


def info_text(facts: Mapping[str, Any], indent: str = "") -> str:
    """Nested facts, one a line."""
    lines = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}{name}", info_text(value, indent + "  ")]
        else:
            lines.append(f"{indent}{name:<18} {value}")
    return "\n".join(lines)


def _source(citation: Citation) -> str:
    about = ", ".join(filter(None, (citation.publisher, citation.published)))
    place = f"{citation.path}:{citation.start}-{citation.end}"
    head = f"[{citation.number}] {citation.title}" + (f" — {about}" if about else "")
    return f"{head}\n    {place}\n{_wrapped(f'“{citation.quote}”', '    ')}"


def _nearest(passage: Passage) -> str:
    return f"  nearest: {passage.document.title}  ({passage.document.path}:{passage.start}-{passage.end})"


def _wrapped(text: str, indent: str = "") -> str:
    width = min(100, shutil.get_terminal_size().columns)
    return textwrap.fill(" ".join(text.split()), width, initial_indent=indent, subsequent_indent=indent)
