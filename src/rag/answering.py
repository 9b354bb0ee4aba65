"""The answering flow: question and history → evidence → sources → checked sentences → answer.

The sources are settled before the first word is written. Whatever writes, each sentence is checked against
them, and where it is not carried the evidence itself is quoted instead.
"""

import dataclasses
import itertools
import re
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing

from rag.citations import number_citations, with_markers
from rag.compound import parts, readings
from rag.disagreement import dated, disagree
from rag.errors import ModelError, UsageError
from rag.evidence import same_answer
from rag.excerpts import excerpt
from rag.filters import NO_FILTER, Filter, combine, describe, parse
from rag.followups import candidates
from rag.languages import known, question_notice
from rag.picking import Picked, Picker
from rag.prompts import no_article, refusal, unanswered
from rag.prose import prose, short_answer, shown
from rag.records import (
    Answer,
    AnswerEvent,
    AnswerReady,
    AnswerSentence,
    Evidence,
    SentenceReady,
    SourcesReady,
    Turn,
)
from rag.retrieval import Snapshot
from rag.settings import Mode, Settings
from rag.wording import names, stem, stems
from rag.writer import Writer
from rag.writing import Task, quote, write

MAX_QUESTION = 2_000
"""Characters. Longer input is a document, not a question."""
_FOLLOWUP_PASSAGES = 3
"""Passages looked at for each reading of a follow-up question before one is chosen."""
_AS_GOOD_AS_BEST = 0.5
"""A likelier reading of a follow-up is preferred to the best answered one from this share of its confidence on."""
_SURE = 0.85
"""An answer that is at least this likely stands alone; a less likely one is shown beside its alternatives."""
_RIVALS = 0.3
"""A sentence of another date that contradicts a sure one is shown beside it from this share of its probability on."""
_LOOKED_THROUGH = 9
"""Sentences among which those of an answer are chosen."""
_WORTH_SHOWING = 0.1
"""An alternative must be at least this likely, compared with the best answer, to answer."""
_FOREIGN = "The sources are quoted, since the check of worded sentences knows English only."
_OPENS_WITH_PRONOUN = re.compile(
    r"(?:He|She|It|They|His|Her|Its|Their|This|These|That|Those|Both|The former|The latter)\b"
)


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

    def answer(
        self,
        question: str,
        history: Sequence[Turn] = (),
        mode: Mode | None = None,
        filter: Filter = NO_FILTER,
    ) -> Answer:
        """The finished answer; see ``ask``."""
        for event in self.ask(question, history, mode, filter):
            if isinstance(event, AnswerReady):
                return event.answer
        raise AssertionError("ask always ends with AnswerReady")

    def ask(
        self,
        question: str,
        history: Sequence[Turn] = (),
        mode: Mode | None = None,
        filter: Filter = NO_FILTER,
    ) -> Iterator[AnswerEvent]:
        """Answer in steps: ``SourcesReady``, then each checked sentence, then ``AnswerReady``.

        Only articles are searched that the filter admits, and one typed with the question (see ``filters.parse``); one
        typed with an earlier question is not carried on. Closing the iterator stops the writer.

        Raises:
            UsageError: the question is empty or longer than 2,000 characters.
            IndexUnusableError: there is no usable index, or another model built it.
            ModelError: the embedding model or the reader is missing. A writer that is missing or fails is replaced by
                quotes, and the answer's notice says so.
        """
        began = time.perf_counter()
        question = check_question(question)
        mode = mode or self._settings.mode
        snapshot = self._snapshot()
        asked, typed = parse(question, snapshot.publishers)
        filter = combine(filter, typed)
        looked = self._look(snapshot, asked, _without_filters(history, snapshot.publishers), filter)
        picked = _together(looked)
        if [part.question for part in looked] == list(parts(asked)):
            picked = dataclasses.replace(picked, question=asked)  # understood as it was typed
        answered = [part for part in looked if part.evidence and part.confidence >= self._settings.refuse_below]
        refused = not answered
        # All that is shown must be right for the answer to be right; a refusal is as doubtful as its surest part.
        sure = min((part.confidence for part in answered), default=picked.confidence)
        unknown = () if refused or len(looked) == 1 else _unanswered(looked, answered, parts(asked))
        sources, dates = list(choose(answered, self._settings)), list[str | None]()
        if len(looked) == 1:
            sources, dates = dated(picked.question, sources)
        citations = number_citations(sources, snapshot.store.other_copies)
        # No single span answers a compound question, or one that is answered differently at different times.
        best = sources[0] if sources and len(looked) == 1 and not any(dates) else None
        answer = (short_answer(best) or None) if best else None
        only = describe(filter)
        yield SourcesReady(picked.question, citations, picked.passages, answer, only)

        sentences: list[AnswerSentence] = []
        first: float | None = None
        task = self._task(picked, answered, sources)
        # Sources that disagree are shown in their own words, each with its date.
        # So are those that the check of written sentences could not judge: it knows the negations of English alone.
        foreign = mode == "write" and not all(known(source.document.language) for source in sources)
        model, steps = self._worded(task, "quote" if refused or any(dates) or foreign else mode)
        with closing(steps):
            for sentence in steps:
                if any(dates):
                    sentence = dataclasses.replace(sentence, as_of=dates[sentence.citations[0] - 1])
                first = first or time.perf_counter() - began
                sentences.append(sentence)
                yield SentenceReady(sentence)
        used = {number for sentence in sentences for number in sentence.citations}
        total = time.perf_counter() - began
        nothing_admitted = filter and not snapshot.admitted(filter).documents
        text = no_article(only) if nothing_admitted else _text(sentences, picked.missing_words, unknown)
        yield AnswerReady(
            Answer(
                question=question,
                standalone_question=picked.question,
                short_answer=answer,
                refused=refused,
                confidence=sure,
                text=text,
                sentences=tuple(sentences),
                citations=tuple(citation for citation in citations if citation.number in used),
                retrieved=picked.passages,
                unanswered=unknown,
                notice=_notice(
                    f"{task.problem} The sources are quoted instead." if task.problem else "",
                    _FOREIGN if foreign else "",
                    question_notice(asked, multilingual=bool(self._settings.embedding_model)),
                ),
                written=task.written,
                carried=task.carried,
                seconds={
                    "retrieve": picked.retrieve_seconds,
                    "evidence": picked.evidence_seconds,
                    "first_token": first if first is not None else total,
                    "total": total,
                },
                model="" if refused else model,
                generation=snapshot.name,
                filter=only,
            )
        )

    def _worded(self, task: Task, mode: Mode) -> tuple[str, Generator[AnswerSentence]]:
        """Who words the answer, and its sentences as they come."""
        settings = self._settings
        if mode == "write":
            try:
                writer = self._writer()
            except ModelError as error:
                task.problem = str(error)
            else:
                alike = self._picker.answers_alike
                return writer.name, write(task, writer, alike, settings.answer_words, settings.writer_timeout)
        return "quote", quote(task.sources, range(1, len(task.sources) + 1))

    def _task(self, picked: Picked, answered: Sequence[Picked], sources: list[Evidence]) -> Task:
        settings = self._settings
        own_writer = not (settings.writer_model or settings.writer_url)
        fuller = settings.writer_prompt == "passages" or (settings.writer_prompt == "auto" and not own_writer)
        return Task(
            question=picked.question,
            sources=sources,
            others=[item for part in answered for item in part.evidence] if fuller else (),
            passages=_together(answered).passages if fuller else (),
            asked=[_asked(source, answered) for source in sources] if len(answered) > 1 else [picked.question],
        )

    def _look(self, snapshot: Snapshot, question: str, history: Sequence[Turn], filter: Filter) -> list[Picked]:
        """The evidence for each part of the question; a later part may mean what the first one said."""
        first, *others = parts(question)
        looked = [self._pick(snapshot, candidates(first, history), filter)]
        for part in others:
            understood = candidates(part, [*history, Turn("user", first)])
            meant = understood if len(understood) > 1 else readings(understood[0], first)
            looked.append(_about(self._pick(snapshot, meant, filter), part))
        return looked

    def _pick(self, snapshot: Snapshot, meant: Sequence[str], filter: Filter) -> Picked:
        """Choose the likeliest reading that the articles answer well, then look closely at it."""
        began = time.perf_counter()
        standalone = meant[0]
        if len(meant) > 1:
            few = _FOLLOWUP_PASSAGES
            tried = [self._picker.pick(snapshot, reading, few, few, filter) for reading in meant]
            enough = _AS_GOOD_AS_BEST * max(picked.confidence for picked in tried)
            standalone = next(picked.question for picked in tried if picked.confidence >= enough)
        spent = time.perf_counter() - began
        settings = self._settings
        picked = self._picker.pick(snapshot, standalone, settings.passages, settings.candidates, filter)
        return dataclasses.replace(picked, retrieve_seconds=spent + picked.retrieve_seconds)


