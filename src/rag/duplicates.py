"""Which articles are copies of each other: MinHash signatures of their words, and what is concluded from them.

A copy says the same: reprints under another headline, with another byline, slightly shortened or extended. An article
brought up to date with other figures is none, however much of its wording stayed, and neither is another article on the
same event: answered from one of them, the other's figures would be lost.

A signature is plain bytes: a version, a digest of the normalised words, how many they are, the figures that the text
names, and the low halves of its MinHash values (Broder 1997).
"""

import functools
import hashlib
import re
import struct
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from rag.sentences import blocks

if TYPE_CHECKING:
    from datasketch import MinHash

SAME = 0.7
"""Similarity from which two articles count as copies. Measured by ``benchmarks/duplicates.py``: down to
a reprint that was cut by a fifth and has a new paragraph. Articles with less in common have more of their own to say
than is right to hide behind the other."""
VERSION = 1
"""First byte of every signature. Those of different versions cannot be compared: make them anew."""
SHORT = 30
"""Texts of fewer words are copies only if all their words are the same: too little is left to estimate from."""

_VALUES = 240
_SEED = 1
_SHINGLE = 3
"""Words. Articles on one event share names and phrases, but few runs of three words."""
_BAND = 6
"""Values a band: 40 bands find 85 % of the pairs at a similarity of 0.6, 99.3 % at 0.7 and all at 0.8."""
_FIGURES = 65_521
"""A prime below 2**16: figures are told apart by two bytes, and no text has more than the head can count."""
_LEAD_PARAGRAPHS = 2
_LONG_BLOCK = 8
"""Words. Shorter blocks, and those without a full stop, are headlines, bylines and times of publication, whose figures
say nothing."""
_BATCH = 4096

_HEAD = struct.Struct("<B16sIHH")
"""Version, digest, words, figures of the lead, all figures."""

# Scripts that are written without spaces: each character counts as a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])\w)+")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_THOUSANDS = re.compile(r"(?<=\d)[,\u00a0\u202f ](?=\d{3}(?!\d))")
_PARAGRAPH = re.compile(r"[.!?…।。！？][\"'”’»)\]\s]*$")
_DATELINE = re.compile(r"[^a-z\n]{2,40}[^\n]{0,40}?\s(?:--|[-–—])\s")
_NUMBER_WORDS = {
    **{word: str(value) for value, word in enumerate("two three four five six seven eight nine ten eleven".split(), 2)},
    **{
        word: str(value)
        for value, word in enumerate(
            "twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split(), 12
        )
    },
    **{
        word: str(value)
        for value, word in zip(
            range(30, 100, 10), "thirty forty fifty sixty seventy eighty ninety".split(), strict=True
        )
    },
}
_FIGURE_WORD = re.compile(rf"\b(?:{'|'.join(_NUMBER_WORDS)})\b")


class Described(Protocol):
    """What ``representative`` looks at; ``Document`` and ``Listed`` have it."""

    @property
    def path(self) -> str: ...
    @property
    def published(self) -> str | None: ...
    @property
    def publisher(self) -> str | None: ...
    @property
    def url(self) -> str | None: ...


def article_text(text: str, body_start: int, boilerplate: Iterable[tuple[int, int]] = ()) -> str:
    """What of a document is compared: its body without boilerplate, which would make all articles of a site alike."""
    parts, start = [], body_start
    for begin, end in boilerplate:
        parts.append(text[start:begin])
        start = end
    return "\n".join([*parts, text[start:]])


