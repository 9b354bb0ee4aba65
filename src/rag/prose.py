"""What is embedded, searched, read by models and shown of a range of a document, and where each character of it stands.

The text of a document stays as it is, and quotes are cut from it. Its prose leaves out boilerplate, joins words that a
line end has parted, writes ligatures as letters, drops characters that nobody sees, and has one space for white space.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag.records import Document, Evidence

# Zero-width, bidi, tag and control characters, and the variation selectors in which text can be hidden.
_UNSEEN = (
    r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e0fff"
)
_JOINING = r"\u0600-\u08ff\u0900-\u0fff\u1000-\u109f\u1780-\u18af\ufb50-\ufdff\ufe70-\ufefc"
"""Scripts in which a zero-width joiner or non-joiner changes how letters look, such as Persian and Hindi."""
_EMOJI = r"\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_TROUBLE = re.compile(
    rf"(?P<joiner>(?<=[{_JOINING}])[\u200c\u200d](?=[{_JOINING}])|(?<=[{_EMOJI}\ufe0f])\u200d(?=[{_EMOJI}]))"
    rf"|(?P<hyphen>(?<=\w)[-\u2010][\s{_UNSEEN}]+(?=\w))"
    rf"|(?P<space>(?: (?=[\s{_UNSEEN}])|[^\S ]|[{_UNSEEN}])[\s{_UNSEEN}]*)"
    r"|(?P<selectors>(?<=[\ufe00-\ufe0f])[\ufe00-\ufe0f]+)"
    r"|(?P<ligature>[\ufb00-\ufb06])"
)
_SPACES = r"\t-\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_SUSPECT = re.compile(rf"[{_SPACES}{_UNSEEN}\u2010\ufb00-\ufb06\ufe00-\ufe0f]")
_EDGES = re.compile(rf"[\s{_UNSEEN}]*")
_LIGATURES = dict(zip("\ufb00\ufb01\ufb02\ufb03\ufb04\ufb05\ufb06", "ff fi fl ffi ffl st st".split(), strict=True))
_LINE_END = re.compile(r"\r\n|[\n\r\f\v\x85\u2028\u2029]")

_LONGEST_PART = 40
_LETTERS_BEFORE = re.compile(r"[^\W\d_]+$")
_LETTERS = re.compile(r"[^\W\d_]+")
_WRITTEN = re.compile(r"([^\W\d_]+(?:-[^\W\d_]+)*)(-\s)?")
_CONJUNCTIONS = frozenset("and or nor to but through und oder bis et ou y o e of".split())
"""What follows a hyphen that stands for a word still to come: "two- and three-stage rockets"."""
_ENDINGS = frozenset(
    """able ably age al ally ance ances ant ary ate ated ates ation ations ed en ence ences ency ent er ers es est ful fully
    gle ial ible ic ical ically ied ies ing ings ion ions ish ism ist ists ities ity ive ively ize ized izes ized izing ly ment
    ments ness ous ously sion sions tial tic tical ting tion tional tions tive tor tors tory ture tures ty ual ure ures""".split()
)
"""Syllables that end a word and are none themselves."""
_HYPHENATED = frozenset(
    """all anti cross deep double east ex far first five four free full half hard heavy high ill in-flight large left light
    long low mid middle multi near new nine non north old one open part post pre pro quasi right second self semi seven short
    single six small so south state ten third three twenty thirty forty fifty sixty seventy eighty ninety two ultra well west
    wide year""".split()
)
"""First parts that mostly keep their hyphen."""


@dataclass(frozen=True, slots=True)
class Prose:
    """The prose of a range of a document."""

    text: str
    begins: tuple[int, ...]
    """Where each of its pieces begins in ``text``; a piece goes on to the next one."""
    origins: tuple[tuple[int, int], ...]
    """The range of the document of each piece. One of the same length is the same, character by character."""

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The range of the document that ``text[start:end]`` stands for; what was repaired counts as a whole.

        Raises:
            ValueError: that is no range of the text.
        """
        if not 0 <= start <= end <= len(self.text):
            raise ValueError(f"{start}:{end} is no range of a text of {len(self.text)} characters")
        if start == end:
            at = self._first(start) if start < len(self.text) else self.origins[-1][1]
            return at, at
        piece, begin = self._piece(end - 1)
        a, b = self.origins[piece]
        is_copy = self._length(piece) == b - a
        return self._first(start), a + end - begin if is_copy else b

    def within(self, start: int, end: int) -> tuple[int, int]:
        """The range of ``text`` that a range of the document has become; empty where nothing of it is left."""
        piece = max(0, bisect_right(self.origins, (start, float("inf"))) - 1)
        a, b = self.origins[piece]
        if start >= b:
            first = self.begins[piece] + self._length(piece)
        else:
            first = self.begins[piece] + (max(0, start - a) if self._length(piece) == b - a else 0)
        piece = max(0, bisect_left(self.origins, (end,)) - 1)
        a, b = self.origins[piece]
        is_inside = a <= end < b and self._length(piece) == b - a
        last = self.begins[piece] + (end - a if is_inside else self._length(piece) if end > a else 0)
        return first, max(first, last)

    def _first(self, at: int) -> int:
        piece, begin = self._piece(at)
        a, b = self.origins[piece]
        return a + at - begin if self._length(piece) == b - a else a

    def _piece(self, at: int) -> tuple[int, int]:
        piece = bisect_right(self.begins, at) - 1
        return piece, self.begins[piece]

    def _length(self, piece: int) -> int:
        end = self.begins[piece + 1] if piece + 1 < len(self.begins) else len(self.text)
        return end - self.begins[piece]


def prose(document: Document, start: int, end: int) -> Prose:
    """The prose of ``document.text[start:end]``."""
    return _prose(document.text, start, end, document.boilerplate)


