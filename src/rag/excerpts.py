"""A long sentence → the part of it that is quoted: an exact span of at most so many words, cut between clauses."""

import re

_BOUNDARY = re.compile(r"(?<=[,;:])\s+|\s+(?=[–—(])|(?<=\))\s+")
_WORD = re.compile(r"\S+")


def excerpt(text: str, start: int, end: int, words: int, answer: tuple[int, int] | None = None) -> tuple[int, int]:
    """The longest run of whole clauses of ``text[start:end]`` within ``words`` words that holds the answer.

    One from the sentence's beginning, which mostly names the subject, is preferred; of equally long ones the first.
    Where the clause with the answer is itself too long, words around the answer, from the sentence's beginning if they
    reach so far; without an answer, the beginning.

    Args:
        text: a document's text.
        start: of the sentence; ``end`` likewise.
        words: most words, at least 1.
        answer: range in ``text`` that must be kept, if it lies in the sentence.

    Returns:
        start and end in ``text``.
    """
    spans = [(match.start() + start, match.end() + start) for match in _WORD.finditer(text[start:end])]
    if len(spans) <= words:
        return start, end
    kept = answer if answer and start <= answer[0] and answer[1] <= end else (spans[0][0], spans[0][1])
    first = max(i for i, (a, _) in enumerate(spans) if a <= kept[0])
    last = min(i for i, (_, b) in enumerate(spans) if b >= kept[1])
    cuts = {match.end() + start for match in _BOUNDARY.finditer(text[start:end])}
    opens = [i for i, (a, _) in enumerate(spans) if (i == 0 or a in cuts) and i <= first]
    closes = [i for i in range(last, len(spans)) if i + 1 == len(spans) or spans[i + 1][0] in cuts]
    runs = [(i, j) for i in opens for j in closes if j - i < words]
    if runs:
        low, high = max(runs, key=lambda run: (run[0] == 0, run[1] - run[0], -run[0]))
    else:
        centred = max(0, min(first - max(0, words - (last - first + 1)) // 2, len(spans) - words))
        low = 0 if last < words else centred  # the beginning mostly names the subject
        high = min(len(spans), max(low + words, last + 1)) - 1
    return spans[low][0], spans[high][1]