def _notice(*parts: str) -> str:
    return " ".join(filter(None, parts))


def _without_filters(history: Sequence[Turn], publishers: Sequence[str]) -> list[Turn]:
    """Earlier turns without the words that chose articles, which are no topics of theirs."""
    return [
        dataclasses.replace(turn, content=parse(turn.content, publishers)[0]) if turn.role == "user" else turn
        for turn in history
    ]


def _about(picked: Picked, part: str) -> Picked:
    """Only what names something that a later part of a question names itself.

    Read with words of the first part, "and when did Mir?" resembles any sentence about a fall.
    """
    wanted = {stem(name.lower()) for name in names(part)}
    kept = []
    for item in picked.evidence:
        start = item.start if item.context_start is None else item.context_start
        if not wanted or wanted & set(stems(f"{item.document.title} {prose(item.document, start, item.end).text}")):
            kept.append(item)
    # Another sentence than the one that the confidence is of is only as likely as it is by itself.
    same = kept[:1] == list(picked.evidence[:1])
    sure = picked.confidence if same else min(picked.confidence, kept[0].score) if kept else 0.0
    return dataclasses.replace(picked, evidence=tuple(kept), confidence=sure)


def _unanswered(looked: Sequence[Picked], answered: Sequence[Picked], asked: Sequence[str]) -> tuple[str, ...]:
    """The parts, as they were typed, that are not among those answered."""
    return tuple(part for part, picked in zip(asked, looked, strict=True) if picked not in answered)


