"""All prompt text. Short on purpose: a small model reads slowly and loses the thread in long prompts."""

from collections.abc import Sequence

from rag.prose import plain, prose
from rag.records import Passage

NOT_IN_SOURCES = "Not in the sources."
"""What a writer says when it finds no answer."""
SYSTEM = "Answer from the sources in one or two short sentences. Cite each."
"""The packaged writer was trained on this prompt and no other: another wording needs another training."""


def answer_messages(question: str, evidence: Sequence[str]) -> list[dict[str, str]]:
    """The chat messages for one question: fixed system part first, so that its state can be cached.

    Args:
        question: standalone.
        evidence: sentences, best first, numbered from 1.
    """
    sources = "\n".join(f"[{number}] {plain(sentence)}" for number, sentence in enumerate(evidence, 1))
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"{sources}\n\nQuestion: {question}"}]


def answer_grammar(choices: Sequence[str]) -> str:
    """One of the choices with its marker, in llama.cpp's GBNF.

    A writer that can write nothing else shortens where it finds that fitting, and loses no time with words that are not
    shown. Whether the source answers at all was decided before.

    Args:
        choices: sentences without closing punctuation; at least one.
    """
    return f'root ::= ({" | ".join(_literal(plain(choice)) for choice in choices)}) " [1]."'


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


SYSTEM_FOR_PASSAGES = (
    "Answer the question in one to three sentences, copied from the numbered sources. You may leave out an opening phrase, "
    "an aside between commas or a second clause, but change no word. End each sentence with the number of its source, like "
    f"[1]. If the sources do not answer, write: {NOT_IN_SOURCES}"
)
_MAX_PASSAGES = 5


def passage_messages(question: str, passages: Sequence[Passage]) -> list[dict[str, str]]:
    """The chat messages for models that can read more: the five best passages whole, with title and date."""
    sources = []
    for number, passage in enumerate(passages[:_MAX_PASSAGES], 1):
        about = ", ".join(
            filter(None, (passage.document.title, passage.document.publisher, passage.document.published))
        )
        sources.append(f"[{number}] {about}\n{prose(passage.document, passage.start, passage.end).text}")
    text = "\n\n".join(sources)
    return [
        {"role": "system", "content": SYSTEM_FOR_PASSAGES},
        {"role": "user", "content": f"{text}\n\nQuestion: {question}"},
    ]


def unanswered(parts: Sequence[str]) -> str:
    """What is said where the articles answer only other parts of a question."""
    return " ".join(f"The articles do not say: “{part}”" for part in parts)


def no_article(filter: str) -> str:
    """What is said where a filter, given in words, leaves nothing to search."""
    return f"No article is left to answer from: {filter} were to be searched. Ask without that limit, or with another."


def refusal(missing_words: Sequence[str]) -> str:
    """What is said when the articles do not answer; names the words that were found nowhere."""
    if missing_words:
        missing = ", ".join(f"“{word}”" for word in missing_words)
        return (
            f"The articles do not say. Nothing in them mentions {missing}; the nearest passages are listed as sources."
        )
    return "The articles do not say. The nearest passages are listed as sources."
