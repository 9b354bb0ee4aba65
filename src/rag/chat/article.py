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

    The texts of the elements of one number, joined, are exactly the quote: no character is added or left out.
    """
    placed = place(document, marks)
    first = placed.marks[0].quote if placed.marks else ""
    about = [document.publisher, document.author, day(document.published)]
    meta = "".join(f"<span>{escape(part)}</span>" for part in about if part)
    notes = "".join(f'<p class="changed" role="status">{note}</p>' for note in _notes(placed))
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
        for sentence in split_sentences(text, begin, document.language)
        if not sentence.citable and not text[sentence.start : sentence.end].endswith("?")
    }
    edges = {edge for mark in marks for edge in (mark.start, mark.end)}
    cuts = sorted(edges | fragments.keys() | set(fragments.values()))
    # A block reaches to the next one, so that the space between them belongs to one of them.
    ends = [*starts[1:], len(text)]
    return "".join(_block(text, start, end, cuts, marks, fragments) for start, end in zip(starts, ends, strict=True))


def _block(
    text: str, start: int, end: int, cuts: Sequence[int], marks: Sequence[Mark], fragments: Mapping[int, int]
) -> str:
    sign = _BLOCK_MARK.match(text, start, end)
    heading = is_heading(text[start:end])
    edges = [start, *cuts[bisect_right(cuts, start) : bisect_left(cuts, end)], end]
    parts = []
    inside_fragment = start
    for left, right in itertools.pairwise(edges):
        inside_fragment = max(inside_fragment, fragments.get(left, left))
        numbers = " ".join(str(mark.number) for mark in marks if mark.start <= left and right <= mark.end)
        words = escape(text[left:right])
        if numbers:
            words = f'<mark data-numbers="{numbers}">{words}</mark>'
        elif sign and left == start and sign.end() <= right:
            words = f'<span class="sign">{escape(sign.group())}</span>{escape(text[sign.end() : right])}'
        elif right <= inside_fragment and not heading:
            words = f'<span class="fragment">{words}</span>'
        parts.append(words)
    tag = "h3" if heading else "p"
    item = ' class="item"' if sign and not heading else ""
    return f"<{tag}{item}>{''.join(parts)}</{tag}>"
