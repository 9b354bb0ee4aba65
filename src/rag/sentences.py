"""Text → sentences with exact offsets, in linear time.

The splitting is done by sentencex (Wikimedia), which knows abbreviations, initials, dates and quotes.
Around it, this module decides what one block of prose is, takes long quotations apart, and marks the
fragments (headings, bylines, questions of an interviewer) that cannot be evidence.
"""

import re
from collections.abc import Iterator, Sequence

from sentencex import segment

from rag.records import Sentence

MAX_SENTENCE = 600
"""Characters. Text without punctuation is cut at a space near here, so that it fits the embedding model."""
_LONG_QUOTATION = 250
_MAX_WINDOW = 8_000
"""Characters of a block that are split at once."""
_WIDEST_WRAP = 120
"""Files whose lines are longer than this are not hard-wrapped: each line end then ends a paragraph."""
_MIN_WORDS = 4

_OPENING_QUOTES = "\"'“‘«„"
_BLOCK_MARK = re.compile(r"[ \t]*(?:#{1,6}\s|[-*+•]\s|\d{1,3}[.)]\s|>|\||```|~~~)")
_FULL_STOP = re.compile(r"[.!…。！।][\"'”’»)\]*_]*$")
_STOP_INSIDE = re.compile(r"[.!?…][\"'”’»)\]]*\s|[。！।]")
_WORD = re.compile(r"\w+")
# Abbreviations after which sentencex 1.0.32 splits although the sentence goes on.
_PARTED = re.compile(r"[^\W\d_][-\u2010\u00ad]\s*\n[ \t]*[^\W\d_A-Z]")
"""A word that goes on in the next line, however long the lines are."""
_OPEN_END = re.compile(r"\b(?:Eq|Approx|approx|ca|cf|incl|resp)\.$")
_TIME_OF_DAY = re.compile(r"\b[ap]\.m\.$")
_ZONE = re.compile(r"(?:[A-Z]{2,5}|(?:[A-Z][\w'’]+ ){1,3}[Tt]ime)\b")
"""What goes on after a time of day: "5 p.m. EST", "5 p.m. Indian time"."""
_BLANK = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\ufeff\u200b"
"""All white space, and what takes no space."""
# What no reader sees or sees in another order: tag characters (but for those of a flag), overrides of the direction,
# controls of terminals. Nobody can check such a quote by reading it.
_HIDES = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u202d\u202e]|(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0000-\U000e007f]"
)


def split_sentences(
    text: str, start: int = 0, language: str = "en", boilerplate: Sequence[tuple[int, int]] = ()
) -> list[Sentence]:
    """Sentences of ``text[start:]`` in order.

    They do not overlap, and only white space and boilerplate lie between them. A sentence ends where boilerplate begins.

    Args:
        text: of a document.
        start: where the article begins.
        language: as an ISO 639 code.
        boilerplate: ranges of the text that are no part of the article; sorted and disjoint.
    """
    sentences: list[Sentence] = []
    for block_start, block_end in _without(blocks(text, start), boilerplate):
        mark = _BLOCK_MARK.match(text, block_start, block_end)
        heading = mark is not None and "#" in mark.group()
        is_item = mark is not None and not heading
        windows = _windows(text, block_start, block_end)
        for piece_start, piece_end in (piece for window in windows for piece in _pieces(text, *window, language)):
            quote = text[piece_start:piece_end]
            citable = len(_WORD.findall(quote)) >= _MIN_WORDS and (is_item or bool(_FULL_STOP.search(quote)))
            fragment = heading or quote.endswith("?") or _HIDES.search(quote) is not None
            sentences.append(Sentence(piece_start, piece_end, citable and not fragment))
    return sentences


def is_heading(text: str) -> bool:
    """Whether a sentence is a Markdown heading, which opens a new section."""
    return bool(re.match(r"#{1,6}\s", text))


def blocks(text: str, start: int) -> Iterator[tuple[int, int]]:
    """Paragraphs, headings and list items. A line end inside a paragraph counts as a space only where the
    text is hard-wrapped, that is, where the next word would not have fitted on the line."""
    lines = list(_lines(text, start))
    width = max((end - begin for begin, end in lines), default=0)
    block: tuple[int, int] | None = None
    for begin, end in lines:
        blank = not text[begin:end].strip(_BLANK).strip()  # also of spaces as wide as a Chinese character
        if block is not None and (blank or not _continues(text, block, begin, end, width)):
            yield block
            block = None
        if not blank:
            block = (block[0] if block else begin, end)
    if block is not None:
        yield block


