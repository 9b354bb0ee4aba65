"""An exchange as a plain JSON object that outlives the program, and back.

Articles are not kept: passages are named by their document, its hash and their range, and come from the index when an
exchange is restored. Quotes are kept, so that an old answer stays readable when its articles are gone. What is read
back may have been written by another version or by hand, so every value must have the type that its record says.
"""

import dataclasses
import functools
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin, get_type_hints

from rag.chat.conversation import Exchange
from rag.chat.render import NEAREST, holds
from rag.errors import RagError
from rag.records import Answer, AnswerSentence, Citation, Document, Passage
from rag.settings import Mode

UNREADABLE = "This answer was kept in a form that cannot be read. Ask again to see an answer."

_NO_CHUNK = -1
"""Rows of chunks are those of one index, and mean nothing in a later one."""
_MOST = 1e15
"""Numbers beyond it are damage; so is what is no number."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An exchange as it is stored."""

    id: str
    asked: str
    question: str
    data: Mapping[str, Any] = field(default_factory=dict)
    """Everything else, in what JSON has."""
    rating: int = 0
    reason: str = ""


def keep(exchange: Exchange) -> Kept:
    """What is stored of an exchange, also of one that is still being answered."""
    answer = exchange.answer
    state = _State(
        format=1,
        mode=exchange.mode,
        standalone_question=exchange.standalone_question,
        filter=exchange.filter,
        short_answer=exchange.short_answer,
        has_sources=exchange.has_sources,
        stopped=exchange.stopped,
        problem=exchange.problem,
        suggestions=exchange.suggestions,
        sentences=answer.sentences if answer else tuple(exchange.sentences),
        citations=exchange.citations,
        passages=tuple(_place(passage) for passage in _needed(exchange)),
        answer=dataclasses.replace(answer, sentences=(), citations=(), retrieved=()) if answer else None,
    )
    return Kept(exchange.id, exchange.asked, exchange.question, _plain(state), exchange.rating, exchange.reason)


def without_answer(kept: Kept, problem: str) -> Kept:
    """The same exchange with a line in place of its answer."""
    bare = keep(Exchange(0, kept.question, kept.data.get("mode", "quote"), problem=problem))
    return dataclasses.replace(kept, data=bare.data)


def restore(kept: Kept, number: int, document: Callable[[str], Document | None]) -> Exchange:
    """The exchange as the page shows it, with as much of its articles as is still the same.

    An answer that was still growing is shown as stopped. Where the data cannot be read, the question remains and
    ``problem`` says so.

    Args:
        kept: what was stored.
        number: of the exchange on the page.
        document: the article with an id, or ``None``; asked once about each. A RagError means the same as ``None``.
    """
    exchange = Exchange(
        number, kept.question, "quote", id=kept.id, asked=kept.asked, rating=kept.rating, reason=kept.reason
    )
    exchange.waiting = False
    try:
        state: _State = _read(_State, kept.data)
    except (ValueError, TypeError):
        exchange.problem = UNREADABLE
        return exchange

    @functools.cache
    def article(id: str) -> Document | None:
        try:
            return document(id)
        except RagError:
            return None

    exchange.mode = state.mode
    exchange.standalone_question = state.standalone_question
    exchange.filter, exchange.short_answer = state.filter, state.short_answer
    exchange.has_sources = state.has_sources
    exchange.problem = state.problem
    exchange.suggestions = state.suggestions
    exchange.sentences = list(state.sentences)
    exchange.citations = state.citations
    exchange.passages = tuple(
        Passage(_NO_CHUNK, found, place.start, place.end, place.score)
        for place in state.passages
        if (found := article(place.document)) is not None and found.sha256 == place.sha256
    )
    for citation in state.citations:
        if any(holds(passage, citation) for passage in exchange.passages):
            continue
        found = article(citation.document)
        # An article that has changed can surround the quote only if it still says the same at the same place.
        if found is not None and found.text[citation.start : citation.end] == citation.quote:
            exchange.documents[citation.document] = found
    if state.answer is not None:
        used = {number for sentence in state.sentences for number in sentence.citations}
        exchange.answer = dataclasses.replace(
            state.answer,
            sentences=state.sentences,
            citations=tuple(citation for citation in state.citations if citation.number in used),
            retrieved=exchange.passages,
        )
    exchange.stopped = state.stopped or exchange.running
    return exchange


@dataclass(frozen=True, slots=True)
class _Place:
    """A passage without its text."""

    document: str
    sha256: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class _State:
    """The fields of ``Kept.data``. A new one needs a default, so that what was kept before can be read."""

    format: Literal[1]
    """Changes with the meaning of a field; other formats are not guessed at."""
    mode: Mode
    standalone_question: str
    filter: str
    short_answer: str
    has_sources: bool
    stopped: bool
    problem: str
    suggestions: tuple[str, ...]
    sentences: tuple[AnswerSentence, ...]
    citations: tuple[Citation, ...]
    """All that were found; those of the answer are the ones that its sentences name."""
    passages: tuple[_Place, ...]
    answer: Answer | None
    """Without sentences, citations and passages, which are kept once, above."""


def _needed(exchange: Exchange) -> list[Passage]:
    """The passages that are shown openly: those around citations, and the nearest ones of a refusal."""
    nearest = NEAREST if exchange.answer and exchange.answer.refused else 0
    return [
        passage
        for rank, passage in enumerate(exchange.passages)
        if rank < nearest or any(holds(passage, citation) for citation in exchange.citations)
    ]


def _place(passage: Passage) -> _Place:
    return _Place(passage.document.id, passage.document.sha256, passage.start, passage.end, passage.score)


def _plain(value: Any) -> Any:
    """A record as JSON has it."""
    if dataclasses.is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _read(hint: Any, value: Any) -> Any:
    """``_plain`` undone.

    Raises:
        ValueError: the value is not what the type says, or has a field that this version does not know.
        TypeError: a record lacks a field.
    """
    kind, inner = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        hints = get_type_hints(hint)
        if value.keys() <= hints.keys():
            return hint(**{name: _read(hints[name], item) for name, item in value.items()})
    if kind is types.UnionType:  # something or None
        return None if value is None else _read(inner[0], value)
    if kind is tuple and isinstance(value, list):
        return tuple(_read(inner[0], item) for item in value)
    if kind is Mapping and isinstance(value, Mapping):
        return {_read(inner[0], name): _read(inner[1], item) for name, item in value.items()}
    if kind is Literal and value in inner:
        return value
    if hint is float and type(value) in (float, int) and -_MOST < value < _MOST:
        return value
    if hint in (str, bool, int) and type(value) is hint:
        return value
    raise ValueError(f"{value!r} is no {hint}")
