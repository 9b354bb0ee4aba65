"""Pictures of evaluations."""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import UsageError
from rag.evaluation import Evaluation, Outcome
from rag.metrics import calibration_bins, ranking_figures, risk_coverage, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DEPTHS = range(1, 11)
_THRESHOLDS = [step / 100 for step in range(101)]


def check_drawing() -> None:
    """Before hours are spent on what is to be drawn.

    Raises:
        UsageError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        remedy = "Install the project with its extra: pip install 'ask-the-articles[eval]'."
        raise UsageError("Drawing needs the package matplotlib", remedy)


def draw(evaluations: Mapping[str, Evaluation], path: Path) -> None:
    """Write one PNG: threshold, recall@k, risk and coverage, calibration, latency. Several evaluations are compared.

    Raises:
        OSError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 8), layout="constrained")
    axes: Any = figure.subplots(2, 3)
    last = list(evaluations.values())[-1]
    figure.suptitle(f"{last.name}: {last.counts['questions']} questions")
    _threshold(axes[0][0], last)
    for name, evaluation in evaluations.items():
        _recall(axes[0][1], name, evaluation.outcomes)
        judged = [outcome for outcome in evaluation.outcomes if outcome.answer is not None]
        _risk(axes[0][2], name, judged)
    _calibration(axes[1][0], last)
    _latency(axes[1][1], last, "to the first word", "first_token")
    _latency(axes[1][2], last, "to the end", "total")
    for row in axes:
        for axis in row:
            axis.grid(alpha=0.3)
            if axis.get_legend_handles_labels()[0] and any(axis.get_legend_handles_labels()[1]):
                axis.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def _judged(evaluation: Evaluation) -> list[Outcome]:
    return [outcome for outcome in evaluation.outcomes if outcome.answer is not None]


def _threshold(axis: "Axes", evaluation: Evaluation) -> None:
    """Accuracy and coverage against the threshold."""
    outcomes = _judged(evaluation)
    curves: dict[str, list[float | None]] = {
        "answered": [],
        "right, of the answered": [],
        "refused, of unanswerable": [],
    }
    for threshold in _THRESHOLDS:
        given = [outcome for outcome in outcomes if outcome.confidence >= threshold]
        hopeless = [outcome for outcome in outcomes if not outcome.answerable]
        curves["answered"].append(share([outcome.confidence >= threshold for outcome in outcomes]))
        curves["right, of the answered"].append(share([outcome.right for outcome in given]))
        curves["refused, of unanswerable"].append(share([outcome.confidence < threshold for outcome in hopeless]))
    for name, values in curves.items():
        axis.plot(_THRESHOLDS, [float("nan") if value is None else value for value in values], label=name)
    axis.axvline(evaluation.settings["refuse_below"], color="grey", linestyle=":", label="threshold in use")
    axis.set(title="Accuracy and coverage", xlabel="refused below this confidence", ylabel="share", ylim=(0, 1))


def _recall(axis: "Axes", name: str, outcomes: Sequence[Outcome]) -> None:
    asked = [outcome for outcome in outcomes if outcome.relevant and outcome.answerable]
    if asked:
        figures = ranking_figures([o.relevant for o in asked], [o.ranked for o in asked], tuple(_DEPTHS))
        axis.plot(_DEPTHS, [figures[f"recall@{k}"] for k in _DEPTHS], marker=".", label=name)
    axis.set(title="Retrieval", xlabel="k", ylabel="recall@k", ylim=(0, 1.02), xticks=list(_DEPTHS))


def _risk(axis: "Axes", name: str, outcomes: Sequence[Outcome]) -> None:
    points = risk_coverage([outcome.confidence for outcome in outcomes], [outcome.right for outcome in outcomes])
    axis.plot([coverage for coverage, _ in points], [risk for _, risk in points], label=name)
    axis.set(title="Risk and coverage", xlabel="answered", ylabel="wrong, of the answered", xlim=(0, 1), ylim=(0, 1))


def _calibration(axis: "Axes", evaluation: Evaluation) -> None:
    outcomes = _judged(evaluation)
    bins = calibration_bins([outcome.confidence for outcome in outcomes], [outcome.right for outcome in outcomes])
    axis.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axis.plot([sure for sure, _, _ in bins], [hit for _, hit, _ in bins], marker="o")
    for sure, hit, count in bins:
        axis.annotate(str(count), (sure, hit), textcoords="offset points", xytext=(5, -10), fontsize=7)
    axis.set(title="Calibration", xlabel="confidence", ylabel="share right", xlim=(0, 1), ylim=(0, 1))


def _latency(axis: "Axes", evaluation: Evaluation, title: str, step: str) -> None:
    times = [1000 * outcome.answer["seconds"][step] for outcome in evaluation.outcomes if outcome.answer]
    if times:
        axis.hist(times, bins=40)
    axis.set(title=f"Latency {title}", xlabel="milliseconds", ylabel="questions")
