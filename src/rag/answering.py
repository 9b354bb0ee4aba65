"""The answering flow: question and history → evidence → sources → checked sentences → answer.

The sources are settled before the first word is written. Whatever writes, each sentence is checked against
them, and where it is not carried the evidence itself is quoted instead.
"""

import dataclasses
import re
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing

from rag.checking import check_sentence, may_be_carried
from rag.citations import number_citations, with_markers
from rag.errors import ModelError, UsageError
from rag.followups import candidates
from rag.picking import Picked, Picker
from rag.prompts import answer_messages, refusal
from rag.records import (
    Answer,
    AnswerEvent,
    AnswerReady,
    AnswerSentence,
    Citation,
    Evidence,
    SentenceReady,
    SourcesReady,
    Turn,
)
from rag.retrieval import Snapshot
from rag.sentences import split_sentences
from rag.settings import Mode, Settings
from rag.writer import Writer

MAX_QUESTION = 2_000
"""Characters. Longer input is a document, not a question."""
_MAX_WRITTEN_TOKENS = 80
_FOLLOWUP_PASSAGES = 3
"""Passages looked at for each reading of a follow-up question before one is chosen."""
_AS_GOOD_AS_BEST = 0.3
"""A likelier reading of a follow-up is preferred to the best answered one from this share of its confidence on."""
_SURE = 0.5
"""A sentence likelier than not to answer stands alone; a less likely one is shown beside its alternatives."""
_WORTH_SHOWING = 0.15
"""An alternative must be at least this likely, compared with the best one, to answer."""
_OPENS_WITH_PRONOUN = re.compile(
    r"(?:He|She|It|They|His|Her|Its|Their|This|These|That|Those|Both|The former|The latter)\b"
)

_MARKER = re.compile(r"\s*\[\d[\d, ]*\]")


