"""Do dated articles answer a question differently? Then the reader must see when each of them was written.

"Russia stays until 2024" of 2021 and "Russia stays until 2028" of 2025 are both quoted truly; shown without their dates,
they contradict each other.
"""

from collections.abc import Sequence

from rag.prose import short_answer, shown
from rag.records import Evidence
from rag.wording import content_stems, names, numbers, stems

_ABOUT = 0.6
"""Share of the question's words that a sentence, its title included, must have to be about the same thing."""


def disagree(question: str, one: Evidence, other: Evidence) -> bool:
    """Whether two sentences of articles of different months give short answers that exclude each other.

    That is said of numbers and of names only, and only if neither sentence has the other's answer too.
    """
    if not (one.answer and other.answer and _month(one) and _month(other)) or _month(one) == _month(other):
        return False
    if not (_is_about(question, one) and _is_about(question, other)):
        return False
    asked = set(stems(question))
    for parts in (numbers, names):
        left, right = (set(stems(" ".join(parts(short_answer(item))))) - asked for item in (one, other))
        if left or right:
            return bool(left and right) and not (left & set(stems(shown(other))) or right & set(stems(shown(one))))
    return False


def dated(question: str, sources: Sequence[Evidence]) -> tuple[list[Evidence], list[str | None]]:
    """Sources in the order of their dates where they disagree, and for each the date to show: a year, or a month.

    Sources that agree keep their order and get no date.
    """
    apart = [item for item in sources if any(disagree(question, item, rival) for rival in sources)]
    if not apart:
        return list(sources), [None] * len(sources)
    ordered = sorted(apart, key=lambda item: item.document.published or "")
    rest = [item for item in sources if item not in apart]
    years = [(item.document.published or "")[:4] for item in ordered]
    labels = [year if years.count(year) == 1 else _month(item) for year, item in zip(years, ordered, strict=True)]
    return [*ordered, *rest], [*labels, *([None] * len(rest))]


def _month(item: Evidence) -> str:
    """``2021-06``; empty where the article has no date or only a year."""
    return (item.document.published or "")[:7] if len(item.document.published or "") >= 7 else ""


def _is_about(question: str, item: Evidence) -> bool:
    wanted = set(content_stems(question))
    return len(wanted & set(content_stems(f"{item.document.title} {shown(item)}"))) >= _ABOUT * len(wanted)
