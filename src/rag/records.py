"""The words of the project as plain, frozen records. No logic and no heavy import lives here.

Every ``start`` and ``end`` is a half-open range of code points in the text of a document, so that
``document.text[start:end]`` is the passage itself. Dates are ISO 8601 strings (``2021-06-18``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["quoted", "supported", "weak"]
Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Document:
    """One article: its canonical text and what is known about it.

    The text of a plain-text or Markdown file is the decoded file, unchanged. Of every other format it is the text that
    was extracted once, when the file was read; the index stores it, and quotes point into it.
    """

    id: str
    path: str
    """Relative to the corpus folder, with forward slashes. An article inside a file of several has the path of
    the file, ``#`` and its own name or number in it: ``press.zip#2021/salyut.txt``."""
    text: str
    body_start: int
    """Where the article begins, behind any front matter."""
    sha256: str
    """Of the bytes of the file."""
    title: str
    publisher: str | None = None
    author: str | None = None
    published: str | None = None
    url: str | None = None
    language: str = "en"
    licence: str | None = None
    boilerplate: tuple[tuple[int, int], ...] = ()
    """Ranges that are no part of the article itself (menus, share lines, running heads, agency datelines): kept and
    shown dimmed, but neither embedded nor cited. Sorted, disjoint, behind ``body_start``."""
    anchors: tuple[tuple[int, str], ...] = ()
    """Where its pages or other citable parts begin, as (offset, label): ``(0, "p. 1"), (2841, "p. 2")``. Sorted."""
    found: tuple[tuple[str, str], ...] = ()
    """Where each piece of metadata was found, as (field, place): ``("title", "front matter")``."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A document without its text, as a list of all articles shows it."""

    id: str
    path: str
    title: str
    publisher: str | None
    published: str | None
    url: str | None
    language: str
    chunks: int
    sentences: int
    characters: int
    """Of the whole file, front matter included."""


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file of the corpus that was not indexed, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """The unit of evidence."""

    start: int
    end: int
    citable: bool
    """False for headings, bylines and other fragments: they help to find, but cannot be evidence."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive sentences of one document that fit the embedding model."""

    start: int
    end: int
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved chunk with the document that it was cut from."""

    chunk_id: int
    document: Document
    start: int
    end: int
    score: float
    """Fused relevance, between 0 and 1; comparable within one search."""

    @property
    def text(self) -> str:
        return self.document.text[self.start : self.end]


Cut = tuple[bool, bool]
"""Whether words of the article's sentence are left out before, and behind."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence picked for a question."""

    document: Document
    start: int
    end: int
    score: float
    """Estimated probability that the sentence answers the question."""
    answer: tuple[int, int] | None = None
    """Range of the short answer in the document; ``None`` where nothing was read."""
    context_start: int | None = None
    """Start of the citable sentence right before this one, if there is one in the same passage."""
    cut: Cut = (False, False)

    @property
    def text(self) -> str:
        return self.document.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Citation:
    """A numbered pointer to an exact span: ``document.text[start:end] == quote``."""

    number: int
    document: str
    title: str
    path: str
    url: str | None
    publisher: str | None
    published: str | None
    start: int
    end: int
    quote: str
    place: str | None = None
    """Page or other part of the document that the quote begins in, such as ``p. 3``."""
    also_in: tuple[str, ...] = ()
    """Paths of other copies of the article that hold the quote."""


@dataclass(frozen=True, slots=True)
class AnswerSentence:
    """One shown sentence (without its markers), how it was checked and what carries it."""

    text: str
    verdict: Verdict
    citations: tuple[int, ...]
    as_of: str | None = None
    """Year or month of its article, where articles of different dates say different things."""
    cut: Cut = (False, False)
    """Of a quote."""

    @property
    def shown(self) -> str:
        """As pages show it: an ellipsis stands for what is left out of the article's sentence. ``text`` is exact."""
        before, behind = self.cut
        return f"{'… ' if before else ''}{self.text}{' …' if behind else ''}"


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the conversation so far."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question gets: checked sentences with citations, or a refusal."""

    question: str
    standalone_question: str
    short_answer: str | None
    refused: bool
    confidence: float
    """Calibrated probability that the best evidence answers the question, also where it was too low to show.

    Of a compound question: that of the least sure part that is answered, or of the surest one if none is.
    """
    text: str
    """The shown sentences with their markers; the refusal's words when refused."""
    sentences: tuple[AnswerSentence, ...]
    citations: tuple[Citation, ...]
    retrieved: tuple[Passage, ...]
    unanswered: tuple[str, ...] = ()
    """Parts of a compound question that the articles do not answer, while they answer others."""
    written: int = 0
    """Sentences that the writer wrote."""
    carried: int = 0
    """Those of them that passed their check; for the others the sources are quoted."""
    notice: str = ""
    """Why the sources are quoted although the writer should have worded them, and that the question is in a language
    that the models do not know; empty if all went well."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """``retrieve`` (with making a follow-up standalone) and ``evidence`` each for itself; ``first_token`` and
    ``total`` from the question on."""
    model: str = ""
    generation: str = ""
    filter: str = ""
    """Which articles alone could answer, in words; empty if all could."""


@dataclass(frozen=True, slots=True)
class SourcesReady:
    """Event: the evidence is picked; nothing is written yet. A refusal has no citations."""

    standalone_question: str
    citations: tuple[Citation, ...]
    passages: tuple[Passage, ...]
    short_answer: str | None = None
    filter: str = ""
    """As of the answer."""


@dataclass(frozen=True, slots=True)
class SentenceReady:
    """Event: the next sentence has been written and has passed its check."""

    sentence: AnswerSentence


@dataclass(frozen=True, slots=True)
class AnswerReady:
    """Event: the answer is complete. Always the last one."""

    answer: Answer


AnswerEvent = SourcesReady | SentenceReady | AnswerReady