def _text(sentences: Sequence[AnswerSentence], missing_words: Sequence[str], unknown: Sequence[str]) -> str:
    if not sentences:
        return refusal(missing_words)
    return " ".join(filter(None, (with_markers(sentences), unanswered(unknown))))


def _asked(source: Evidence, answered: Sequence[Picked]) -> str:
    """The part of a question that a source was chosen for."""
    return next(
        part.question for part in answered if any(_overlap(source, item) for item in part.evidence[:_LOOKED_THROUGH])
    )


def choose(looked: Sequence[Picked], settings: Settings) -> tuple[Evidence, ...]:
    """The sentences of an answer, within its length.

    For a question with several parts the best one of each; otherwise the best one and, if that is unsure, its
    alternatives.
    """
    chosen: list[Evidence] = []
    room = settings.answer_words
    share = max(1, room // max(1, len(looked)))
    needed = [min(share, _words(picked.evidence[0])) for picked in looked]
    for number, picked in enumerate(looked):
        most = max(share, room - sum(needed[number + 1 :]))  # what the later parts do not need, this one may use
        for item in _for_part(picked, settings, most, 1 if len(looked) > 1 else settings.sources):
            if not any(_overlap(item, before) for before in chosen):
                chosen.append(item)
                room -= _words(item)
    return tuple(chosen)


def _for_part(picked: Picked, settings: Settings, room: int, most: int) -> list[Evidence]:
    chosen: list[Evidence] = []
    looked_at = picked.evidence[:_LOOKED_THROUGH]
    sure = _attested(looked_at) if looked_at else 0.0
    for item in looked_at:
        if len(chosen) == most:
            break
        if chosen and item.score < _WORTH_SHOWING * sure:
            break
        rival = chosen and item.score >= _RIVALS * chosen[0].score and disagree(picked.question, chosen[0], item)
        if chosen and sure >= _SURE and not rival:
            continue
        item = _with_context(item, room)
        if not chosen:
            start, end = excerpt(item.document.text, item.start, item.end, room, item.answer)
            item = dataclasses.replace(item, start=start, end=end, cut=(start > item.start, end < item.end))
        length = _words(item)
        if (not chosen or length <= room) and not any(_repeats(item, before) for before in chosen):
            chosen.append(item)
            room -= length
    return chosen


def _attested(evidence: Sequence[Evidence]) -> float:
    """How likely the first sentence's short answer is, as other articles may give it too.

    They are taken for independent witnesses: it is wrong only if all of them are.
    """
    first, *others = evidence
    wrong = 1.0 - first.score
    for item in others:
        if item.document.id != first.document.id and same_answer(short_answer(item), short_answer(first)):
            wrong *= 1.0 - item.score
    return 1.0 - wrong


def _with_context(item: Evidence, room: int) -> Evidence:
    """The sentence with the one before it, where it opens with a pronoun that would hang in the air alone."""
    if item.context_start is None or not _OPENS_WITH_PRONOUN.match(shown(item)):
        return item
    longer = dataclasses.replace(item, start=item.context_start)
    return longer if _words(longer) <= room else item


def _repeats(item: Evidence, before: Evidence) -> bool:
    """Whether a sentence stands in the same place as an earlier one, or gives the same short answer again."""
    if _overlap(item, before):
        return True
    return (short_answer(before) or shown(before)).lower() in shown(item).lower()


def _words(item: Evidence) -> int:
    return len(shown(item).split())


def _overlap(item: Evidence, before: Evidence) -> bool:
    return item.document.id == before.document.id and item.start < before.end and before.start < item.end


def _together(looked: Sequence[Picked]) -> Picked:
    """All parts as one: their passages in turn, as sure as the surest."""
    if len(looked) == 1:
        return looked[0]
    passages = {
        passage.chunk_id: passage
        for rank in itertools.zip_longest(*(picked.passages for picked in looked))
        for passage in rank
        if passage is not None
    }
    return Picked(
        question=" ".join(picked.question for picked in looked),
        passages=tuple(passages.values()),
        evidence=(),
        confidence=max(picked.confidence for picked in looked),
        missing_words=tuple(dict.fromkeys(word for picked in looked for word in picked.missing_words)),
        retrieve_seconds=sum(picked.retrieve_seconds for picked in looked),
        evidence_seconds=sum(picked.evidence_seconds for picked in looked),
    )


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