def _without(found: Iterator[tuple[int, int]], boilerplate: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What is left of blocks between ranges of boilerplate."""
    at = 0
    for start, end in found:
        while at < len(boilerplate) and boilerplate[at][1] <= start:
            at += 1
        while at < len(boilerplate) and boilerplate[at][0] < end:
            if start < boilerplate[at][0]:
                yield start, boilerplate[at][0]
            start = boilerplate[at][1]
            if start >= end:
                break
            at += 1
        if start < end:
            yield start, end


def _lines(text: str, start: int) -> Iterator[tuple[int, int]]:
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield start, end
        start = end + 1


def _continues(text: str, block: tuple[int, int], begin: int, end: int, width: int) -> bool:
    if _BLOCK_MARK.match(text, begin, end):
        return False
    if _PARTED.search(text, max(block[0], block[1] - 4), min(end, begin + _WIDEST_WRAP)):
        return True
    if width > _WIDEST_WRAP:
        return False
    last_line = text.rfind("\n", block[0], block[1]) + 1 or block[0]
    if is_heading(text[last_line : block[1]]):
        return False
    first_word = text[begin:end].split(maxsplit=1)[0]
    return (block[1] - last_line) + 1 + len(first_word) > width


def _pieces(text: str, start: int, end: int, language: str) -> Iterator[tuple[int, int]]:
    pending: tuple[int, int] | None = None
    for piece in _segments(text, start, end, language):
        # A part that goes on in lower case, or after an open abbreviation, belongs to the one before it.
        if pending and (text[piece[0]].islower() or _ends_open(text, *pending, *piece)):
            pending = (pending[0], piece[1])
            continue
        if pending:
            yield from _cut(text, *pending)
        pending = piece
    if pending:
        yield from _cut(text, *pending)


def _windows(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A block in parts that sentencex can take: its time grows with the square of the length where quotes stay open
    or no spaces stand between sentences."""
    while end - start > _MAX_WINDOW:
        stops = [match.end() for match in _STOP_INSIDE.finditer(text, start + _MAX_WINDOW // 2, start + _MAX_WINDOW)]
        cut = stops[-1] if stops else start + _MAX_WINDOW
        yield start, cut
        start = cut
    yield start, end


def _ends_open(text: str, start: int, end: int, next_start: int, next_end: int) -> bool:
    # Only the last word matters; looking further back would make long chains of fragments quadratic.
    last = max(start, end - 16)
    if _TIME_OF_DAY.search(text, last, end):
        return bool(_ZONE.match(text, next_start, next_end))
    return bool(_OPEN_END.search(text, last, end))


def _segments(
    text: str, start: int, end: int, language: str, inside_quotation: bool = False
) -> Iterator[tuple[int, int]]:
    offset = start
    for part in segment(language, text[start:end]):
        piece = _strip(text, offset, offset + len(part))
        offset += len(part)
        if piece is None:
            continue
        is_long = piece[1] - piece[0] > _LONG_QUOTATION
        if is_long and text[piece[0]] in _OPENING_QUOTES and not inside_quotation:
            # sentencex keeps a quotation of many sentences whole; without its opening mark it is taken apart.
            first, *rest = _segments(text, piece[0] + 1, piece[1], language, inside_quotation=True)
            yield piece[0], first[1]
            yield from rest
        else:
            yield piece


def _cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while end - start > MAX_SENTENCE:
        space = text.rfind(" ", start + MAX_SENTENCE // 2, start + MAX_SENTENCE)
        cut = space if space > 0 else start + MAX_SENTENCE
        piece = _strip(text, start, cut)
        if piece:
            yield piece
        start = cut
    last = _strip(text, start, end)
    if last:
        yield last


def _strip(text: str, start: int, end: int) -> tuple[int, int] | None:
    while start < end and text[start] in _BLANK:
        start += 1
    while end > start and text[end - 1] in _BLANK:
        end -= 1
    return (start, end) if start < end else None
