"""The writing flow: sources → the writer's words → only those sentences that a source carries.

What is written is never trusted. A sentence is shown if ``checking`` finds a source that carries it, or, where it
names several, one for each of its clauses; what the writer leaves out or gets wrong is quoted instead.
"""

import re
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from rag.checking import check_clauses, may_be_carried, without_markers
from rag.errors import ModelError
from rag.prompts import answer_grammar, answer_messages, passage_messages
from rag.prose import short_answer, shown
from rag.records import AnswerSentence, Evidence, Passage, Verdict
from rag.sentences import split_sentences
from rag.shortening import shortenings
from rag.writer import Writer

_MAX_TOKENS = 160
_MAX_TOKENS_OF_PASSAGES = 200


@dataclass(slots=True)
class Task:
    """What is to be worded, and how that went."""

    question: str
    """Standalone."""
    sources: list[Evidence]
    """Numbered from 1, shown before the first word. Others that carry a sentence are added at the end."""
    asked: Sequence[str] = ()
    """What each of the first sources answers: itself the question, or a part of it. Those behind them are quoted."""
    others: Sequence[Evidence] = ()
    """Further sentences of the passages that a sentence may rest on."""
    passages: Sequence[Passage] = ()
    """Shown to the writer whole, for one answer from all; none: it words one source at a time, as small models can."""
    problem: str = ""
    """What was wrong with the writer, once it is known."""
    written: int = 0
    """Sentences that the writer wrote, the last one perhaps not to its end."""
    carried: int = 0
    """Those of them that passed their check."""

    @property
    def pool(self) -> list[Evidence]:
        """Everything that may carry a sentence, sources first."""
        return [*self.sources, *(item for item in self.others if item not in self.sources)]


def quote(sources: Sequence[Evidence], numbers: Sequence[int]) -> Generator[AnswerSentence]:
    """The prose of the sources of these numbers, word for word."""
    for number in numbers:
        source = sources[number - 1]
        yield AnswerSentence(shown(source), "quoted", (number,), cut=source.cut)


def write(
    task: Task, writer: Writer, answers_alike: Callable[[str, str, str], bool], words: int, timeout: float
) -> Generator[AnswerSentence]:
    """Let the writer word the sources; show what is carried, quote where it is not.

    Args:
        task: what to word. Its sources grow by those that sentences turn out to rest on.
        writer: closed when this generator is.
        answers_alike: whether a sentence still gives the short answer to the question (question, sentence, answer).
        words: an answer from whole passages ends at about so many.
        timeout: in seconds, for the writer. If it fails, the sources answer without it, and the task knows why.
    """
    if task.passages:
        yield from _from_passages(task, writer, answers_alike, words, timeout)
    else:
        yield from _one_by_one(task, writer, answers_alike, timeout)


def _one_by_one(
    task: Task, writer: Writer, answers_alike: Callable[[str, str, str], bool], timeout: float
) -> Generator[AnswerSentence]:
    ends = time.monotonic() + timeout
    for number in range(1, len(task.sources) + 1):
        sentence = None
        if number <= len(task.asked) and not task.problem and _can_be_shortened(task.sources[number - 1]):
            question, answer = task.asked[number - 1], short_answer(task.sources[number - 1])
            text = _first_sentence(task, number, writer, ends - time.monotonic())
            sentence = _checked(text, task, question) if text else None
            worded = sentence is not None and sentence != next(quote(task.sources, [number]))
            if sentence and worded and answer and not answers_alike(question, sentence.text, answer):
                sentence = None  # true, but beside the point: the quote answers better
            task.carried += sentence is not None
        yield sentence or next(quote(task.sources, [number]))


def _can_be_shortened(source: Evidence) -> bool:
    """Whether a writer can do anything but copy it: one sentence, without anything like a marker."""
    text = shown(source)
    one = len(split_sentences(text)) == 1 and not re.search(r"[\[\]]", text)
    return one and len(shortenings(text, short_answer(source))) > 1


def _first_sentence(task: Task, number: int, writer: Writer, timeout: float) -> str:
    """What the writer makes of one source; as far as it came where it leaves its words."""
    source, question = task.sources[number - 1], task.asked[number - 1]
    messages = answer_messages(question, [shown(source)])
    grammar = answer_grammar(shortenings(shown(source), short_answer(source)))
    try:
        for text in _sentences(task, question, writer, messages, _MAX_TOKENS, timeout, grammar):
            task.written += 1
            return text
    except ModelError as error:
        task.problem = str(error)
    return ""


def _from_passages(
    task: Task, writer: Writer, answers_alike: Callable[[str, str, str], bool], words: int, timeout: float
) -> Generator[AnswerSentence]:
    answer, first_sources = short_answer(task.sources[0]), len(task.sources)
    told: list[AnswerSentence] = []
    used = 0
    try:
        messages = passage_messages(task.question, task.passages)
        for text in _sentences(task, task.question, writer, messages, _MAX_TOKENS_OF_PASSAGES, timeout, ""):
            task.written += 1
            sentence = _checked(text, task, task.question)
            if sentence is None:
                break  # a model that has left its sources does not come back to them
            if not told and answer and not answers_alike(task.question, sentence.text, answer):
                break
            task.carried += 1
            used += len(sentence.text.split())
            if any(sentence.citations == before.citations for before in told):
                continue  # the second wording of the same source adds nothing
            if told and used > words:
                break
            told.append(sentence)
            yield sentence
    except ModelError as error:
        task.problem = str(error)
    cited = {number for sentence in told for number in sentence.citations}
    if not told or len(task.asked) > 1:
        yield from quote(task.sources, [n for n in range(1, first_sources + 1) if n not in cited])


def _sentences(
    task: Task,
    question: str,
    writer: Writer,
    messages: Sequence[dict[str, str]],
    most: int,
    timeout: float,
    grammar: str,
) -> Iterator[str]:
    """The writer's sentences with their markers, each once it is complete or, with a word of its own, lost."""
    text, given = "", 0
    with closing(writer.write(messages, most, max(0.0, timeout), grammar)) as stream:
        for piece in stream:
            text += piece
            complete = split_sentences(text)[:-1]
            for sentence in complete[given:]:
                yield text[sentence.start : sentence.end]
            given = max(given, len(complete))
            begun = text[complete[-1].end :] if complete else text
            if not may_be_carried(without_markers(begun), *_texts_and_titles(task.pool), question):
                yield begun
                return
    for sentence in split_sentences(text)[given:]:
        last = text[sentence.start : sentence.end]
        if without_markers(last)[-1:] in tuple('.!?"”'):  # the last one may have been cut off by the token limit
            yield last


def _checked(written: str, task: Task, question: str) -> AnswerSentence | None:
    """The sentence with the numbers of what carries it, which need not be those that were written."""
    pool = task.pool
    checks = check_clauses(written, *_texts_and_titles(pool), question)
    if checks is None:
        return None
    verdict: Verdict = checks[0].verdict if len(checks) == 1 else "supported"
    carriers = dict.fromkeys(pool[check.evidence] for check in checks)
    task.sources.extend(item for item in carriers if item not in task.sources)
    text, numbers = without_markers(written), tuple(task.sources.index(item) + 1 for item in carriers)
    cut = pool[checks[0].evidence].cut if verdict == "quoted" else (False, False)
    return AnswerSentence(text, verdict, numbers, cut=cut)


def _texts_and_titles(items: Sequence[Evidence]) -> tuple[list[str], list[str]]:
    return [shown(item) for item in items], [item.document.title for item in items]
