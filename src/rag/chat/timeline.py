"""Dates of articles as a picture: one dot an article on a line of years, the cited ones with their numbers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from html import escape

_WIDTH, _EDGE, _STEP, _HIGHEST = 400, 16, 7, 8
"""Units of the picture; at most eight dots above each other, the rest only counted."""


def timeline(dates: Iterable[str | None], cited: Mapping[int, str | None], label: str) -> str:
    """An SVG picture; empty where fewer than two articles have a date.

    Args:
        dates: of all articles, ISO 8601; those without one are left out.
        cited: dates of cited articles by their number, drawn below the line.
        label: what the picture shows, for those who cannot see it.
    """
    known = [found for found in map(_day, dates) if found]
    numbered = [(number, found) for number, text in cited.items() if (found := _day(text))]
    if len(known) < 2:
        return ""
    first = min([*known, *(found for _, found in numbered)])
    last = max([*known, *(found for _, found in numbered)])
    begin, end = date(first.year, 1, 1).toordinal(), date(last.year + 1, 1, 1).toordinal()

    def across(found: date) -> float:
        return _EDGE + (found.toordinal() - begin) / (end - begin) * (_WIDTH - 2 * _EDGE)

    stacks: dict[int, int] = {}
    dots = []
    for found in sorted(known):
        column = round(across(found) / _STEP)
        stacks[column] = stacks.get(column, 0) + 1
        if stacks[column] <= _HIGHEST:
            dots.append(f'<circle cx="{column * _STEP}" cy="{66 - stacks[column] * _STEP}" r="2.6"></circle>')
    rows = _rows(numbered, across)
    marks = [
        f'<g class="cited"><circle cx="{across(found):.0f}" cy="{98 + 18 * row}" r="8"></circle>'
        f'<text x="{across(found):.0f}" y="{102 + 18 * row}">{number}</text></g>'
        for row, (number, found) in rows
    ]
    height = 112 + 18 * max((row for row, _ in rows), default=-2)
    top = 66 - _STEP * (min(_HIGHEST, max(stacks.values())) + 1)
    return (
        f'<figure class="timeline"><svg viewBox="0 {top} {_WIDTH} {height - top}" role="img" aria-label="{escape(label)}">'
        f'<line x1="{_EDGE}" x2="{_WIDTH - _EDGE}" y1="66" y2="66"></line>{"".join(dots)}{"".join(marks)}'
        f"{''.join(_year(year, across) for year in _years(first.year, last.year))}</svg></figure>"
    )


def _rows(numbered: Sequence[tuple[int, date]], across: Callable[[date], float]) -> list[tuple[int, tuple[int, date]]]:
    """Each number in the first row where it covers no other."""
    ends: list[float] = []
    rows = []
    for number, found in sorted(numbered, key=lambda item: (item[1], item[0])):
        place = across(found)
        row = next((row for row, end in enumerate(ends) if end + 17 <= place), len(ends))
        ends[row : row + 1] = [place]
        rows.append((row, (number, found)))
    return rows


def _years(first: int, last: int) -> range:
    return range(first, last + 1, max(1, (last - first + 5) // 6))


def _year(year: int, across: Callable[[date], float]) -> str:
    place = across(date(year, 1, 1))
    return f'<text class="year" x="{place:.0f}" y="78">{year}</text>'


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None
