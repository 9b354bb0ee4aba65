"""Is a written sentence carried by its evidence? Decided by words and punctuation alone, so that anyone can follow it.

A sentence is carried by evidence that it quotes, or that it is a shortening of: the evidence with whole pieces left out,
none of which limits what is left (``shortening``), and no list broken off. That turns down many true rewordings. They are
replaced by the quote itself, which is always true to the source.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.records import Verdict
from rag.shortening import is_shortening
from rag.wording import content_stems, numbers, tokens

# Begins where a run of spaces does, and not inside it, or a long run would be looked through from each of its spaces.
_MARKER = re.compile(r"(?<!\s)\s*\[\d[\d, ]*\]")
_CLAUSE_END = re.compile(r"(?<!\s)(?:\s*\[\d[\d, ]*\])+[,;]?\s*")
_JOINS = re.compile(r"^(?:and|but) ")


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome for one sentence: how it is carried, and by which evidence (0-based)."""

    verdict: Verdict
    evidence: int


def check_sentence(sentence: str, evidence: Sequence[str], titles: Sequence[str], question: str) -> Check | None:
    """Find the first evidence sentence that carries ``sentence``; ``None`` if none does.

    Args:
        sentence: as written, without markers.
        evidence: the sentences it may be carried by, best first.
        titles: of the document of each evidence sentence.
        question: standalone.
    """
    for position, source in enumerate(evidence):
        if is_quoted(sentence, source):
            return Check("quoted", position)
    for position, (source, title) in enumerate(zip(evidence, titles, strict=True)):
        if is_carried(sentence, source, title, question):
            return Check("supported", position)
    return None


def may_be_carried(beginning: str, evidence: Sequence[str], titles: Sequence[str], question: str) -> bool:
    """Whether the words written so far leave a chance that the sentence will be carried.

    A word that stands in no evidence, title or question settles it early, so that nobody waits for the rest.
    The last word may be unfinished and is not looked at.
    """
    complete = beginning[: max(beginning.rfind(" "), 0)]
    known = set(content_stems(" ".join([*evidence, *titles, question])))
    return set(content_stems(complete)) <= known and set(numbers(complete)) <= set(
        numbers(" ".join([*evidence, question]))
    )


def is_quoted(sentence: str, source: str) -> bool:
    """Whether the sentence is the source sentence, but for white space and its closing punctuation."""
    return _plain(sentence) != "" and _plain(sentence) == _plain(source)


def check_clauses(written: str, evidence: Sequence[str], titles: Sequence[str], question: str) -> list[Check] | None:
    """Find what carries a sentence as it was written, with its markers, which are not believed.

    A sentence that no evidence carries whole may be carried clause by clause, where a clause ends at its marker.

    Returns:
        One check for the sentence, or one for each clause; ``None`` if anything is not carried.
    """
    whole = check_sentence(without_markers(written), evidence, titles, question)
    if whole is not None:
        return [whole]
    *clauses, rest = _CLAUSE_END.split(written)
    clauses = clauses[1:] if clauses and not clauses[0] else clauses
    if len(clauses) < 2 or tokens(rest):  # words after the last marker belong to no clause
        return None
    alone = [clauses[0], *(_JOINS.sub("", clause) for clause in clauses[1:])]
    checks = [check_sentence(" ".join(clause.split()), evidence, titles, question) for clause in alone]
    return None if None in checks else [check for check in checks if check]


def without_markers(written: str) -> str:
    """The words alone."""
    return " ".join(_MARKER.sub("", written).split())


def is_carried(sentence: str, source: str, title: str, question: str) -> bool:
    """Whether the sentence is the source with whole pieces left out, and says more than the question."""
    if not set(content_stems(sentence)) - set(content_stems(question)):
        return False
    return is_shortening(sentence, source, f"{question} {title}")


def _plain(text: str) -> str:
    return " ".join(text.split()).rstrip(".!\"'”’ ").lstrip("\"'“‘ ")
