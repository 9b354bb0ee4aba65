"""The head of an article → its title, author, publisher and date, and where each of them was found."""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from rag.boilerplate import Kind, boilerplate, joined_lines
from rag.bylines import (
    Byline,
    DateLine,
    Dateline,
    Day,
    byline,
    date_line,
    dateline,
    is_site_name,
    name_list,
)
from rag.prose import plain

_HEAD = 4_000
"""Characters and, below, lines among which the head of an article is looked for."""
_MOST_LINES = 40
_MAX_TITLE = 200
_LEAST_TITLE = 3
"""Words of a headline; a shorter first line may be the name of a section."""
_BODY_WORDS = 8
_HEADING = re.compile(r"#{1,2}\s+(.+?)\s*#*$")
_SENTENCE_END = re.compile(r"[.!?…。！？।؟۔][\"'”’»)\]*_]*$")


@dataclass(frozen=True, slots=True)
class Header:
    """What the first lines of an article say of it. Dates are ISO 8601."""

    title: str | None = None
    author: str | None = None
    publisher: str | None = None
    published: str | None = None
    found: tuple[tuple[str, str], ...] = ()
    """Where each piece was found, as (field, place); the place is ``dateline``, ``byline``, ``first heading`` or
    ``first line``."""


@dataclass(slots=True)
class _Head:
    lines: list[str] = field(default_factory=list)
    """Lines that may be the title, in order, as they stand."""
    bylines: list[Byline] = field(default_factory=list)
    below: Byline | None = None
    """Of an article that is signed at its end."""
    above: list[DateLine] = field(default_factory=list)
    """Dates above the title, which may be those of the day on which the page was saved."""
    date_lines: list[DateLine] = field(default_factory=list)
    dateline: Dateline | None = None
    publisher: str | None = None
    """Name of the paper that stands alone above the title."""


def read_header(text: str, start: int = 0) -> Header:
    """Read the head of ``text[start:]``, which ends with its first sentence of some length.

    A day without a year (``June 17``) is a date only where another date of the head has one.
    """
    head = _read(text[start : start + _HEAD])
    title, place = _title(head.lines)
    signed = [line for line in (*head.bylines, head.below) if line is not None]
    author = next((line.author for line in signed if line.author), None)
    publisher, publisher_place = _publisher(head)
    published = _published(head)
    found = {
        "title": place,
        "author": "byline" if author else "",
        "publisher": publisher_place,
        "published": "dateline" if published else "",
    }
    return Header(title, author, publisher, published, tuple((name, place) for name, place in found.items() if place))


def _read(text: str) -> _Head:
    head = _Head()
    marked = frozenset(boilerplate(text))
    lines = joined_lines(text)[:_MOST_LINES]
    in_body = False
    for number, line in enumerate(lines):
        is_marked = (line.start, line.end) in marked
        dated, signed = date_line(line.text), byline(line.text)
        if dated is not None and (is_marked or dated.labelled):
            if dated.labelled or not in_body:
                (head.date_lines if dated.labelled or head.lines else head.above).append(dated)
        elif in_body:
            if signed is not None and is_marked and signed.author and head.below is None:
                head.below = signed
        elif signed is not None and (is_marked or signed.opened):
            head.bylines.append(signed)
            if signed.day is not None:
                head.date_lines.append(DateLine(signed.day, None, False, None))
        elif is_marked:
            if is_site_name(line.text) and head.publisher is None:
                head.publisher = line.text
            elif number and name_list(line.text):
                head.bylines.append(Byline(name_list(line.text), None, None, False))
        elif line.kind is Kind.TEXT:
            head.dateline = dateline(line.text, first=True)
            in_body = head.dateline is not None or _is_body(line.text)
            if not in_body:
                head.lines.append(line.text)
    return head


def _is_body(line: str) -> bool:
    ends = bool(_SENTENCE_END.search(line[-8:]))
    return len(line) > _MAX_TITLE or (ends and len(line.split()) >= _BODY_WORDS and not _HEADING.match(line))


def _title(lines: Sequence[str]) -> tuple[str | None, str]:
    for line in lines:
        heading = _HEADING.match(line)
        if heading:
            return plain(heading.group(1))[:_MAX_TITLE], "first heading"
    for line in sorted(lines, key=lambda line: line.endswith(".")):  # a slogan above it may be a sentence
        if len(line.split()) >= _LEAST_TITLE or not line.isascii():
            return plain(line.strip("*_ "))[:_MAX_TITLE], "first line"
    return None, ""


def _publisher(head: _Head) -> tuple[str | None, str]:
    for line in (head.dateline, *head.date_lines, *head.above):
        if line is not None and line.publisher:
            return line.publisher, "dateline"
    for signed in head.bylines:
        if signed.publisher:
            return signed.publisher, "byline"
    return head.publisher, "first line" if head.publisher else ""


def _published(head: _Head) -> str | None:
    """The date of publication; where it has none, that of the dateline or of the last change."""
    labelled = [line.day for line in head.date_lines if line.day and line.labelled]
    unlabelled = [line.day for line in (*head.date_lines, *head.above) if line.day and not line.labelled]
    placed = [head.dateline.day] if head.dateline and head.dateline.day else []
    updated = [line.updated for line in head.date_lines if line.updated]
    days = [*labelled, *unlabelled, *placed, *updated]
    known = next((_date(day) for day in days if day.year), None)
    if known is None:
        return None
    best = next((day for day in (*labelled, *unlabelled) if day.year), days[0])
    return (_date(best) if best.year else _dated(best, known)).isoformat()


def _date(day: Day) -> datetime.date:
    return datetime.date(day.year, day.month, day.day)


def _dated(day: Day, known: datetime.date) -> datetime.date:
    """The last such day up to a date that is known; 29 February may lie years back."""
    for year in range(known.year, known.year - 9, -1):
        try:
            found = datetime.date(year, day.month, day.day)
        except ValueError:
            continue
        if found <= known:
            return found
    return known
