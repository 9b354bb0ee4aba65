"""All prompt text. Short on purpose: a small model reads slowly and loses the thread in long prompts."""

from collections.abc import Sequence

from rag.records import Passage

SYSTEM = "Answer the question in one short sentence. Use only the words of the sources."
_MAX_EVIDENCE_WORDS = 60
"""Keeps the prompt well under 200 tokens beyond the question; reading it is most of the wait for the first word."""


def answer_messages(question: str, evidence: Sequence[str]) -> list[dict[str, str]]:
    """The chat messages for one question: fixed system part first, so that its state can be cached.

    Args:
        question: standalone.
        evidence: sentences, best first; as many as fit are used, at least the first (shortened if need be).
    """
    lines: list[str] = []
    room = _MAX_EVIDENCE_WORDS
    for sentence in evidence:
        words = sentence.split()
        if lines and len(words) > room:
            break
        lines.append(" ".join(words[:_MAX_EVIDENCE_WORDS]))
        room -= len(words)
    sources = "\n".join(lines)
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"{sources}\n\nQuestion: {question}"}]


SYSTEM_FOR_PASSAGES = (
    "Answer the question in one to three sentences, from the numbered sources only. Keep to the sources' own words and "
    "shorten rather than reword. End each sentence with the number of its source, like [1]. If the sources do not "
    "answer, write: Not in the sources."
)
_MAX_PASSAGES = 5


def passage_messages(question: str, passages: Sequence[Passage]) -> list[dict[str, str]]:
    """The chat messages for models that can read more: the five best passages whole, with title and date."""
    sources = []
    for number, passage in enumerate(passages[:_MAX_PASSAGES], 1):
        about = ", ".join(
            filter(None, (passage.document.title, passage.document.publisher, passage.document.published))
        )
        sources.append(f"[{number}] {about}\n{' '.join(passage.text.split())}")
    text = "\n\n".join(sources)
    return [
        {"role": "system", "content": SYSTEM_FOR_PASSAGES},
        {"role": "user", "content": f"{text}\n\nQuestion: {question}"},
    ]


def refusal(missing_words: Sequence[str]) -> str:
    """What is said when the articles do not answer; names the words that were found nowhere."""
    if missing_words:
        missing = ", ".join(f"“{word}”" for word in missing_words)
        return (
            f"The articles do not say. Nothing in them mentions {missing}; the nearest passages are listed as sources."
        )
    return "The articles do not say. The nearest passages are listed as sources."
