"""Measures of answers, with their sources. Pure functions of strings and ranks."""

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


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


def _f1(answer: Sequence[str], gold: Sequence[str]) -> float:
    common = sum((Counter(answer) & Counter(gold)).values())
    return 2 * common / (len(answer) + len(gold)) if common else 0.0