def signature(text: str) -> bytes:
    """What is kept of a text to compare it: 25 bytes, two for each figure, and 480 unless it is short.

    The same on every platform and in every run.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    words = _WORD.findall(plain)
    digest = hashlib.blake2b(" ".join(words).encode("utf-8", "surrogatepass"), digest_size=16).digest()
    lead, figures = _figures(text)
    head = _HEAD.pack(VERSION, digest, len(words), len(lead), len(figures))
    stored = np.array([*lead, *figures], "<u2").tobytes()
    return head + stored + (_minhash(words) if len(words) >= SHORT else b"")


def band_keys(signature: bytes) -> list[int]:
    """Keys of which copies share at least one, as signed 64-bit integers; none for a text without words."""
    read = _read(signature)
    if read.words == 0:
        return []
    if read.words < SHORT:
        return [_key(read.digest)]
    width = 2 * _BAND
    values = read.values.tobytes()
    return [_key(struct.pack("<H", at) + values[at : at + width]) for at in range(0, len(values), width)]


def similarity(a: bytes, b: bytes) -> float:
    """Estimated share of the runs of three words that two texts have in common (Jaccard), within ±0.05 mostly.

    1.0 for the same words. 0.0 for other words if a text is short, and where one text's lead names a figure that the
    other does not, or each text names figures that the other does not: such texts are no copies, however alike.

    Raises:
        ValueError: a signature is damaged or of another version.
    """
    one, other = _read(a), _read(b)
    if one.digest == other.digest:
        return 1.0
    if min(one.words, other.words) < SHORT or _contradict(one, other):
        return 0.0
    return float(np.mean(one.values == other.values))


def groups(pairs: Iterable[tuple[str, str]]) -> list[frozenset[str]]:
    """Names that are joined by pairs, directly or through others; sorted by their first names."""
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        leader.setdefault(name, name)
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for one, other in pairs:
        leader[find(other)] = find(one)
    members: dict[str, set[str]] = {}
    for name in list(leader):
        members.setdefault(find(name), set()).add(name)
    return [frozenset(names) for names in sorted(members.values(), key=min) if len(names) > 1]


def representative(documents: Iterable[Described]) -> str:
    """The path of the one that is answered from: most is known about it, then it is the oldest, then by its path.

    Raises:
        ValueError: there is none.
    """

    def rank(item: Described) -> tuple[int, bool, str, str]:
        known = sum(bool(value) for value in (item.published, item.publisher, item.url))
        return -known, not item.published, item.published or "", item.path

    return min(documents, key=rank).path


@dataclass(frozen=True, slots=True)
class _Read:
    digest: bytes
    words: int
    lead: frozenset[int]
    figures: frozenset[int]
    values: np.ndarray


def _read(signature: bytes) -> _Read:
    try:
        version, digest, words, leading, named = _HEAD.unpack_from(signature)
        stored = np.frombuffer(signature, "<u2", offset=_HEAD.size)
    except (struct.error, ValueError) as error:
        raise ValueError("no signature of an article") from error
    counted = leading + named
    if version != VERSION or len(stored) != counted + (_VALUES if words >= SHORT else 0):
        raise ValueError("no signature of this version")
    lead, figures = frozenset(stored[:leading].tolist()), frozenset(stored[leading:counted].tolist())
    return _Read(digest, words, lead, figures, stored[counted:])


def _contradict(one: _Read, other: _Read) -> bool:
    if one.lead - other.figures or other.lead - one.figures:
        return True
    return bool(one.figures - other.figures) and bool(other.figures - one.figures)


def _figures(text: str) -> tuple[list[int], list[int]]:
    """Hashes of the figures of the lead and of the whole text, sorted.

    Each occurrence of a figure has its own, so that a changed one is missed even where it stands twice.
    """
    lead: set[int] = set()
    occurrences: Counter[str] = Counter()
    found: set[int] = set()
    paragraphs = 0
    for start, end in blocks(text, 0):
        block = text[start:end]
        if not _PARAGRAPH.search(block) or len(block.split()) < _LONG_BLOCK:
            continue
        dateline = _DATELINE.match(block)
        for name in _named(block[dateline.end() if dateline else 0 :]):
            occurrences[name] += 1
            found.add(zlib.crc32(f"{name} {occurrences[name]}".encode()) % _FIGURES)
        paragraphs += 1
        if paragraphs == _LEAD_PARAGRAPHS:
            lead = set(found)
    return sorted(lead if paragraphs >= _LEAD_PARAGRAPHS else found), sorted(found)


def _named(block: str) -> Iterator[str]:
    plain = _THOUSANDS.sub("", unicodedata.normalize("NFKC", block).casefold())
    for found in _NUMBER.finditer(plain):
        yield "".join(str(unicodedata.digit(char)) if char.isdigit() else char for char in found.group())
    for word in _FIGURE_WORD.findall(plain):
        yield _NUMBER_WORDS[word]


def _minhash(words: list[str]) -> bytes:
    hashed = np.fromiter((zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in words), np.uint64, len(words))
    # Runs of words, as polynomials of their hashes modulo 2^64 that are folded to the 32 bits which MinHash takes.
    runs = np.zeros(len(words) - _SHINGLE + 1, np.uint64)
    for offset in range(_SHINGLE):
        runs = runs * np.uint64(0x9E3779B97F4A7C15) + hashed[offset : offset + len(runs)]
    runs = np.unique((runs ^ (runs >> np.uint64(32))) & np.uint64(0xFFFFFFFF))
    # datasketch takes a Python number at a time and holds all permuted ones at once.
    sketch = _empty().copy()
    for start in range(0, len(runs), _BATCH):
        sketch.update_batch(runs[start : start + _BATCH].tolist())
    low: bytes = (sketch.hashvalues & np.uint32(0xFFFF)).astype("<u2").tobytes()
    return low


@functools.cache
def _empty() -> "MinHash":
    from datasketch import MinHash

    return MinHash(_VALUES, _SEED, hashfunc=int, scheme="affine32")


def _key(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big", signed=True)
