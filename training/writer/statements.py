"""Rules that turn a simple question and its short answer into a statement: "When was X launched?" → "X was launched in …".

Only frequent patterns, and only where the sentence that answers shows the verb's form and the preposition.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from english import (
    AUXILIARIES,
    DETERMINERS,
    PREPOSITIONS,
    PRONOUNS,
    capitalised,
    has_verb,
    is_finite,
    is_participle,
    past,
    third_person,
)

from rag.wording import FUNCTION_WORDS, content_stems

_BE = frozenset("is are was were".split())
_HAVE = frozenset("has have had".split())
_DO = frozenset("did does do".split())
_WHEN = re.compile(r"(?:when|(?:in |on |during )?(?:what|which) (?:year|date|month|day|decade|century))\b", re.I)
_YEAR = re.compile(r"(?:[A-Z][a-z]+ )?(?:of )?\d{4}")
_BEFORE = re.compile(
    r"\b(in|on|at|by|during|since|from|between|near|around|about|until|after|before|over|under|across|throughout|within|for|to)"
    r"((?: the| a| an| early| late| mid| approximately| around| about)*) ?$",
    re.I,
)
_UNFIT = re.compile(r"\b(?:names?|called|kinds?|types?|another|examples?|evidence|to|\w+ed|\w+ing)\b")
"""Words in the rest of "What is …?" that make another question of it than "What equals …?"."""
_CLASSES = frozenset(
    "type types kind kinds sort part way term word name age color colour else percentage example".split()
)
"""After "what", these ask for a word or phrase that does not take their place in a statement."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question taken apart: "was X launched in Y" → ``X``, ``was launched``, ``in Y``."""

    subject: str
    verb: str
    rest: str


def statements(question: str, answer: str, sentence: str, start: int) -> Iterator[tuple[str, str]]:
    """Statements that answer, each with the name of its rule; most are good, which is for the checker to say.

    Args:
        question: as asked.
        answer: the span.
        sentence: the evidence that holds the span.
        start: where the span begins in it.
    """
    words = _words(question)
    answer = answer.strip(" .,;:")
    if len(words) < 3 or not answer or has_verb(answer):
        return
    first, second = words[0].lower(), words[1].lower()
    placed = _with_preposition(_lowered(answer, start), sentence, start)
    whole_phrase = not _goes_on(sentence[start + len(answer) :]) and not _begins_earlier(answer, sentence[:start])
    count, answer = _lowered(answer, start), _with_determiner(answer, sentence, start)
    when = _WHEN.match(" ".join(words))
    if when or first == "where":
        rest = words[len(when.group().split()) if when else 1 :]
        if placed and (text := _adverbial(rest, placed, sentence)):
            yield "when-where", text
    elif first == "how" and second == "many":
        yield from (("how-many", text) for text in _how_many(words[2:], count, sentence))
    elif not whole_phrase or first not in {"who", "what", "which"}:
        return
    elif second in _BE:
        yield from (("be", text) for text in _identity(words[1:], answer, sentence))
    elif second in _DO:
        yield from (("object", text) for text in _object(words[1:], answer, sentence))
    elif first == "who":
        if second in _said(sentence):
            yield "who", _sentence(answer, *words[1:])
    else:
        yield from (("which", text) for text in _which(words[1:], answer, sentence))


def subject_asked_about(question: str, predicate: str) -> str | None:
    """The subject of a question of which a predicate says something with the question's verb, if that can be told.

    "When was Salyut 1 launched?" and "was launched on 19 April" → "Salyut 1".
    """
    words = _words(question)
    begins = set(content_stems(" ".join(predicate.split()[:3])))
    for i, word in enumerate(words[1:6], 1):
        if word.lower() not in AUXILIARIES:
            continue
        for j in range(i + 2, len(words)):
            if begins & set(content_stems(words[j])) and words[j - 1].lower() not in DETERMINERS | PREPOSITIONS:
                subject = " ".join(words[i + 1 : j])
                named = subject[0].isupper() or subject.startswith("the ")
                return subject if named and not subject.endswith("ly") else None
        return None
    return None


