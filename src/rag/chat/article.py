"""A whole article as HTML with the cited spans marked, so that a quote is read where it stands."""

import itertools
import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from rag.chat.render import day, original_link
from rag.records import Document
from rag.sentences import blocks, is_heading, split_sentences

_NOT_THE_ARTICLE = "Not part of the article"
_LEGEND = "Small print behind a dotted line is no part of the article: it is kept, but neither searched nor quoted."
_BLOCK_MARK = re.compile(r"[ \t]*(?:#{1,6}\s+|[-*+•]\s+|>\s*)")


@dataclass(frozen=True, slots=True)
class Mark:
    """What a citation points at."""

    number: int
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Placed:
    """Marks as they stand in an article now."""

    marks: tuple[Mark, ...]
    moved: tuple[int, ...] = ()
    """Numbers of quotes that were found at another place than they were cited from."""
    lost: tuple[int, ...] = ()
    """Numbers of quotes that are not in the article any more."""


def place(document: Document, marks: Sequence[Mark]) -> Placed:
    """Find each quote: where it was cited from or, in an article that has changed since, where it stands now."""
    found: list[Mark] = []
    moved: list[int] = []
    lost: list[int] = []
    for mark in marks:
        start = mark.start
        if document.text[start : mark.end] != mark.quote:
            start = document.text.find(mark.quote) if mark.quote else -1
            (moved if start >= 0 else lost).append(mark.number)
        if start >= 0:
            found.append(Mark(mark.number, start, start + len(mark.quote), mark.quote))
    return Placed(tuple(found), tuple(moved), tuple(lost))


def article(document: Document, marks: Sequence[Mark]) -> str:
    """The article with its origin above and each quote in ``<mark data-numbers>`` elements.

    The texts of the elements of one number, joined, are exactly the quote: no character is added or left out. What is
    no part of the article is dimmed, and where a page begins, its label stands in ``data-place``.

    Args:
        document: to be shown.
        marks: what is cited of it.
    """
    placed = place(document, marks)
    first = placed.marks[0].quote if placed.marks else ""
    about = [document.publisher, document.author, day(document.published)]
    meta = "".join(f"<span>{escape(part)}</span>" for part in about if part)
    notes = "".join(f'<p class="changed" role="status">{note}</p>' for note in _notes(placed))
    if document.boilerplate:
        notes += f'<p class="legend">{_LEGEND}</p>'
    lang = f' lang="{escape(document.language)}"' if document.language else ""
    # A carriage return that is not spelt out would reach the browser as a line feed.
    body = _body(document, placed.marks).replace("\r", "&#13;")
    return (
        f'<header class="article-head"><h2 dir="auto" tabindex="-1">{escape(document.title)}</h2>'
        f'<p class="meta">{meta}<span class="path" dir="ltr">{escape(document.path)}</span></p>'
        f'<p class="links">{original_link(document.url, first)}</p>{notes}</header>'
        f'<div class="article-text" dir="auto"{lang}>{body}</div>'
    )


def _notes(placed: Placed) -> list[str]:
    changed = "This article has changed since the answer: "
    notes = []
    if placed.moved:
        notes.append(f"{changed}{_quotes(placed.moved)} moved within it.")
    if placed.lost:
        notes.append(f"{changed}{_quotes(placed.lost)} gone from it.")
    return notes


def _quotes(numbers: Sequence[int]) -> str:
    names = ", ".join(f"[{number}]" for number in numbers)
    return f"quote {names} has" if len(numbers) == 1 else f"quotes {names} have"


def _body(document: Document, marks: Sequence[Mark]) -> str:
    text, begin = document.text, document.body_start
    starts = [start for start, _ in blocks(text, begin)]
    if not starts:
        return escape(text[begin:])
    fragments = {
        sentence.start: sentence.end
        for sentence in split_sentences(text, begin, document.language, document.boilerplate)
        if not sentence.citable and not text[sentence.start : sentence.end].endswith("?")
    }
    # What begins before the first word is shown at it.
    places = {max(offset, starts[0]): label for offset, label in document.anchors}
    edges = {edge for mark in marks for edge in (mark.start, mark.end)}
    edges |= {edge for span in document.boilerplate for edge in span}
    layers = _Layers(
        text,
        marks,
        fragments,
        document.boilerplate,
        places,
        sorted(edges | fragments.keys() | set(fragments.values()) | places.keys()),
    )
    # A block reaches to the next one, so that the space between them belongs to one of them.
    ends = [*starts[1:], len(text)]
    return "".join(_block(layers, start, end) for start, end in zip(starts, ends, strict=True))


@dataclass(frozen=True, slots=True)
class _Layers:
    """A text and all that is shown in it."""

    text: str
    marks: Sequence[Mark]
    fragments: Mapping[int, int]
    """Start → end."""
    boilerplate: Sequence[tuple[int, int]]
    places: Mapping[int, str]
    """Offset → label of the page that begins there."""
    cuts: Sequence[int]
    """Where any of them begins or ends, sorted."""

    def is_boilerplate(self, offset: int) -> bool:
        before = bisect_right(self.boilerplate, offset, key=lambda span: span[0])
        return before > 0 and offset < self.boilerplate[before - 1][1]


def _block(layers: _Layers, start: int, end: int) -> str:
    text, cuts = layers.text, layers.cuts
    sign = _BLOCK_MARK.match(text, start, end)
    heading = is_heading(text[start:end]) and not layers.is_boilerplate(start)
    edges = [start, *cuts[bisect_right(cuts, start) : bisect_left(cuts, end)], end]
    shown = []
    inside_fragment = start
    for boilerplate, pieces in itertools.groupby(
        itertools.pairwise(edges), key=lambda piece: layers.is_boilerplate(piece[0])
    ):
        parts = []
        for left, right in pieces:
            inside_fragment = max(inside_fragment, layers.fragments.get(left, left))
            numbers = " ".join(str(mark.number) for mark in layers.marks if mark.start <= left and right <= mark.end)
            words = escape(text[left:right])
            if numbers:
                words = f'<mark data-numbers="{numbers}">{words}</mark>'
            elif sign and left == start and sign.end() <= right:
                words = f'<span class="sign">{escape(sign.group())}</span>{escape(text[sign.end() : right])}'
            elif right <= inside_fragment and not heading and not boilerplate:
                words = f'<span class="fragment">{words}</span>'
            if left in layers.places:
                # Shown by the style sheet: the text of the article stays as it is.
                parts.append(f'<span class="page-start" data-place="{escape(layers.places[left])}"></span>')
            parts.append(words)
        inside = "".join(parts)
        note = f'<span class="boilerplate" role="note" aria-label="{_NOT_THE_ARTICLE}">{inside}</span>'
        shown.append(note if boilerplate else inside)
    tag = "h3" if heading else "p"
    item = ' class="item"' if sign and "#" not in sign.group() else ""
    return f"<{tag}{item}>{''.join(shown)}</{tag}>"
