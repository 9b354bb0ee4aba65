"""PDF: the text layer, with lines joined to paragraphs, running heads marked and pages as anchors (by pypdfium2)."""

import ctypes
import itertools
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rag.documents.article import Article, Content, Found, UnreadableFileError, facts
from rag.documents.canonical import TextBuilder, tidy
from rag.documents.docx import is_author, is_title
from rag.records import SkippedFile

MAX_PAGES = 5_000
_HYPHEN_AT_LINE_END = 2
"""The character that PDFium gives for a hyphen behind which it has joined two lines."""
_END_OF_SENTENCE = re.compile(r"[.!?…:][\"'”’»)\]]*$")
_HYPHEN = re.compile(r"\w[-‐]$")
_PAGE_NUMBER = re.compile(r"[\W_]*(?:page|p\.|seite)?\s*\d{1,4}(?:\s*(?:of|/|von)\s*\d{1,4})?[\W_]*", re.IGNORECASE)
_ITEM = re.compile(r"[•‣▪●◦–—*-]\s|\d{1,2}[.)]\s")
"""The beginning of a list item."""
_KEEPS_HYPHEN = frozenset(
    "all anti co cross ex half high long low mid multi non off on post pre self semi short so well".split()
)
"""First parts of words that are written with a hyphen more often than without."""
_MARGIN_LINES = 2
"""Lines at the top and at the bottom of a page that may be running heads or feet."""
_MAX_HEAD = 70
_SAME_HEIGHT = 6.0
"""Points within which running heads lie on all pages."""


@dataclass(slots=True)
class Line:
    """A line of a page; positions in points from the lower left corner."""

    text: str
    page: int
    left: float
    right: float
    base: float
    size: float
    hyphenated: bool = False
    """Whether a hyphen at its end, which ``text`` does not have, joined it to the next line."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """What is usual in a document."""

    usual: float
    """Size of most of its type."""
    spacing: float
    """Distance of two lines, in sizes of their type."""
    ends: dict[int, float]
    """Identity of a line → where the longest line of its column ends."""


def read(content: Content) -> Iterator[Found]:
    """
    Raises:
        UnreadableFileError: damaged, password-protected, or without a text layer.
    """
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(content.data)
    except pypdfium2.PdfiumError as error:
        reason = "password-protected" if "password" in str(error).lower() else "damaged: it cannot be opened as a PDF"
        raise UnreadableFileError(reason) from error
    pages = min(len(pdf), MAX_PAGES)
    lines: list[list[Line]] = []
    unreadable = 0
    for number in range(pages):
        try:
            page = pdf[number]
            lines.append(list(_lines(page.get_textpage(), number)))
            page.close()
        except pypdfium2.PdfiumError:
            unreadable += 1
            lines.append([])
    if not any(lines):
        reason = "no text layer: its pages are pictures" if unreadable < pages else "damaged: no page can be read"
        raise UnreadableFileError(reason)
    builder, largest = assemble(lines)
    yield _article(content, builder, largest, pdf.get_metadata_dict())
    if len(pdf) > MAX_PAGES:
        yield SkippedFile(content.path, f"the pages after {MAX_PAGES:,} were not read")
    if unreadable:
        yield SkippedFile(content.path, f"{unreadable:,} damaged pages of {pages:,} were left out")


def assemble(pages: Sequence[Sequence[Line]]) -> tuple[TextBuilder, str | None]:
    """Paragraphs of all pages; the one in the largest type on the first page, if it stands out."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page:
            sizes[round(line.size, 1)] += len(line.text)
    usual = sizes.most_common(1)[0][0] if sizes else 0.0
    margins = _running_lines(pages) | _isolated_lines(pages, usual)
    words = Counter(word.casefold() for page in pages for line in page for word in line.text.split())
    layout = _Layout(usual, _spacing(pages), _right_ends(pages))
    builder = TextBuilder()
    largest: tuple[float, str] = (1.15 * usual, "")
    paragraph: list[Line] = []
    waiting: list[Line] = []
    shown: set[int] = set()

    def flush() -> None:
        nonlocal largest
        if paragraph:
            text, starts = _join(paragraph, words)
            marks = tuple((offset, f"p. {page + 1}") for offset, page in starts if page not in shown)
            shown.update(page for _, page in starts)
            builder.append(text, anchors=marks)
            if paragraph[0].page == 0 and paragraph[0].size > largest[0] and len(text) <= 300:
                largest = (paragraph[0].size, text)
            paragraph.clear()
        for line in waiting:
            builder.append(line.text, boilerplate=True)
        waiting.clear()

    for page in pages:
        for line in page:
            if id(line) in margins:
                waiting.append(line)
                continue
            if paragraph and _begins_paragraph(paragraph, line, layout):
                flush()
            elif not paragraph:
                # What stands above the first paragraph comes before it.
                flush()
            paragraph.append(line)
    flush()
    return builder, largest[1] or None