class Answerer:
    """Answers questions from one snapshot at a time.

    Args:
        snapshot: gives the index to answer from; called once for each question.
        picker: finds the evidence.
        writer: gives the language model; called only in ``write`` mode, so that ``quote`` never loads it.
        settings: thresholds and sizes.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        picker: Picker,
        writer: Callable[[], Writer],
        settings: Settings,
    ) -> None:
        self._snapshot = snapshot
        self._picker = picker
        self._writer = writer
        self._settings = settings

    def answer(self, question: str, history: Sequence[Turn] = (), mode: Mode | None = None) -> Answer:
        """The finished answer; see ``ask``."""
        for event in self.ask(question, history, mode):
            if isinstance(event, AnswerReady):
                return event.answer
        raise AssertionError("ask always ends with AnswerReady")

    def ask(self, question: str, history: Sequence[Turn] = (), mode: Mode | None = None) -> Iterator[AnswerEvent]:
        """Answer in steps: ``SourcesReady``, then each checked sentence, then ``AnswerReady``.

        Closing the iterator stops the writer.

        Raises:
            UsageError: the question is empty or longer than 2,000 characters.
            IndexUnusableError: there is no usable index, or another model built it.
            ModelError: a model is missing. A writer that fails on the way is replaced by quotes.
        """
        began = time.perf_counter()
        question = check_question(question)
        mode = mode or self._settings.mode
        snapshot = self._snapshot()
        picked, choosing_seconds = self._pick(snapshot, question, history)
        refused = picked.confidence < self._settings.refuse_below
        chosen = () if refused else choose(picked, self._settings)
        citations = number_citations(chosen)
        yield SourcesReady(picked.question, citations, picked.passages)

        sentences: list[AnswerSentence] = []
        first: float | None = None
        model = "" if refused else "quote"
        if not refused:
            if mode == "write":
                model = self._writer().name
                steps = self._write(picked.question, chosen, citations)
            else:
                steps = _quote(citations)
            with closing(steps):
                for sentence in steps:
                    first = first or time.perf_counter() - began
                    sentences.append(sentence)
                    yield SentenceReady(sentence)
        used = {number for sentence in sentences for number in sentence.citations}
        total = time.perf_counter() - began
        best = chosen[0] if chosen else None
        yield AnswerReady(
            Answer(
                question=question,
                standalone_question=picked.question,
                short_answer=best.document.text[slice(*best.answer)] if best and best.answer else None,
                refused=refused,
                text=refusal(picked.missing_words) if refused else with_markers(sentences),
                sentences=tuple(sentences),
                citations=tuple(citation for citation in citations if citation.number in used),
                retrieved=picked.passages,
                seconds={
                    "retrieve": choosing_seconds + picked.retrieve_seconds,
                    "evidence": picked.evidence_seconds,
                    "first_token": first if first is not None else total,
                    "total": total,
                },
                model=model,
                generation=snapshot.name,
            )
        )

    def _pick(self, snapshot: Snapshot, question: str, history: Sequence[Turn]) -> tuple[Picked, float]:
        """Choose the likeliest reading of the question that the articles answer well, then look closely at it.

        Returns the picked evidence and the seconds spent on choosing.
        """
        began = time.perf_counter()
        readings = candidates(question, history)
        if len(readings) > 1:
            tried = [self._picker.pick(snapshot, reading, _FOLLOWUP_PASSAGES) for reading in readings]
            enough = _AS_GOOD_AS_BEST * max(picked.confidence for picked in tried)
            standalone = next(picked.question for picked in tried if picked.confidence >= enough)
        else:
            standalone = readings[0]
        spent = time.perf_counter() - began
        return self._picker.pick(snapshot, standalone, self._settings.passages), spent

    def _write(
        self, question: str, chosen: Sequence[Evidence], citations: Sequence[Citation]
    ) -> Generator[AnswerSentence]:
        """Let the writer word the evidence; show what is carried, quote where it is not."""
        evidence = [item.text for item in chosen]
        titles = [item.document.title for item in chosen]
        answer = chosen[0].document.text[slice(*chosen[0].answer)] if chosen[0].answer else ""
        shown: list[AnswerSentence] = []
        words = 0
        try:
            for text in self._written_sentences(question, evidence, titles):
                check = check_sentence(text, evidence, titles, question)
                if check is None:
                    break  # a small model that has left its sources does not come back to them
                if not shown and answer and answer.lower() not in text.lower():
                    break  # true, but beside the point: the quote answers better
                sentence = AnswerSentence(text, check.verdict, (citations[check.evidence].number,))
                words += len(text.split())
                if any(sentence.citations == before.citations for before in shown):
                    continue  # the second wording of the same evidence adds nothing
                if shown and words > self._settings.answer_words:
                    return
                shown.append(sentence)
                yield sentence
        except ModelError:
            pass  # the evidence below answers without the writer
        if not shown:
            yield from _quote(citations)

    def _written_sentences(self, question: str, evidence: Sequence[str], titles: Sequence[str]) -> Iterator[str]:
        """The writer's sentences, each as soon as it is complete; ends early at a word of the writer's own."""
        messages = answer_messages(question, evidence)
        text = ""
        stream = self._writer().write(messages, _MAX_WRITTEN_TOKENS, self._settings.writer_timeout)
        given = 0
        with closing(stream):
            for piece in stream:
                text += piece
                complete = split_sentences(text)[:-1]
                for sentence in complete[given:]:
                    yield _clean(text[sentence.start : sentence.end])
                given = max(given, len(complete))
                begun = text[complete[-1].end :] if complete else text
                if not may_be_carried(_clean(begun), evidence, titles, question):
                    return
        for sentence in split_sentences(text)[given:]:
            cleaned = _clean(text[sentence.start : sentence.end])
            if cleaned[-1:] in tuple('.!?"”'):  # the last one may have been cut off by the token limit
                yield cleaned


def choose(picked: Picked, settings: Settings) -> tuple[Evidence, ...]:
    """The sentences of an answer: the best one and, if that is unsure, its alternatives, within the answer's length."""
    chosen: list[Evidence] = []
    words = 0
    for item in picked.evidence[: 3 * settings.sources]:
        if len(chosen) == settings.sources:
            break
        if chosen and (chosen[0].score >= _SURE or item.score < _WORTH_SHOWING * chosen[0].score):
            break
        room = settings.answer_words - words if chosen else max(settings.answer_words, len(item.text.split()))
        item = _with_context(item, room)
        length = len(item.text.split())
        if length <= room and not any(_repeats(item, before) for before in chosen):
            chosen.append(item)
            words += length
    return tuple(chosen)


def _with_context(item: Evidence, room: int) -> Evidence:
    """The sentence with the one before it, where it opens with a pronoun that would hang in the air alone."""
    if item.context_start is None or not _OPENS_WITH_PRONOUN.match(item.text):
        return item
    longer = dataclasses.replace(item, start=item.context_start)
    return longer if len(longer.text.split()) <= room else item


def _repeats(item: Evidence, before: Evidence) -> bool:
    """Whether a sentence stands in the same place as an earlier one, or gives the same short answer again."""
    if item.document.id == before.document.id and item.start < before.end and before.start < item.end:
        return True
    answer = before.document.text[slice(*before.answer)] if before.answer else before.text
    return answer.lower() in item.text.lower()


def _quote(citations: Sequence[Citation]) -> Generator[AnswerSentence]:
    for citation in citations:
        yield AnswerSentence(citation.quote, "quoted", (citation.number,))


def check_question(question: str) -> str:
    """The question without control characters and needless space.

    Raises:
        UsageError: it is empty or too long.
    """
    if len(question) > MAX_QUESTION:
        problem = f"The question has {len(question):,} characters; the limit is {MAX_QUESTION:,}"
        raise UsageError(problem, "Ask a shorter one, or put the text into the corpus and ask about it.")
    # Lone surrogates and control characters reach us through JSON and terminals; no model can read them.
    cleaned = "".join(char if char.isprintable() else " " for char in question)
    cleaned = " ".join(cleaned.encode("utf-8", "ignore").decode().split())
    if not any(char.isalnum() for char in cleaned):
        raise UsageError("The question is empty", "Ask something like: When was Salyut 1 launched?")
    return cleaned


def _clean(text: str) -> str:
    return " ".join(_MARKER.sub("", text).split())
