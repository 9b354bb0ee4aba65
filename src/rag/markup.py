"""How a document was understood, made visible: its sentences, chunks, pages and what is no part of the article."""

import itertools
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from rag.records import Chunk, Document

Kind = Literal["front matter", "citable", "other", "boilerplate", "between"]

LEGEND = (
    "⟦ … ⟧ a sentence that can be quoted   ⟨ … ⟩ another one: a heading, a byline, a question   "
    "⌊ … ⌋ boilerplate: neither searched nor quoted   «p. 3» a page begins   ── a chunk begins ──"
)
"""Of the plain form. The signs are chosen because articles hardly have them; offsets are those of ``--json``."""
BRACKETS: dict[Kind, tuple[str, str]] = {"citable": ("⟦", "⟧"), "other": ("⟨", "⟩"), "boilerplate": ("⌊", "⌋")}

_FIELDS = ("title", "author", "publisher", "published", "language", "url", "licence")
# What would turn, hide or overwrite the text around it in a terminal.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Piece(NamedTuple):
    """Consecutive text of one kind, and what begins with it."""

    text: str
    kind: Kind
    begins: bool
    """Whether its sentence or range begins here; a page may begin in the midst of one."""
    ends: bool
    page: str | None = None
    chunk: int | None = None
    """Number of the chunk that begins here, from 1."""


def pieces(document: Document, chunks: Sequence[Chunk]) -> Iterator[Piece]:
    """The whole text in order; joined, the texts of the pieces are the document's."""
    sentences = sorted((item.start, item.end, item.citable) for chunk in chunks for item in chunk.sentences)
    begins = [start for start, *_ in sentences]
    dimmed = [start for start, _ in document.boilerplate]
    chunk_at = {chunk.start: number for number, chunk in enumerate(chunks, 1)}
    pages = dict(document.anchors)
    edges = {0, document.body_start, len(document.text), *chunk_at, *pages}
    edges |= {edge for start, end, _ in sentences for edge in (start, end)}
    edges |= {edge for span in document.boilerplate for edge in span}
    cuts = sorted(edge for edge in edges if 0 <= edge <= len(document.text))

    def of(offset: int) -> tuple[Kind, int]:
        """The kind, and which of its kind."""
        if offset < document.body_start:
            return "front matter", 0
        span = bisect_right(dimmed, offset) - 1
        if span >= 0 and offset < document.boilerplate[span][1]:
            return "boilerplate", span
        sentence = bisect_right(begins, offset) - 1
        if sentence >= 0 and offset < sentences[sentence][1]:
            return ("citable" if sentences[sentence][2] else "other"), sentence
        return "between", sentence

    parts = [of(start) for start in cuts[:-1]]
    for row, (start, end) in enumerate(itertools.pairwise(cuts)):
        begins_here = row == 0 or parts[row - 1] != parts[row]
        ends_here = row + 1 == len(parts) or parts[row + 1] != parts[row]
        text, kind = document.text[start:end], parts[row][0]
        yield Piece(text, kind, begins_here, ends_here, pages.get(start), chunk_at.get(start))


def plain(document: Document, chunks: Sequence[Chunk]) -> str:
    """The text with brackets around what it consists of; see ``LEGEND``."""
    shown = []
    for piece in pieces(document, chunks):
        if piece.chunk is not None:
            chunk = chunks[piece.chunk - 1]
            shown.append(f"\n── chunk {piece.chunk}: {chunk.start}-{chunk.end} ──\n")
        if piece.page is not None:
            shown.append(f"«{visible(piece.page)}»")
        opening, closing = BRACKETS.get(piece.kind, ("", ""))
        shown.append(f"{opening if piece.begins else ''}{visible(piece.text)}{closing if piece.ends else ''}")
    return "".join(shown)


def found(document: Document) -> list[tuple[str, str, str]]:
    """What is known of the document: field, value, and where it was found or an empty string."""
    places = dict(document.found)
    known = ((name, getattr(document, name)) for name in _FIELDS)
    return [(name, visible(str(value)), visible(places.get(name, ""))) for name, value in known if value]


def as_object(document: Document, chunks: Sequence[Chunk]) -> dict[str, Any]:
    """The same as ranges of code points, for programs."""
    return {
        "document": document.id,
        "path": document.path,
        "metadata": {name: {"value": value, "found": place or None} for name, value, place in found(document)},
        "length": len(document.text),
        "body_start": document.body_start,
        "pages": [{"start": start, "label": label} for start, label in document.anchors],
        "boilerplate": [{"start": start, "end": end} for start, end in document.boilerplate],
        "chunks": [
            {
                "start": chunk.start,
                "end": chunk.end,
                "sentences": [
                    {"start": item.start, "end": item.end, "citable": item.citable} for item in chunk.sentences
                ],
            }
            for chunk in chunks
        ],
    }


def visible(text: str) -> str:
    """Text for a terminal: what would change its state or the order of its words becomes a sign."""
    return _CONTROLS.sub("\ufffd", text.replace("\r\n", "\n"))