def _lines(text_page: Any, page: int) -> Iterator[Line]:
    """Lines in the order of the file, which is the reading order of nearly all."""
    from pypdfium2 import raw

    count = text_page.count_chars()
    gathered: list[str] = []
    first = last = -1

    def line(*, hyphenated: bool = False) -> Line | None:
        text = tidy("".join(gathered)).replace("\n", " ")
        if not text:
            return None
        x, y = ctypes.c_double(), ctypes.c_double()
        raw.FPDFText_GetCharOrigin(text_page, first, x, y)
        left, base = x.value, y.value
        edges = [ctypes.c_double() for _ in range(4)]
        raw.FPDFText_GetCharBox(text_page, last, *edges)
        height = _height(text_page, first, last)
        return Line(text, page, left, edges[1].value, base, height, hyphenated)

    for index in range(count):
        code = raw.FPDFText_GetUnicode(text_page, index)
        if code in (10, 13, _HYPHEN_AT_LINE_END):
            if first >= 0 and (found := line(hyphenated=code == _HYPHEN_AT_LINE_END)):
                yield found
            gathered.clear()
            first = -1
            continue
        if code == 0 or code > 0x10FFFF:
            continue
        gathered.append(chr(code))
        if code != 32:
            first = index if first < 0 else first
            last = index
    if first >= 0 and (found := line()):
        yield found


