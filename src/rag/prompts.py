"""All prompt text. Short on purpose: a small model reads slowly and loses the thread in long prompts."""

import re
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


_GLUE = """the a an of in on at by to for from with and was were is are has had been be it as that which who when after
before"""
_PRONOUN = re.compile(r"\W*(?:he|she|it|they|his|her|its|their)\b", re.IGNORECASE)


def answer_grammar(question: str, source: str, holding: str = "") -> str:
    """What an answer from one source may look like, in llama.cpp's GBNF: one sentence with its marker, no refusal.

    The words are those of the source and a few that join them; those of the question too, where the source opens with
    a pronoun in whose place a name may be put. Whether the source answers at all was decided before.

    Args:
        question: standalone.
        source: as in ``answer_messages``.
        holding: words of the source that the sentence must have; left out if they have brackets.
    """
    known = f"{source} {question}" if _PRONOUN.match(source) else source
    words = {form for word in [*known.split(), *_GLUE.split()] for form in _forms(word)}
    words.discard(NOT_IN_SOURCES.split()[0])
    held = plain(holding)
    first = f"text {_literal(held)} between+ text" if held and not re.search(r"[\[\]]", held) else "text"
    return "\n".join(
        (
            f'root ::= {first} "[1]."',
            "text ::= between* (word between+)*",
            "between ::= [ ,;:!?()\"“”‘’'%$€£–—-]",
            f"word ::= {' | '.join(map(_literal, sorted(words)))}",
        )
    )


def _forms(word: str) -> set[str]:
    """A word without what stands around it, large and small, and with its full stop if it may be an abbreviation."""
    bare = word.strip(".,;:!?\"'“”‘’()[]–—")
    if not bare or re.search(r"[\[\]]", bare):
        return set()
    found = {bare, f"{bare}."} if "." in word[:-1] or (len(bare) <= 3 and word.endswith(".")) else {bare}
    return found | {form[0].upper() + form[1:] for form in found} | {form[0].lower() + form[1:] for form in found}


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


SYSTEM_FOR_PASSAGES = (
    "Answer the question in one to three sentences, from the numbered sources only. Keep to the sources' own words and "
    "shorten rather than reword. End each sentence with the number of its source, like [1]. If the sources do not "
    f"answer, write: {NOT_IN_SOURCES}"
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
