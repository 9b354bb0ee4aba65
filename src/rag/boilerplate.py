"""What of a text is no part of its article: menus, share and subscribe lines, captions, credits, datelines, running heads.

A line is marked for what it says itself (``boilerplate_lines``, ``bylines``) or for what stands around it: headlines
below "Related stories", entries of a menu, a line that comes again on every page. In doubt nothing is marked, since a
sentence that is marked can neither be found nor cited.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import pairwise
from statistics import median

from rag.boilerplate_lines import (
    BUTTONS,
    LIST_HEADS,
    MAX_LINE,
    NAVIGATION,
    NOTE,
    TAG_HEADS,
    bare,
    is_about_article,
    is_biography,
    is_boilerplate,
    is_caption,
    signature,
)
from rag.bylines import byline, date_line, dateline, is_site_name, name_list

_NARROWEST_WRAP, _WIDEST_WRAP = 30, 120
"""As in ``sentences``: where no line is longer, a line end may stand for a space. Lines of a few words are a list."""
_MAX_HEADLINE = 160
_MOST_HEADLINES = 30
_MENU_ITEM = 5
"""Most words of an entry of a menu or a tag."""
_LEAST_MENU = 3
"""Known entries that make lines in a row a menu."""
_BODY_WORDS = 8
"""Least words of a sentence with which the article proper begins."""
_CAPTION_LINES = 4
_MOST_HEAD = 60
"""Lines above the first sentence that are looked at as the head of an article."""
_LAST = 5
"""Lines at the end among which a biography of the writer may stand."""
_MAX_RUNNING_HEAD = 100
_MOST_DIGITS = 4
_LONGEST_SIGNATURE = 120
_LEAST_SIGNED = 16
"""Characters of a line that has a dateline or a signature, and something to sign."""
_MOST_DATES = 4
"""More lines that are nothing but a date are a table or a timeline."""
_REPEATS = 3
"""Pages on which a running head or a page number stands at least."""
_LEAST_PAGE, _USUAL_PAGE = 300, 500
"""Characters from one running head to the next: at least, and in the median."""

_LINE = re.compile(r"[^\n\r\f\v\x85\u2028\u2029]+")
_BLANK = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\ufeff\u200b"
_HYPHENS = "-\u2010\u00ad"
_SENTENCE_END = re.compile(r"[.!?…。！।؟۔][\"'”’»)\]*_]*$")
_WORD = re.compile(r"\w+")
_PAGE = re.compile(r"(?:page|p\.)\s?\d{1,4}(?:\s?(?:of|/)\s?\d{1,4})?|[-–—]\s?\d{1,4}\s?[-–—]", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")
_CLOCK = re.compile(r"\d{1,2}:\d\d(?::\d\d)?")
_HEADING = re.compile(r"#{1,6}\s")
_LIST_MARK = re.compile(r"[-*+•]\s+|\d{1,2}[.)]\s+")


class Kind(Enum):
    TEXT = auto()
    BOILERPLATE = auto()
    LIST_HEAD = auto()
    TAG_HEAD = auto()
    NAVIGATION = auto()
    """An entry of a menu, if others stand around it."""
    NOTE_LABEL = auto()
    BYLINE = auto()
    """May also be a caption or a heading: it counts only above the article."""
    DATE = auto()
    """The same, for a date that does not say what it is the date of."""
    SITE_NAME = auto()


@dataclass(slots=True)
class Line:
    """A line, or several that are one wrapped paragraph."""

    start: int
    end: int
    raw: str = ""
    """As it stands; its beginning, where it is long."""
    text: str = ""
    """The same on one line."""
    kind: Kind = Kind.TEXT
    after_blank: bool = True
    """Whether a blank line, or nothing, stands before it."""

    @property
    def is_open(self) -> bool:
        """Whether it is text that does not end a sentence, such as the first line of a wrapped caption."""
        text = self.kind is Kind.TEXT and not _HEADING.match(self.text)
        return text and not _SENTENCE_END.search(self.text[-8:])

    @property
    def is_body(self) -> bool:
        """Whether it is a sentence of some length."""
        return self.kind is Kind.TEXT and _is_sentence(self.text)


def boilerplate(text: str, start: int = 0) -> tuple[tuple[int, int], ...]:
    """Ranges of ``text[start:]`` that are no part of the article.

    Args:
        text: of a document.
        start: where the article begins, behind any front matter.

    Returns:
        sorted, disjoint ranges of code points, without white space at their ends. A range is a whole line or paragraph
        but for a dateline, an editor's label and the sign of an agency at the end of a paragraph.
    """
    lines = joined_lines(text, start)
    kinds: dict[str, Kind] = {}
    for line in lines:
        if line.kind is Kind.TEXT:
            line.kind = kinds.get(line.text) or kinds.setdefault(line.text, _kind(line.text))
    if sum(line.kind is Kind.DATE for line in lines) > _MOST_DATES:
        lines = [replace(line, kind=Kind.TEXT) if line.kind is Kind.DATE else line for line in lines]
    first = next((number for number, line in enumerate(lines) if line.is_body), len(lines))
    last = next((number for number in reversed(range(first, len(lines))) if lines[number].is_body), len(lines))
    _mark_head(lines, min(first, _MOST_HEAD))
    _mark_tail(lines, last)
    _mark_captions(lines)
    _mark_menus(lines)
    _mark_lists(lines)
    return tuple(_ranges(text, lines, first))


def joined_lines(text: str, start: int = 0) -> list[Line]:
    """Lines that are not blank; the lines of a wrapped paragraph as one, running heads and page numbers marked."""
    spans: list[tuple[int, int]] = []
    for match in _LINE.finditer(text, start):
        whole = match.group()
        stripped = whole.strip(_BLANK)
        if stripped:
            begin = match.start() + whole.index(stripped[0])
            spans.append((begin, begin + len(stripped)))
    heads = _running_heads(text, spans)
    width = max((end - begin for begin, end in spans), default=0)
    found: list[Line] = []
    width_of_last = before = 0
    for begin, end in spans:
        gap = text[before:begin] if found else "\n\n"
        adjacent = len(gap) < 8 and gap.count("\n") < 2 and "\f" not in gap
        if begin in heads:
            found.append(Line(begin, end, kind=Kind.BOILERPLATE))
        elif adjacent and _goes_on(text[begin:end], text[before - 1], width_of_last, width, found[-1]):
            found[-1].end = end
        else:
            found.append(Line(begin, end, after_blank=not adjacent))
        before, width_of_last = end, end - begin
    for line in found:
        line.raw = text[line.start : min(line.end, line.start + MAX_LINE + 1)]
        line.text = " ".join(line.raw.split()) if "\n" in line.raw or "\r" in line.raw else line.raw
    return found


def _goes_on(piece: str, last_char: str, width_of_last: int, width: int, before: Line) -> bool:
    """Whether a line continues the one before it: a word is parted, or the next one would not have fitted there."""
    if before.kind is Kind.BOILERPLATE:
        return False
    if last_char in _HYPHENS and piece[0].islower():
        return True
    is_wrapped = _NARROWEST_WRAP <= width <= _WIDEST_WRAP
    if not is_wrapped or width_of_last + 1 + len(piece.split(maxsplit=1)[0]) <= width:
        return False
    if _LIST_MARK.match(piece) or _HEADING.match(piece) or _PAGE.fullmatch(piece):
        return False
    return not (last_char in ".!?" and is_boilerplate(piece))


def _is_sentence(line: str) -> bool:
    if _HEADING.match(line):
        return False
    return len(line) > MAX_LINE or (bool(_SENTENCE_END.search(line[-8:])) and len(_WORD.findall(line)) >= _BODY_WORDS)


def _kind(line: str) -> Kind:
    if len(line) > MAX_LINE:
        return Kind.TEXT
    said = line.strip("# *_").strip()
    if LIST_HEADS.fullmatch(said):
        return Kind.LIST_HEAD
    if TAG_HEADS.fullmatch(said) and not _HEADING.match(line):
        return Kind.TAG_HEAD if ":" in said else Kind.NAVIGATION
    if is_boilerplate(line):
        return Kind.BOILERPLATE
    note = NOTE.match(line)
    if note:
        rest = line[note.end() :]
        return Kind.NOTE_LABEL if not rest or not is_about_article(rest) else Kind.BOILERPLATE
    if _HEADING.match(line):
        return Kind.TEXT
    if bare(line) in NAVIGATION:
        return Kind.NAVIGATION
    return _kind_of_origin(line)


def _kind_of_origin(line: str) -> Kind:
    dated = date_line(line)
    if dated is not None:
        return Kind.BOILERPLATE if dated.labelled or dated.publisher or _CLOCK.fullmatch(line) else Kind.DATE
    signed = byline(line)
    if signed is not None:
        return Kind.BOILERPLATE if signed.opened else Kind.BYLINE
    return Kind.SITE_NAME if is_site_name(line) else Kind.TEXT


def _mark_head(lines: Sequence[Line], first: int) -> None:
    """Above the first sentence, dates, names, the name of the paper and that of the section are what they look like."""
    for number, line in enumerate(lines[:first]):
        near = lines[max(0, number - 1) : number + 2]
        signs = [byline(other.text) for other in near if other.kind is Kind.BYLINE]
        beside_date = any(signs) or any(date_line(other.text) for other in near if other.kind is not Kind.TEXT)
        if number and line.kind is Kind.TEXT and beside_date and name_list(line.text):
            line.kind = Kind.BYLINE
    title = next(
        (n for n, line in enumerate(lines[:first]) if line.kind is Kind.TEXT and len(line.text.split()) > 2), 0
    )
    for number, line in enumerate(lines[:first]):
        is_paper = line.kind is Kind.SITE_NAME and number + 1 < len(lines) and _titled(lines[:first], number)
        is_kicker = line.kind is Kind.NAVIGATION and number < title
        if line.kind in (Kind.BYLINE, Kind.DATE) or is_paper or is_kicker:
            line.kind = Kind.BOILERPLATE


def _titled(head: Sequence[Line], number: int) -> bool:
    """Whether another line of the head than this one can be the title."""
    return any(other.kind is Kind.TEXT and len(other.text.split()) > 2 for other in head if other is not head[number])


def _mark_tail(lines: Sequence[Line], last: int) -> None:
    for line in lines[last + 1 :]:
        if line.kind is Kind.DATE:
            line.kind = Kind.BOILERPLATE
    for line in lines[max(1, len(lines) - _LAST) :]:
        if line.kind is Kind.TEXT and is_biography(line.text):
            line.kind = Kind.BOILERPLATE


def _mark_captions(lines: Sequence[Line]) -> None:
    """The lines right above a credit that lead up to it without ending a sentence."""
    for number, line in enumerate(lines):
        if line.kind is not Kind.BOILERPLATE or line.after_blank or not is_caption(line.text):
            continue
        above = number
        while above and not lines[above].after_blank and lines[above - 1].is_open and number - above < _CAPTION_LINES:
            above -= 1
        if (
            lines[above].after_blank or lines[above - 1].kind is Kind.BOILERPLATE
        ):  # else it is the paragraph above that is open, or the title
            for part in lines[above:number]:
                part.kind = Kind.BOILERPLATE


def _mark_menus(lines: Sequence[Line]) -> None:
    """Known entries in a row, and the unknown ones between them."""
    run: list[Line] = []
    for line in [*lines, Line(0, 0, "#", "#")]:
        short = len(line.text) <= 40 and len(line.text.split()) <= _MENU_ITEM and not _SENTENCE_END.search(line.text)
        if short and not _HEADING.match(line.text) and line.text != "#":
            run.append(line)
            continue
        known = [number for number, entry in enumerate(run) if _is_entry(entry)]
        if len(known) >= _LEAST_MENU and 2 * len(known) >= known[-1] + 1 - known[0]:
            for entry in run[known[0] : known[-1] + 1]:
                entry.kind = Kind.BOILERPLATE
        run = []


def _is_entry(line: Line) -> bool:
    return line.kind is Kind.NAVIGATION or (line.kind is Kind.BOILERPLATE and bare(line.text) in NAVIGATION | BUTTONS)


def _mark_lists(lines: Sequence[Line]) -> None:
    """Heads of lists of other articles with the headlines below them, and tags with what they list."""
    head: Line | None = None
    taken, spaced = 0, False
    for line in lines:
        if line.kind in (Kind.LIST_HEAD, Kind.TAG_HEAD):
            head, taken = line, 0
            continue
        if head is None:
            continue
        spaced = line.after_blank if taken == 0 else spaced
        ended = line.kind is not Kind.BOILERPLATE and (
            taken == _MOST_HEADLINES or not _is_listed(line, head) or (line.after_blank and not spaced and taken)
        )
        if ended:
            head = None
        elif line.kind is not Kind.BOILERPLATE:
            line.kind = Kind.BOILERPLATE
            taken += 1
    for line in lines:
        if line.kind in (Kind.LIST_HEAD, Kind.TAG_HEAD):
            line.kind = Kind.BOILERPLATE


def _is_listed(line: Line, head: Line) -> bool:
    if _HEADING.match(line.text) or line.text.endswith((".", ":", ";", ",")):
        return False
    if head.kind is Kind.TAG_HEAD:
        return len(line.text.split()) <= _MENU_ITEM and not line.after_blank
    return len(line.text) <= _MAX_HEADLINE and line.kind is not Kind.NOTE_LABEL


def _running_heads(text: str, spans: Sequence[tuple[int, int]]) -> frozenset[int]:
    """Where short lines begin that come again from page to page with nothing changed but a number.

    A line that is only a number must count the pages.
    """
    alike: dict[str, list[tuple[int, int]]] = {}
    for begin, end in spans:
        if end - begin <= _MAX_RUNNING_HEAD:
            alike.setdefault(_NUMBER.sub("#", text[begin:end]), []).append((begin, end))
    found: set[int] = set()
    for line, places in alike.items():
        if len(places) < _REPEATS or not _paged([begin for begin, _ in places]):
            continue
        if line == "#":
            written = [text[begin:end] for begin, end in places]
            values = [int(number) for number in written if number.isdecimal() and len(number) <= _MOST_DIGITS]
            is_head = len(values) == len(places) and all(1 <= after - value <= 2 for value, after in pairwise(values))
        else:
            is_head = not _HEADING.match(line) and not _LIST_MARK.match(line) and line[-1] not in ".:?!,;"
        if is_head:
            found.update(begin for begin, _ in places)
    return frozenset(found)


def _paged(begins: Sequence[int]) -> bool:
    """Whether lines lie a page apart; only the last page may be short."""
    gaps = [after - before for before, after in pairwise(begins)]
    return min(gaps[:-1] or gaps) >= _LEAST_PAGE and median(gaps) >= _USUAL_PAGE


def _ranges(text: str, lines: Sequence[Line], first: int) -> Iterator[tuple[int, int]]:
    for number, line in enumerate(lines):
        if line.kind is Kind.BOILERPLATE:
            yield line.start, line.end
            continue
        if line.end - line.start < _LEAST_SIGNED and line.kind is not Kind.NOTE_LABEL:
            continue
        begins = NOTE.match(line.raw) if line.kind is Kind.NOTE_LABEL else None
        begun = begins.end() if begins else 0
        if line.kind is Kind.TEXT:
            signed = dateline(line.raw, first=number <= first)
            begun = signed.end if signed else 0
        if begun:
            yield line.start, line.start + len(line.raw[:begun].rstrip())
        tail = max(line.start + begun, line.end - _LONGEST_SIGNATURE)
        ended = signature(text[tail : line.end])
        if ended is not None:
            yield tail + ended, line.end