def shown(item: Evidence) -> str:
    """How evidence is read by models and shown where it is quoted."""
    return prose(item.document, item.start, item.end).text


def short_answer(item: Evidence) -> str:
    """The words of evidence that answer; empty where nothing was read."""
    return prose(item.document, *item.answer).text if item.answer else ""


def plain(text: str) -> str:
    """The prose of a text by itself."""
    return _prose(text, 0, len(text), ()).text


def _prose(text: str, start: int, end: int, boilerplate: Sequence[tuple[int, int]]) -> Prose:
    kept = _kept(text, start, end, boilerplate)
    if not kept:
        return Prose("", (0,), ((start, start),))
    if len(kept) == 1 and _is_clean(text[slice(*kept[0])]):
        return Prose(text[slice(*kept[0])], (0,), (kept[0],))
    cut = _joined(text, kept)
    pieces: list[str] = []
    begins: list[int] = []
    origins: list[tuple[int, int]] = []
    length = 0
    for piece, a, b in _repaired(cut.text, text):
        if piece:
            pieces.append(piece)
            begins.append(length)
            origins.append(cut.original(a, b))
            length += len(piece)
    return Prose("".join(pieces), tuple(begins), tuple(origins))


def _is_clean(text: str) -> bool:
    """Whether nothing is to be repaired; most sentences are so, and this is all that they cost."""
    return "  " not in text and "- " not in text and _SUSPECT.search(text) is None


def _kept(text: str, start: int, end: int, boilerplate: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """What lies between ranges of boilerplate, without white space at its ends."""
    first = max(0, bisect_right(boilerplate, (start, start)) - 1)
    cuts = boilerplate[first : bisect_left(boilerplate, (end, end))]
    kept: list[tuple[int, int]] = []
    for a, b in (*cuts, (end, end)):
        stripped = _stripped(text, start, min(a, end))
        if stripped:
            kept.append(stripped)
        start = max(start, b)
    return kept


def _stripped(text: str, start: int, end: int) -> tuple[int, int] | None:
    if start >= end:
        return None
    edge = _EDGES.match(text, start, end)
    start = edge.end() if edge else start
    while end > start and _EDGES.fullmatch(text[end - 1]):
        end -= 1
    return (start, end) if start < end else None


def _joined(text: str, kept: Sequence[tuple[int, int]]) -> Prose:
    """The kept parts, a line end between them for what was left out."""
    begins: list[int] = []
    origins: list[tuple[int, int]] = []
    pieces: list[str] = []
    length = 0
    for a, b in kept:
        if pieces:
            pieces.append("\n")
            begins.append(length)
            origins.append((origins[-1][1], a))
            length += 1
        pieces.append(text[a:b])
        begins.append(length)
        origins.append((a, b))
        length += b - a
    return Prose("".join(pieces), tuple(begins), tuple(origins))


def _repaired(text: str, whole: str) -> Iterator[tuple[str, int, int]]:
    """Pieces of the prose with the range of ``text`` that each stands for; ``whole`` is what words are looked up in."""
    at = 0
    for match in _TROUBLE.finditer(text):
        kind = match.lastgroup
        if kind == "joiner":
            continue
        begin, end = match.span()
        yield text[at:begin], at, begin
        if kind == "ligature":
            yield _LIGATURES[match.group()], begin, end
        elif kind == "hyphen":
            yield _hyphen(text, begin, end, whole), begin, end
        elif kind == "space":
            yield _space(match.group()), begin, end
        at = end
    yield text[at:], at, len(text)


def _space(run: str) -> str:
    if run[0] == "\u00ad" and _LINE_END.search(run):  # a soft hyphen at which the line was broken
        return ""
    return " " if any(char.isspace() for char in run) else ""


def _hyphen(text: str, begin: int, end: int, whole: str) -> str:
    """What becomes of a hyphen with white space behind it: nothing, a hyphen, or both."""
    between = text[begin + 1 : end]
    breaks = len(_LINE_END.findall(between))
    if breaks > 1 or (breaks == 0 and between.strip(" ")) or len(between) > _LONGEST_PART:
        return f"{text[begin]}{_space(between)}"
    before = _LETTERS_BEFORE.search(text, max(0, begin - _LONGEST_PART), begin)
    after = _LETTERS.match(text, end, end + _LONGEST_PART)
    if after is not None and after.group() in _CONJUNCTIONS:
        return f"{text[begin]} "
    if before is None or after is None or not after.group()[0].islower():
        return text[begin]
    return "" if _is_one_word(before.group().lower(), after.group().lower(), whole, parted=breaks == 1) else text[begin]


def _is_one_word(first: str, second: str, whole: str, parted: bool) -> bool:
    """Whether a hyphen only parts a word: as the text writes it elsewhere, else as such words are mostly written.

    Args:
        first: letters before the hyphen; ``second`` those behind it.
        whole: the text in which the word may occur again.
        parted: whether a line ends at the hyphen. In the middle of a line the hyphen mostly belongs to the word.
    """
    words = _words(whole)
    together, apart = words[first + second], words[f"{first}-{second}"]
    if together or apart:
        return together > apart
    if second in _ENDINGS:
        return True
    if first in _HYPHENATED or (words[first] and words[second]):
        return False
    return parted


@lru_cache(maxsize=4)
def _words(text: str) -> Counter[str]:
    """How often each word occurs, in lower case; parts of a word that is broken off do not count."""
    found: Counter[str] = Counter()
    broken = False
    for match in _WRITTEN.finditer(text):
        if not broken and not match.group(2):
            found[match.group(1).lower()] += 1
        broken = match.group(2) is not None
    return found
