"""The writing flow: sources → the writer's words → only those sentences that a source carries.

What is written is never trusted. A sentence is shown if ``checking`` finds a source that carries it, or, where it
names several, one for each of its clauses; what the writer leaves out or gets wrong is quoted instead.
"""

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from rag.checking import check_sentence, may_be_carried
from rag.errors import ModelError
from rag.prompts import answer_messages, passage_messages
from rag.records import AnswerSentence, Evidence, Passage, Verdict
from rag.sentences import split_sentences
from rag.writer import Writer

_MAX_TOKENS = 80
_MAX_TOKENS_OF_PASSAGES = 200
_MARKER = re.compile(r"\s*\[\d[\d, ]*\]")
_CLAUSE = re.compile(r"(.+?)((?:\s*\[\d[\d, ]*\])+)[,;]?\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be worded."""

    question: str
    """Standalone."""
    sources: list[Evidence]
    """Numbered from 1, shown before the first word. Others that carry a sentence are added at the end."""
    others: Sequence[Evidence] = ()
    """Further sentences of the passages that a sentence may rest on."""
    passages: Sequence[Passage] = ()
    """Shown to the writer whole; none: it sees the sources alone, as small models need it."""
    quote_the_rest: bool = False
    """Sources that the writer leaves out answer a part of their own and are quoted too."""

    @property
    def pool(self) -> list[Evidence]:
        """Everything that may carry a sentence, sources first."""
        return [*self.sources, *(item for item in self.others if item not in self.sources)]


def quote(sources: Sequence[Evidence], numbers: Sequence[int]) -> Iterator[AnswerSentence]:
    """The sources of these numbers as they stand."""
    for number in numbers:
        yield AnswerSentence(sources[number - 1].text, "quoted", (number,))


def write(
    task: Task, writer: Writer, answers_alike: Callable[[str, str, str], bool], words: int, timeout: float
) -> Generator[AnswerSentence]:
    """Let the writer word the sources; show what is carried, quote where it is not.

    Args:
        task: what to word. Its sources grow by those that sentences turn out to rest on.
        writer: closed when this generator is.
        answers_alike: whether a sentence still gives the short answer to the question (question, sentence, answer).
        words: the answer ends at about so many.
        timeout: in seconds, for the writer. If it fails, the sources answer without it.
    """
    best = task.sources[0]
    answer = best.document.text[slice(*best.answer)] if best.answer else ""
    first_sources = len(task.sources)
    shown: list[AnswerSentence] = []
    used = 0
    try:
        for text in _sentences(task, writer, timeout):
            sentence = _checked(text, task)
            if sentence is None:
                break  # a small model that has left its sources does not come back to them
            if not shown and answer and not answers_alike(task.question, sentence.text, answer):
                break  # true, but beside the point: the quote answers better
            used += len(sentence.text.split())
            if any(sentence.citations == before.citations for before in shown):
                continue  # the second wording of the same source adds nothing
            if shown and used > words:
                break
            shown.append(sentence)
            yield sentence
    except ModelError:
        pass
    cited = {number for sentence in shown for number in sentence.citations}
    if not shown or task.quote_the_rest:
        yield from quote(task.sources, [n for n in range(1, first_sources + 1) if n not in cited])


def _sentences(task: Task, writer: Writer, timeout: float) -> Iterator[str]:
    """The writer's sentences with their markers, each once it is complete; ends early at a word of its own."""
    if task.passages:
        messages, most = passage_messages(task.question, task.passages), _MAX_TOKENS_OF_PASSAGES
    else:
        messages, most = answer_messages(task.question, [item.text for item in task.sources]), _MAX_TOKENS
    text, given = "", 0
    with closing(writer.write(messages, most, timeout)) as stream:
        for piece in stream:
            text += piece
            complete = split_sentences(text)[:-1]
            for sentence in complete[given:]:
                yield text[sentence.start : sentence.end]
            given = max(given, len(complete))
            begun = text[complete[-1].end :] if complete else text
            if not may_be_carried(_clean(begun), *_texts_and_titles(task.pool), task.question):
                return
    for sentence in split_sentences(text)[given:]:
        last = text[sentence.start : sentence.end]
        if _clean(last)[-1:] in tuple('.!?"”'):  # the last one may have been cut off by the token limit
            yield last


def _checked(written: str, task: Task) -> AnswerSentence | None:
    """The sentence with the numbers of what carries it, which need not be those that were written."""
    clauses = [match.group(1) for match in _CLAUSE.finditer(written)]
    for texts in ([written], clauses if len(clauses) > 1 else []):
        verdicts: list[Verdict] = []
        carriers: list[Evidence] = []
        for text in texts:
            pool = task.pool
            check = check_sentence(_clean(text), *_texts_and_titles(pool), task.question)
            if check is None:
                break
            verdicts.append(check.verdict)
            carriers.append(pool[check.evidence])
        else:
            if texts:
                verdict: Verdict = verdicts[0] if len(texts) == 1 else "supported"
                task.sources.extend(item for item in dict.fromkeys(carriers) if item not in task.sources)
                numbers = dict.fromkeys(task.sources.index(item) + 1 for item in carriers)
                return AnswerSentence(_clean(written), verdict, tuple(numbers))
    return None


def _texts_and_titles(items: Sequence[Evidence]) -> tuple[list[str], list[str]]:
    return [item.text for item in items], [item.document.title for item in items]


def _clean(text: str) -> str:
    return " ".join(_MARKER.sub("", text).split())
