"""All prompt text. Short on purpose: a small model reads slowly and loses the thread in long prompts."""

from collections.abc import Sequence

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


def refusal(missing_words: Sequence[str]) -> str:
    """What is said when the articles do not answer; names the words that were found nowhere."""
    if missing_words:
        missing = ", ".join(f"“{word}”" for word in missing_words)
        return (
            f"The articles do not say. Nothing in them mentions {missing}; the nearest passages are listed as sources."
        )
    return "The articles do not say. The nearest passages are listed as sources."
