"""Okapi BM25 over postings: which chunks hold the words of a question, and how well.

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with k1 = 1.2 and b = 0.75.
A word that more than half of the chunks hold counts next to nothing, as in SQLite's FTS5.
"""

import math
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.uint32]
Counts = npt.NDArray[np.uint8]
Lengths = npt.NDArray[np.uint32]
Mask = npt.NDArray[np.bool_]
Found = npt.NDArray[np.int64]

_K1, _B = 1.2, 0.75
_LEAST_WEIGHT = 1e-6
_ROUNDING = 1e-5
"""Share by which a sum of single-precision scores may be off."""
MOST_COUNTED = 255
"""Occurrences of a word in a chunk beyond this are not counted; the score has long levelled off."""


def weight(holding: int, chunks: int) -> float:
    """Inverse document frequency of a word that ``holding`` of ``chunks`` chunks hold."""
    return max(math.log((chunks - holding + 0.5) / (holding + 0.5)), _LEAST_WEIGHT)


def best(
    words: Iterable[tuple[float, Callable[[], tuple[Rows, Counts]]]],
    lengths: Lengths,
    average: float,
    k: int,
    among: Mask | None = None,
) -> list[tuple[int, float]]:
    """The ``k`` best rows with their positive scores, best first; equal scores in row order.

    Words come in by falling weight. As soon as all that are left cannot bring a new row among the best, only the rows
    that still can be are looked at (MaxScore; Turtle and Flood, "Query evaluation: strategies and optimizations", 1995).

    Args:
        words: for each word of the question its weight, and what gives the rows that hold it, sorted and without
            repetition, and how often each does.
        lengths: words of each row.
        average: words of a row on average.
        k: how many.
        among: the rows that may be found; all without it. Scores are the same.
    """
    if k < 1:
        return []
    by_weight = sorted(words, key=lambda word: -word[0])
    most_left = (_K1 + 1) * sum(weight for weight, _ in by_weight)
    scores = np.zeros(len(lengths), np.float32)
    hopeful: Found | None = None
    for weight, load in by_weight:
        rows, counts = load()
        if hopeful is not None:
            places = np.minimum(np.searchsorted(rows, hopeful), len(rows) - 1)
            places = places[rows[places] == hopeful]
            rows, counts = rows[places], counts[places]
        elif among is not None:
            admitted = among[rows]
            rows, counts = rows[admitted], counts[admitted]
        often = counts.astype(np.float32)
        norm = _K1 * (1 - _B + (_B / average) * lengths[rows].astype(np.float32))
        scores[rows] += np.float32(weight * (_K1 + 1)) * (often / (often + norm))
        most_left -= (_K1 + 1) * weight
        if hopeful is None:
            found = np.flatnonzero(scores > 0)
            if len(found) > k:
                least = _kth(scores[found], k)
                if least > most_left:
                    hopeful = found[scores[found] >= least - most_left - _ROUNDING * least]
    found = np.flatnonzero(scores > 0) if hopeful is None else hopeful
    if len(found) > k:
        found = found[scores[found] >= _kth(scores[found], k)]
    order = np.lexsort((found, -scores[found]))[:k]
    return [(int(found[position]), float(scores[found[position]])) for position in order]


def _kth(scores: npt.NDArray[np.float32], k: int) -> float:
    """The ``k``-th highest."""
    return float(np.partition(scores, len(scores) - k)[len(scores) - k])