def _words(question: str) -> list[str]:
    return re.sub(r"[?\s]+$", "", question).split()


def _said(sentence: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[\w'’-]+", sentence)}


def _split(words: Sequence[str], sentence: str) -> Asked | None:
    """Part "was X launched in Y" after X: at the verb form that stands in the sentence."""
    if len(words) < 3:
        return None
    helper = words[0].lower()
    for i in range(2, len(words)):
        word, before = words[i].lower(), words[i - 1].lower()
        after = words[i + 1].lower() if i + 1 < len(words) else "in"
        form = _form(helper, word, after, sentence)
        if form is None or before in DETERMINERS | PREPOSITIONS or before.endswith(("'s", "’s")):
            continue
        *nouns, last = words[1:i]
        if nouns and (last.endswith("ly") or last in {"often", "never", "always", "also", "not", "first", "now"}):
            *auxiliary, verb = form.split()
            nouns, form = nouns, " ".join([*auxiliary, last, verb])
        else:
            nouns = [*nouns, last]
        subject = " ".join(nouns)
        if subject.lower() not in PRONOUNS and not subject.endswith("ly"):
            return Asked(subject, form, " ".join(words[i + 1 :]))
    return None


def _form(helper: str, word: str, after: str, sentence: str) -> str | None:
    """The verb of a statement, from the helping verb of a question and a word that may be its verb."""
    said = _said(sentence)
    if helper in _BE:
        seen = re.search(rf"\b(is|are|was|were) (?:\w+ly )?{re.escape(word)}\b", sentence)
        goes_on = word.endswith("ing") and seen and after in DETERMINERS | PREPOSITIONS
        fits = goes_on or (is_participle(word) and word in said)
        return f"{helper} {word}" if fits and (not seen or seen.group(1) == helper) else None
    if helper in _HAVE:
        return f"{helper} {word}" if is_participle(word) and word in said else None
    if helper in _DO:
        form = {"did": past(word), "does": third_person(word), "do": word}[helper]
        fits = word not in PREPOSITIONS and (helper != "do" or is_finite(word))
        return form if fits and form in said else None
    return f"{helper} {word}" if f" {helper} {word} " in sentence else None


def _adverbial(words: Sequence[str], placed: str, sentence: str) -> str | None:
    """The words "was X launched" and "in 1971" → "X was launched in 1971"."""
    asked = _split(words, sentence)
    if asked:
        return _sentence(asked.subject, asked.verb, asked.rest, placed)
    is_name = all(word[0].isupper() or word.lower() in DETERMINERS | {"of"} for word in words[1:])
    if words and words[0].lower() in _BE and is_name:
        return _sentence(*words[1:], words[0], placed)
    return None


def _identity(words: Sequence[str], answer: str, sentence: str) -> Iterator[str]:
    """The words "was the first president" and "X" → "X was the first president" and the other way round."""
    asked = _split(words, sentence)
    if asked:
        if not asked.rest or asked.rest.split()[-1].lower() in PREPOSITIONS:
            yield _sentence(asked.subject, asked.verb, asked.rest, answer)
        return
    rest = " ".join(words[1:])
    if _UNFIT.search(rest) or any(is_finite(word) for word in words[1:]) or words[-1].lower() in PREPOSITIONS:
        return
    if answer.split()[0] not in {"a", "an", "when", "how", "that"}:
        yield _sentence(answer, words[0], rest)
    if answer.split()[0] not in {"when", "how"}:
        yield _sentence(rest, words[0], answer)


def _object(words: Sequence[str], answer: str, sentence: str) -> Iterator[str]:
    """The words "did X launch in 1971" and "a station" → "X launched a station in 1971"."""
    asked = _split(words, sentence)
    if asked and asked.rest.lower() in PREPOSITIONS:
        yield _sentence(asked.subject, asked.verb, asked.rest, answer)
    elif asked and (not asked.rest or asked.rest.split()[0].lower() in PREPOSITIONS):
        yield _sentence(asked.subject, asked.verb, answer, asked.rest)


def _which(words: Sequence[str], answer: str, sentence: str) -> Iterator[str]:
    """The words "company launched X" and "Y" → "Y launched X"."""
    if words[0].lower() in _CLASSES | PREPOSITIONS:
        return
    for i, word in enumerate(words[:4]):
        lowered = word.lower()
        if lowered in _DO and i:
            yield from _object(words[i:], answer, sentence)
            return
        if is_finite(word) or (i == 0 and word.endswith("s")):
            if lowered not in _said(sentence) or i + 1 == len(words) or (" and " in answer and lowered.endswith("s")):
                return
            asked = _split(words[i:], sentence) if lowered in AUXILIARIES else None
            if asked is None:
                yield _sentence(answer, *words[i:])
            elif not asked.rest or asked.rest.lower() in PREPOSITIONS:
                yield _sentence(asked.subject, asked.verb, asked.rest, answer)
            return


def _how_many(words: Sequence[str], answer: str, sentence: str) -> Iterator[str]:
    """The words "people died in Z" and "five" → "five people died in Z"; "medals did X win" → "X won five medals"."""
    for i, word in enumerate(words[:6]):
        lowered = word.lower()
        if not i or not is_finite(word):
            continue
        things = " ".join(words[:i])
        is_said = things.split()[-1].lower().rstrip("s") in answer.lower()
        counted = answer if is_said else f"{answer} {things}"
        if lowered in AUXILIARIES and len(words) > i + 1 and words[i + 1].lower() == "there":
            yield _sentence("there", lowered, counted, *words[i + 2 :])
        elif lowered in AUXILIARIES and (asked := _split(words[i:], sentence)):
            yield _sentence(asked.subject, asked.verb, counted, asked.rest)
        elif lowered not in _DO:
            yield _sentence(counted, *words[i:])
        return


def _goes_on(following: str) -> bool:
    """Whether the noun phrase of a span goes on after it: "low" of "its low cost", "Aristotle" of "Aristotle's work"."""
    match = re.match(r"['’]s\b|\w|[ -]([a-z][\w-]*)", following)
    if not match:
        return False
    word = match.group(1)
    ends = word and (word in FUNCTION_WORDS or is_finite(word) or is_participle(word) or word.endswith(("ing", "ly")))
    return not ends


def _begins_earlier(answer: str, before: str) -> bool:
    """Whether a span is the end of a noun phrase: "page" of "the hacked page"."""
    last = re.search(r"([a-z]+) $", before)
    return answer[0].islower() and bool(last) and last.group(1) not in FUNCTION_WORDS


def _with_preposition(answer: str, sentence: str, start: int) -> str | None:
    """A time or place with the preposition that the sentence gives it."""
    if answer.split()[0].lower() in PREPOSITIONS:
        return answer
    if match := _BEFORE.search(sentence[:start]):
        return " ".join((match.group(1).lower() + match.group(2) + " " + answer).split())
    return f"in {answer}" if _YEAR.fullmatch(answer) else None


def _with_determiner(answer: str, sentence: str, start: int) -> str:
    """The span with the article or possessive before it, which annotators leave out: "court" → "the court"."""
    before = sentence[:start].split()
    determiner = before[-1].lower() if before else ""
    if sentence[start - 1 : start] == " " and determiner in {"the", "a", "an", "its", "their", "his", "her"}:
        return f"{determiner} {answer}"
    return _lowered(answer, start)


def _lowered(answer: str, start: int) -> str:
    """The span as it is inside a sentence: what opens the evidence has a capital that may not be its own."""
    first = answer.split()[0].lower()
    opens = start == 0 and first in DETERMINERS | PREPOSITIONS | PRONOUNS | {
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
    }
    return answer[:1].lower() + answer[1:] if opens else answer


def _sentence(*parts: str) -> str:
    text = " ".join(" ".join(part for part in parts if part).split())
    return capitalised(text.rstrip(".,;")) + "."
