"""Is a written sentence carried by its evidence? Decided by words alone, so that anyone can follow it.

A sentence is carried by one evidence sentence when it is a shortening of it: every content word and name
comes from the evidence, its title or the question (a name that only the question has stands in place of a pronoun);
every number from the evidence (or from a question that does not itself assert it); the shared words stand in the same
order; nothing that could change the meaning (a negation, a "may", a "planned", a competing name or number in between)
was left out. That turns down many true rewordings. They are replaced by the quote itself, which is always true to the
source.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.records import Verdict
from rag.wording import FUNCTION_WORDS, NUMBER_WORDS, content_stems, names, numbers, stem, stems, tokens

_MIN_IN_ORDER = 0.75

_NEGATIONS = frozenset("no not never none nothing nobody neither nor without cannot".split())
_CONTRACTED = ("n't", "n’t")
# Stems of words that limit, attribute or date a claim; leaving one out can turn it into another claim.
_LIMITS = frozenset(
    stem(word)
    for word in """may might could would should will plan plans planned proposed proposal consider considering expect
    expected intend intends hope hopes suggest suggested possible possibly probably likely unlikely want wants aim aims
    threaten threatened claim claimed alleged allegedly reportedly according said says told believe believed warned
    offered asked requested if unless until before after almost nearly about roughly around approximately least most
    only except former formerly once initially originally tried attempt attempted failed refused denied cancelled
    canceled postponed delayed scheduled target""".split()
)
_PRONOUN = re.compile(r"\W*(?:he|she|it|they|his|her|its|their|this|these|that|those)\b", re.IGNORECASE)
_OPENERS = frozenset("did does do was were is are has have had can could will would should may might".split())


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


def is_carried(sentence: str, source: str, title: str, question: str) -> bool:
    """Whether the sentence is a shortening of the source that keeps its meaning; see the module's text."""
    said, known = content_stems(sentence), content_stems(source)
    asked = set(content_stems(question))
    if not said or set(said) - set(known) - asked - set(content_stems(title)):
        return False
    if not set(said) - asked:  # it only says the question again
        return False
    if _names_another(sentence, source, title, question):
        return False
    if not _numbers_carried(sentence, source, question) or _negated(sentence) != _negated(source):
        return False
    if _limits(source) - _limits(sentence):
        return False
    shared = sum(word in set(known) for word in said)
    if shared == 0 or _in_order(said, known) < _MIN_IN_ORDER * shared:
        return False
    return not _skips_a_rival(sentence, source)


def _names_another(sentence: str, source: str, title: str, question: str) -> bool:
    """Whether a name that only the question has is put where the source names something else.

    "It fell in 2001" may become "Mir fell in 2001"; "Salyut 7 fell in 1991" may not.
    """
    foreign = {stem(name.lower()) for name in names(question)} - set(stems(source)) - set(stems(title))
    return bool(foreign & set(stems(sentence))) and not _PRONOUN.match(source)


def _plain(text: str) -> str:
    return " ".join(text.split()).rstrip(".!\"'”’ ").lstrip("\"'“‘ ")


def _numbers_carried(sentence: str, source: str, question: str) -> bool:
    asserts = (tokens(question.lower()) or [""])[0] in _OPENERS
    allowed = set(numbers(source)) | (set() if asserts else set(numbers(question)))
    spelt = set(stems(source)) | (set() if asserts else set(stems(question)))
    words = {token.lower() for token in tokens(sentence)} & NUMBER_WORDS
    return set(numbers(sentence)) <= allowed and all(stem(word) in spelt for word in words)


def _negated(text: str) -> bool:
    words = {token.lower() for token in tokens(text)}
    return bool(words & _NEGATIONS) or any(mark in text.lower() for mark in _CONTRACTED)


def _limits(text: str) -> frozenset[str]:
    return frozenset(stems(text)) & _LIMITS


def _skips_a_rival(sentence: str, source: str) -> bool:
    """Whether a name or number of the source that the sentence leaves out stands between words that it uses.

    "Salyut 1 flew in 1971 and Mir in 1986" must not become "Salyut 1 flew in 1986".
    """
    said = set(stems(sentence)) - set(map(stem, FUNCTION_WORDS))
    words = tokens(source)
    used = [position for position, word in enumerate(words) if stem(word.lower()) in said]
    if not used:
        return True
    for position in range(used[0], used[-1] + 1):
        word = words[position]
        is_name = word[0].isupper() and position > 0 and word.lower() not in FUNCTION_WORDS
        is_number = any(char.isdigit() for char in word) or word.lower() in NUMBER_WORDS
        if (is_name or is_number) and stem(word.lower()) not in said:
            return True
    return False


def _in_order(left: Sequence[str], right: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(right) + 1)
    for a in left:
        diagonal = 0
        for j, b in enumerate(right, 1):
            diagonal, row[j] = row[j], diagonal + 1 if a == b else max(row[j], row[j - 1])
    return row[-1]
