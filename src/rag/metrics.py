"""Measures of retrieval, answers, citations and refusals, with their sources. Pure functions of strings and numbers."""

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import mean

from rag.errors import UsageError

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")

Carries = Callable[[str, Sequence[str]], bool]
"""Whether a sentence is carried by the quotes, taken together."""


def normalised(text: str) -> str:
    """Lower case, without punctuation and English articles (SQuAD's evaluation script, Rajpurkar et al. 2016)."""
    kept = "".join(char for char in text.lower() if char not in string.punctuation)
    return " ".join(_ARTICLES.sub(" ", kept).split())


def exact_match(answer: str, gold: Sequence[str]) -> bool:
    """Whether the normalised answer equals a gold answer (Rajpurkar et al. 2016)."""
    return any(normalised(answer) == normalised(right) for right in gold)


def token_f1(answer: str, gold: Sequence[str]) -> float:
    """Best harmonic mean of token precision and recall against a gold answer (Rajpurkar et al. 2016)."""
    return max((_f1(normalised(answer).split(), normalised(right).split()) for right in gold), default=0.0)


def contains_gold(text: str, gold: Sequence[str]) -> bool:
    """Whether a gold answer occurs in the text as whole words, both normalised."""
    padded = f" {normalised(text)} "
    return any(right in padded for right in (f" {normalised(answer)} " for answer in gold) if right.strip())


def ranking_figures(
    relevant: Sequence[Mapping[str, int]], ranked: Sequence[Sequence[str]], cutoffs: Sequence[int] = (1, 2, 3, 5, 10)
) -> dict[str, float]:
    """Mean recall@k, MRR@10 and nDCG@10 over questions, by the library ir-measures (trec_eval's definitions).

    Reciprocal rank after Voorhees 1999; nDCG after Järvelin and Kekäläinen 2002.

    Args:
        relevant: for each question, what is relevant and how much (1 or more).
        ranked: for each question, what was found, best first, without repetition.
        cutoffs: the ks of recall@k.

    Raises:
        UsageError: the library is not installed.
    """
    try:
        import ir_measures
        from ir_measures import RR, R, nDCG
    except ImportError as error:
        problem = "Measuring needs the package ir-measures"
        raise UsageError(
            problem, "Install the project with its extra: pip install 'ask-the-articles[eval]'."
        ) from error
    qrels = {str(number): dict(grades) for number, grades in enumerate(relevant)}
    # The library orders by score; ours are already in order and may hold equal scores.
    run = {
        str(number): {name: float(len(names) - rank) for rank, name in enumerate(names)}
        for number, names in enumerate(ranked)
    }
    measures = {R @ k: f"recall@{k}" for k in cutoffs} | {RR @ 10: "mrr@10", nDCG @ 10: "ndcg@10"}
    found = ir_measures.calc_aggregate(list(measures), qrels, run)
    return {name: float(found[measure]) for measure, name in measures.items()}


def citation_recall(sentences: Sequence[tuple[str, Sequence[str]]], carries: Carries) -> float:
    """Share of the sentences that their quotes, taken together, carry (ALCE, Gao et al. 2023, section 4).

    Args:
        sentences: text and cited quotes of each sentence of an answer; at least one.
        carries: decides; verbatim sentences can be decided exactly.
    """
    return mean(bool(quotes) and carries(text, quotes) for text, quotes in sentences)


def citation_precision(sentences: Sequence[tuple[str, Sequence[str]]], carries: Carries) -> float:
    """Share of the citations that are of use (ALCE, Gao et al. 2023, section 4); 0 without citations.

    A citation is of use if its sentence is carried at all and either the quote alone carries the sentence or the
    others without it do not.
    """
    useful = []
    for text, quotes in sentences:
        carried = bool(quotes) and carries(text, quotes)
        for position, quote in enumerate(quotes):
            others = [*quotes[:position], *quotes[position + 1 :]]
            needed = not others or not carries(text, others)
            useful.append(carried and (needed or carries(text, [quote])))
    return mean(useful) if useful else 0.0


def risk_coverage(confidences: Sequence[float], right: Sequence[bool]) -> list[tuple[float, float]]:
    """Coverage and risk (share of wrong among the answered) as answers are given in order of falling confidence.

    El-Yaniv and Wiener 2010. Answers of equal confidence are given together.
    """
    order = sorted(range(len(confidences)), key=lambda i: -confidences[i])
    points, wrong = [], 0
    for count, position in enumerate(order, 1):
        wrong += not right[position]
        last = count == len(order) or confidences[order[count]] != confidences[position]
        if last:
            points.append((count / len(order), wrong / count))
    return points


def area_under_risk_coverage(confidences: Sequence[float], right: Sequence[bool]) -> float | None:
    """Mean risk over all coverages (AURC, Geifman and El-Yaniv 2017); lower is better, ``None`` without answers."""
    points = risk_coverage(confidences, right)
    area, before = 0.0, 0.0
    for coverage, risk in points:
        area += (coverage - before) * risk
        before = coverage
    return area if points else None


def calibration_bins(
    confidences: Sequence[float], right: Sequence[bool], bins: int = 10
) -> list[tuple[float, float, int]]:
    """Mean confidence, share right and count in each of ``bins`` equal ranges of confidence that are not empty."""
    grouped: dict[int, list[int]] = {}
    for position, confidence in enumerate(confidences):
        grouped.setdefault(min(int(confidence * bins), bins - 1), []).append(position)
    return [
        (mean(confidences[i] for i in members), mean(right[i] for i in members), len(members))
        for _, members in sorted(grouped.items())
    ]


def expected_calibration_error(confidences: Sequence[float], right: Sequence[bool], bins: int = 10) -> float | None:
    """Mean gap between confidence and share right, over bins by their size (ECE, Guo et al. 2017)."""
    grouped = calibration_bins(confidences, right, bins)
    total = len(confidences)
    return sum(count * abs(sure - hit) for sure, hit, count in grouped) / total if total else None


def share(values: Sequence[bool]) -> float | None:
    """Share of true values; ``None`` of none."""
    return sum(values) / len(values) if values else None


def percentile(values: Sequence[float], percent: float) -> float:
    """Linear interpolation between the two nearest of at least one value."""
    ordered = sorted(values)
    position = (len(ordered) - 1) * percent / 100
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def _f1(answer: Sequence[str], gold: Sequence[str]) -> float:
    common = sum((Counter(answer) & Counter(gold)).values())
    return 2 * common / (len(answer) + len(gold)) if common else 0.0
