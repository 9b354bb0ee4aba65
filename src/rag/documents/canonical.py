"""The canonical text of formats that are no text themselves: safe characters, one paragraph a line."""

import re
import unicodedata

_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_SPACES = re.compile(r"[\t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
# Controls, bidirectional controls, invisible operators, tags, further variation selectors, what is no character.
_REMOVED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufdd0-\ufdef"
    "\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
# Joiners mean something between Arabic and Indic letters and inside emoji; elsewhere they only hide.
_STRAY_JOINER = re.compile(
    r"(?<![\u0600-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af\ufb50-\ufdff\ufe0f\ufe70-\ufefc"
    r"\u2190-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff])[\u200c\u200d]+"
)
_LIGATURES = {0xFB00 + number: letters for number, letters in enumerate(("ff", "fi", "fl", "ffi", "ffl", "st", "st"))}


def make_safe(text: str) -> str:
    """``text`` in normal form C, without characters that hide, reorder or are none; ligatures as letters."""
    text = _SPACES.sub(" ", _LINE_ENDS.sub("\n", text))
    if text.isascii():
        return _REMOVED.sub("", text)
    text = _STRAY_JOINER.sub("", _REMOVED.sub("", text))
    return unicodedata.normalize("NFC", text.translate(_LIGATURES))


def tidy(text: str) -> str:
    """``text`` made safe, with single spaces; line ends inside it stay."""
    lines = (" ".join(line.split()) for line in make_safe(text).split("\n"))
    return "\n".join(line for line in lines if line)


class TextBuilder:
    """Puts paragraphs together and remembers where the parts of the document begin."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._boilerplate: list[tuple[int, int]] = []
        self._anchors: list[tuple[int, str]] = []

    def add(self, paragraph: str, *, anchor: str | None = None) -> None:
        """Append a paragraph; ``anchor`` labels the part of the document that begins with it."""
        text = tidy(paragraph)
        self.append(text, anchors=((0, anchor),) if anchor else ())

    def append(self, text: str, *, anchors: tuple[tuple[int, str], ...] = (), boilerplate: bool = False) -> None:
        """Append a paragraph that is tidy already; the offsets of ``anchors`` count from its start."""
        if not text:
            return
        if self._parts:
            self._parts.append("\n\n")
            self._length += 2
        self._anchors += [(self._length + offset, label) for offset, label in anchors]
        if boilerplate:
            self._boilerplate.append((self._length, self._length + len(text)))
        self._parts.append(text)
        self._length += len(text)

    @property
    def text(self) -> str:
        return "".join(self._parts) + ("\n" if self._parts else "")

    @property
    def anchors(self) -> tuple[tuple[int, str], ...]:
        return tuple(self._anchors)

    @property
    def boilerplate(self) -> tuple[tuple[int, int], ...]:
        return tuple(self._boilerplate)

    def __len__(self) -> int:
        return self._length
