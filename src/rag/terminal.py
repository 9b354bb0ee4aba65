"""What the command line shows people: progress on stderr, results on stdout."""

import contextlib
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rag import markup
from rag.changes import Changes
from rag.citations import place
from rag.evaluation import Evaluation
from rag.indexing import IndexReport, Progress
from rag.markup import Kind
from rag.records import Answer, Chunk, Citation, Document, Passage
from rag.store import FormatCount


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


def changes_text(changes: Changes) -> str:
    """What an indexing run would do."""
    if not changes.any:
        return f"Nothing to do: all {len(changes.unchanged):,} files are as they were indexed."
    lines = [
        *(f"add     {path}" for path in changes.added),
        *(f"update  {path}" for path in changes.changed),
        *(f"rename  {old} → {new}" for old, new in changes.renamed),
        *(f"remove  {path}" for path in changes.removed),
        f"{len(changes.added):,} to add, {len(changes.changed):,} to update, {len(changes.renamed):,} to rename, "
        f"{len(changes.removed):,} to remove, {len(changes.unchanged):,} unchanged. Nothing was done.",
    ]
    return "\n".join(lines)


def index_summary(report: IndexReport, formats: Sequence[FormatCount] = ()) -> str:
    """What an indexing run did, in a few lines; what was read of each format, and skipped files with their reasons."""
    manifest = report.generation.manifest
    counts = f"{manifest.documents:,} documents, {manifest.chunks:,} chunks, {manifest.sentences:,} sentences"
    if not report.changed:
        lines = [f"The index is up to date: {counts} ({report.generation.name})."]
    else:
        lines = [
            f"Indexed {counts} in {report.seconds:.1f} s as {report.generation.name}.",
            f"{len(report.changes.added):,} added, {len(report.changes.changed):,} updated, "
            f"{len(report.changes.renamed):,} renamed, {len(report.changes.removed):,} removed; "
            f"{report.embedded_texts:,} texts embedded.",
        ]
    if formats and report.changed:
        lines.append(f"{'':<12}{'files':>8}{'articles':>10}{'chunks':>10}{'characters':>14}{'boilerplate':>13}")
        lines += [
            f"  {count.suffix or '(none)':<10}{count.files:>8,}{count.articles:>10,}{count.chunks:>10,}"
            f"{count.characters:>14,}{100 * count.boilerplate / max(1, count.characters):>11.1f} %"
            for count in formats
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
    if not answer.refused:
        parts.append(f"Confidence {100 * answer.confidence:.0f} % (calibrated on questions to other articles).")
    return _visible("\n\n".join(parts))


def passages_text(passages: Sequence[Passage]) -> str:
    """Found passages, best first."""
    if not passages:
        return "No passage found."
    return _visible(
        "\n\n".join(
            f"{number}. {passage.document.title}  ({_where(passage)}, score {passage.score:.2f})\n"
            f"{_wrapped(passage.text, '   ')}"
            for number, passage in enumerate(passages, 1)
        )
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


_COLOURS: Mapping[Kind, str] = {
    "front matter": "dim",
    "other": "yellow",
    "boilerplate": "dim strike",
    "between": "",
}
_CITABLE = ("", "cyan")
"""Sentences take turns, so that it is seen where one ends."""


def show_markup(document: Document, chunks: Sequence[Chunk]) -> None:
    """Print a document with what it consists of: in colours on a terminal, else with the signs of ``markup.LEGEND``."""
    rows = markup.found(document)
    about = [f"{name:<12}{value}" + (f"  ({place})" if place else "") for name, value, place in rows]
    sentences = sum(len(chunk.sentences) for chunk in chunks)
    about.append(f"{'path':<12}{markup.visible(document.path)}")
    about.append(f"{'chunks':<12}{len(chunks):,}")
    about.append(f"{'sentences':<12}{sentences:,}")
    about.append(f"{'boilerplate':<12}{len(document.boilerplate):,} ranges")
    if not sys.stdout.isatty():
        print("\n".join([*about, markup.LEGEND, "", markup.plain(document, chunks)]))
        return
    from rich.console import Console
    from rich.text import Text

    text = Text("\n".join(about) + "\n")
    text.append("sentences that can be quoted")
    for name, style in (("in turns", "cyan"), ("other sentences", "yellow"), ("boilerplate", "dim strike")):
        text.append("  ").append(name, style)
    text.append("\n\n")
    turn = 0
    for piece in markup.pieces(document, chunks):
        if piece.chunk is not None:
            chunk = chunks[piece.chunk - 1]
            text.append(f"\n── chunk {piece.chunk}: {chunk.start}-{chunk.end} ──\n", "bold green")
        if piece.page is not None:
            text.append(f"«{markup.visible(piece.page)}»", "bold magenta")
        turn += piece.kind == "citable" and piece.begins
        style = _CITABLE[turn % 2] if piece.kind == "citable" else _COLOURS[piece.kind]
        text.append(markup.visible(piece.text), style)
    Console(highlight=False, soft_wrap=True).print(text)


def _source(citation: Citation) -> str:
    about = ", ".join(filter(None, (citation.publisher, citation.published, citation.place)))
    span = f"{citation.path}:{citation.start}-{citation.end}"
    head = f"[{citation.number}] {citation.title}" + (f" — {about}" if about else "")
    also = f"\n    also in {', '.join(citation.also_in)}" if citation.also_in else ""
    return f"{head}\n    {span}\n{_wrapped(f'“{citation.quote}”', '    ')}{also}"


def _nearest(passage: Passage) -> str:
    return f"  nearest: {passage.document.title}  ({_where(passage)})"


def _where(passage: Passage) -> str:
    span = f"{passage.document.path}:{passage.start}-{passage.end}"
    return ", ".join(filter(None, (span, place(passage.document, passage.start))))


def _visible(text: str) -> str:
    """Text in which no character of an article can move the cursor, set the window's title or turn the words around."""
    return re.sub("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", "\ufffd", text)


def _wrapped(text: str, indent: str = "") -> str:
    width = min(100, shutil.get_terminal_size().columns)
    return textwrap.fill(" ".join(text.split()), width, initial_indent=indent, subsequent_indent=indent)