def _height(text_page: Any, first: int, last: int) -> float:
    """Size of the type in points as it is shown; what the font says may be scaled by the page.

    The largest of three characters: a word in another type, or a bullet, does not make another paragraph.
    """
    from pypdfium2 import raw

    rectangle = raw.FS_RECTF()
    largest = 1.0
    for index in {first, (first + last) // 2, last}:
        if raw.FPDFText_GetLooseCharBox(text_page, index, rectangle):
            largest = max(largest, float(rectangle.top - rectangle.bottom))
    return largest


def _running_lines(pages: Sequence[Sequence[Line]]) -> set[int]:
    """Identities of the lines that repeat at the same height over the pages, and of bare page numbers."""
    candidates: dict[tuple[str, str], list[Line]] = {}
    found: set[int] = set()
    for page in pages:
        by_height = sorted(page, key=lambda line: -line.base)
        top, bottom = by_height[:_MARGIN_LINES], by_height[_MARGIN_LINES:][-_MARGIN_LINES:]
        for place, lines in (("top", top), ("bottom", bottom)):
            for line in lines:
                candidates.setdefault((place, re.sub(r"\d+", "#", line.text.casefold())), []).append(line)
        for line in (by_height[:1] + by_height[-1:]) if len(by_height) > 1 else []:
            if _PAGE_NUMBER.fullmatch(line.text):
                found.add(id(line))
    filled = sum(1 for page in pages if page)
    for lines in candidates.values():
        middle = statistics.median(line.base for line in lines)
        level = [line for line in lines if abs(line.base - middle) <= _SAME_HEIGHT]
        if len({line.page for line in level}) >= max(2, filled * 0.3):
            found.update(id(line) for line in level)
    return found


def _isolated_lines(pages: Sequence[Sequence[Line]], usual: float) -> set[int]:
    """Identities of short lines in small type, far from the text above or below them: heads that appear only once."""
    found: set[int] = set()
    for number, page in enumerate(pages):
        by_height = sorted(page, key=lambda line: -line.base)
        if len(by_height) < 3:
            continue
        (top, below), (above, bottom) = by_height[:2], by_height[-2:]
        for line, distance, largest in (
            (top, top.base - below.base, 1.05 * usual if number else 0.0),
            (bottom, above.base - bottom.base, 0.95 * usual),
        ):
            is_short = len(line.text) <= _MAX_HEAD and not _END_OF_SENTENCE.search(line.text)
            is_numbered = number > 0 and bool(re.match(r"\d+\b", line.text) or re.search(r"\b\d+$", line.text))
            far = 1.6 if is_numbered else 2.5
            if is_short and line.size <= largest and distance > far * line.size:
                found.add(id(line))
    return found


def _right_ends(pages: Sequence[Sequence[Line]]) -> dict[int, float]:
    """Identity of a line → where the longest line of its column ends."""
    ends: dict[int, float] = {}
    for page in pages:
        columns: dict[int, float] = {}
        for line in page:
            column = round(line.left / 60)
            columns[column] = max(columns.get(column, 0.0), line.right)
        for line in page:
            column = round(line.left / 60)
            ends[id(line)] = max(columns.get(column + shift, 0.0) for shift in (-1, 0, 1))
    return ends


def _spacing(pages: Sequence[Sequence[Line]]) -> float:
    """The usual distance of two lines, in sizes of their type."""
    gaps = [
        round((upper.base - lower.base) / lower.size, 2)
        for page in pages
        for upper, lower in itertools.pairwise(page)
        if 0 < upper.base - lower.base < 4 * upper.size
    ]
    return Counter(gaps).most_common(1)[0][0] if gaps else 0.0


def _begins_paragraph(paragraph: list[Line], line: Line, layout: _Layout) -> bool:
    last = paragraph[-1]
    if last.hyphenated or (_HYPHEN.search(last.text) and line.text[0].islower()):
        return False
    if abs(last.size - line.size) > 0.12 * max(last.size, line.size):
        return True
    if _ITEM.match(line.text):
        return True
    ended = bool(_END_OF_SENTENCE.search(last.text))
    gap = last.base - line.base
    if line.page != last.page or gap < -0.5 * line.size:
        # The next page or column.
        return ended
    if abs(gap) <= 0.5 * line.size:
        # The same line, in another font or after a gap.
        return False
    if gap > 1.3 * layout.spacing * line.size:
        return True
    indent = line.left - last.left
    if len(paragraph) == 1 and _ITEM.match(last.text) and indent > 0:
        # The mark of a list item stands out to the left of its lines.
        return False
    if 0.8 * line.size < indent < 6 * line.size:
        return True
    is_indented = (
        len(paragraph) == 1 and abs(indent) < 1 and paragraph[0].left > min(layout.ends[id(line)], line.left) + 1
    )
    if is_indented:
        return True
    if line.size > 1.15 * layout.usual:
        # The lines of a headline are as long as somebody liked them.
        return False
    width = layout.ends[id(last)] - last.left
    free = layout.ends[id(last)] - last.right
    return free > 0.5 * width or (ended and free > 0.2 * width)


def _join(paragraph: list[Line], words: Counter[str]) -> tuple[str, list[tuple[int, int]]]:
    """The text of a paragraph, and where its pages begin in it, as (offset, page)."""
    parts: list[str] = []
    starts: list[tuple[int, int]] = []
    length = 0
    for position, line in enumerate(paragraph):
        if not starts or starts[-1][1] != line.page:
            starts.append((length, line.page))
        text = line.text
        following = paragraph[position + 1].text if position + 1 < len(paragraph) else ""
        if not following:
            text += "-" if line.hyphenated else ""
        elif line.hyphenated or _HYPHEN.search(text):
            text = _without_hyphen(text.removesuffix("-").removesuffix("‐"), following, words)
        else:
            text += " "
        parts.append(text)
        length += len(text)
    return "".join(parts), starts


def _without_hyphen(text: str, following: str, words: Counter[str]) -> str:
    """``text``, whose last word goes on in ``following``; with its hyphen if it is part of the word."""
    first = text.rsplit(maxsplit=1)[-1]
    second = following.split(maxsplit=1)[0]
    joined, compound = (re.sub(r"^\W+|\W+$", "", word).casefold() for word in (first + second, f"{first}-{second}"))
    if words[compound] or words[joined]:
        return text if words[joined] >= words[compound] else f"{text}-"
    opening = re.sub(r"^\W+", "", first).casefold()
    keeps = not second[:1].islower() or not first[-1:].isalpha() or opening in _KEEPS_HYPHEN or "-" in first
    return f"{text}-" if keeps else text


def _article(content: Content, builder: TextBuilder, largest: str | None, info: dict[str, str]) -> Article:
    title = is_title(info.get("Title"))
    hints = facts("PDF information", author=is_author(info.get("Author")), published=info.get("CreationDate"))
    return Article(
        content.path,
        builder.text,
        content.sha256,
        facts=facts("PDF information", title=title),
        hints=facts("largest type on p. 1", title=largest) | hints,
        boilerplate=builder.boilerplate,
        anchors=builder.anchors,
    )
