"""Follow-up questions → candidate standalone questions, without a language model.

"How long was his mission?" after a question on Aidyn Aimbetov becomes "How long was Aidyn Aimbetov's mission?".
Which of several candidates was meant is decided by the flow: the likeliest one that the articles answer well.
"""

import re
from collections.abc import Iterator, Sequence

from rag.records import Turn
from rag.wording import FUNCTION_WORDS, MONTHS, content_stems, names, tokens

MAX_CANDIDATES = 6

_PERSONAL = re.compile(r"\b(he|she|him|his|her|hers)\b", re.IGNORECASE)
_THING = re.compile(
    r"\b(it|its|this|that one|this one)\b|\b(?:(?<=is )|(?<=was ))that(?= (?:in|on|at|near|a|an|the)\b)", re.IGNORECASE
)
_PLURAL = re.compile(r"\b(they|them|their|theirs|these|those)\b", re.IGNORECASE)
_PLACE = re.compile(r"\b(there)\b(?! (?:is|are|was|were|any|be|a)\b)", re.IGNORECASE)
_DEMONSTRATIVE = re.compile(
    r"\b(?:this|that|these|those|the same|the other)"
    r" (mission|flight|station|agreement|treaty|crew|country|countries|agency|project|programme|program|year|event|"
    r"module|spacecraft|launch|person|astronaut|cosmonaut|law|partner|partners|plan|company|rover|probe)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"^(?:(?:in|on|at|by|for|with|since|until|to) )?(?:wh\w+|how|do|does|did|is|are|was|were|has|have|can)\b", re.I
)
_STATES = re.compile(r"(?:he|she|it|they|that|this)\b", re.IGNORECASE)
_REFERS = re.compile(
    r"\b(?:he|she|him|his|her|it|its|they|them|their|(?:is|was|does|did) (?:this|that))\b", re.IGNORECASE
)
_POSSESSIVE = frozenset({"his", "its", "their", "theirs", "hers"})
_ELLIPTIC = re.compile(r"^\s*(?:and|but|so|or|then|what about|how about|also)\b[\s,]*", re.IGNORECASE)
_BARE = re.compile(
    r"^\s*(?:why|when|where|who|how|how (?:long|many|much|so|come)|which (?:one|ones)|since when)\W*$", re.I
)
_NAME_RUN = re.compile(
    r"(?:(?:[A-Z]\.){1,4}|[A-Z][\w’']*)(?:(?:[-–— ]| of the | of | for )(?:(?:[A-Z]\.){1,4}|[A-Z][\w’']*|\d[\w-]*))*"
)
_MARKER = re.compile(r"(?<!\s)\s*\[\d+\]")


def needs_history(question: str) -> bool:
    """Whether a question cannot be understood alone: pronouns without a name, or only half a sentence."""
    if _BARE.match(question) or _ELLIPTIC.match(question):
        return True
    if _PERSONAL.search(question) or _THING.search(question) or _PLURAL.search(question):
        return not _resolves_itself(question)
    if _PLACE.search(question) or _DEMONSTRATIVE.search(question):
        return not _resolves_itself(question)
    return len(content_stems(question)) <= 2 and not names(_without_opening(question))


def candidates(question: str, history: Sequence[Turn]) -> list[str]:
    """Standalone readings of a question, likeliest first; just the question when it needs no history.

    Args:
        question: as typed.
        history: earlier turns, oldest first; only their last six are looked at.
    """
    recent = list(history)[-6:]
    if not recent or not needs_history(question):
        return [question]
    found: list[str] = []
    for candidate in _readings(question.strip(), recent):
        if candidate not in found:
            found.append(candidate)
        if len(found) == MAX_CANDIDATES:
            break
    return found or [question]


def topics(text: str) -> list[str]:
    """Names in a text, as noun phrases, in order: "Apollo–Soyuz Test Project", "Salyut 1", "Aidyn Aimbetov"."""
    found: list[str] = []
    for match in _NAME_RUN.finditer(_MARKER.sub("", text)):
        phrase = re.sub(r"(?:['’]s|[.,'’])+$", "", match.group())
        parts = phrase.split()
        while parts and parts[0].lower() in FUNCTION_WORDS | {"which", "how"}:
            parts.pop(0)
        if parts and parts[0].lower() not in MONTHS and not parts[0].isdigit():
            phrase = " ".join(parts)
            if phrase not in found:
                found.append(phrase)
    return found


def _readings(question: str, history: Sequence[Turn]) -> Iterator[str]:
    questions = [turn.content for turn in reversed(history) if turn.role == "user"]
    answers = [turn.content for turn in reversed(history) if turn.role == "assistant"]
    last_question = questions[0] if questions else ""
    asked = [topic for text in questions for topic in topics(text)]
    told = [topic for text in answers for topic in topics(text)]
    beside = _beside_pronouns(questions)
    mentioned = topics(question)
    meant = [topic for topic in [*asked, *told] if topic not in mentioned]
    meant.sort(key=lambda topic: topic in beside)
    people = [topic for topic in meant if _like_a_person(topic)]
    if _BARE.match(question):
        yield f"{question.rstrip(' ?')} {_lowered(_without_opening(last_question))}"
        if answers:  # "Why?" mostly asks for the reason of what was just said
            yield f"{question.rstrip(' ?')}: {_MARKER.sub('', answers[0]).rstrip(' .')}?"
        for topic in asked:
            yield f"{question.rstrip(' ?')}: {topic}?"
        return
    elliptic = _ELLIPTIC.match(question)
    rest = question[elliptic.end() :].strip(" ?") if elliptic else ""
    if rest and not _ASKS.search(rest) and not _STATES.match(rest):
        for topic in asked:
            if topic in last_question:
                yield last_question.replace(topic, rest)
        yield f"{last_question.rstrip(' ?')}: {rest}?"
        return
    body = question[elliptic.end() :] if elliptic else question
    body = body[:1].upper() + body[1:]
    for pattern, choices in (
        (_PERSONAL, people),
        (_DEMONSTRATIVE, meant),
        (_THING, meant),
        (_PLURAL, meant),
        (_PLACE, meant),
    ):
        if pattern.search(body):
            together = _listed(answers[0]) if answers and pattern is _PLURAL else None
            for topic in [together, *choices] if together else choices:
                match = pattern.search(body)
                assert match is not None
                yield body[: match.start()] + _in_place_of(match, topic) + body[match.end() :]
            if pattern is _PERSONAL and people:
                return  # left as it is, "he" could be anyone of whom the articles tell something similar
            break
    if len(content_stems(body)) >= 4:  # long enough to mean something by itself
        yield body
    # Where nothing can be put in place, the earlier topics beside the question still find the right passages.
    context = topics(last_question)[:3] or asked[:1] or list(dict.fromkeys(_content_words(last_question)))
    if context:
        yield f"{body} ({', '.join(context)})"
    if told:
        yield f"{body} ({told[0]})"


def _beside_pronouns(questions: Sequence[str]) -> list[str]:
    """Names in questions that go on about something else: "So it belongs to Kazakhstan?" is not about Kazakhstan."""
    found = [(text, match) for text in questions if (match := _REFERS.search(text))]
    return [
        topic for text, match in found for topic in topics(text) if not topics(_without_opening(text[: match.start()]))
    ]


def _in_place_of(match: re.Match[str], topic: str) -> str:
    if len(match.groups()) and match.re is _DEMONSTRATIVE:
        return f"the {topic} {match.group(1)}"
    possessive = match.group().lower() in _POSSESSIVE
    following = match.string[match.end() :].lstrip()
    if match.group().lower() == "her" and re.match(r"[a-z]+", following):
        possessive = following.split()[0].strip("?.,") not in FUNCTION_WORDS
    return f"{topic}’s" if possessive else topic


def _resolves_itself(question: str) -> bool:
    """ "When did Tim Peake land and how long was his flight?" names what its pronoun means before it."""
    pronoun = min(
        (
            match.start()
            for pattern in (_PERSONAL, _THING, _PLURAL, _PLACE, _DEMONSTRATIVE)
            if (match := pattern.search(question))
        ),
        default=len(question),
    )
    return bool(topics(_without_opening(question[:pronoun])))


def _without_opening(question: str) -> str:
    """The question behind its question word, whose capital is no name's."""
    parts = question.strip().split(maxsplit=1)
    if parts and parts[0].lower().strip(",") in FUNCTION_WORDS:
        return parts[1] if len(parts) > 1 else ""
    return question.strip()


def _like_a_person(topic: str) -> bool:
    parts = topic.split()
    return 2 <= len(parts) <= 4 and all(re.fullmatch(r"[A-Z][\w'’]+(?:-[A-Z]\w+)*", part) for part in parts)


def _listed(answer: str) -> str | None:
    """ "A, B and C": the people that an answer names together, which "they" then means."""
    people = [topic for topic in topics(answer) if _like_a_person(topic)][:4]
    return f"{', '.join(people[:-1])} and {people[-1]}" if len(people) > 1 else None


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:] if text[:2].istitle() and not text[:2].isupper() else text


def _content_words(text: str) -> list[str]:
    return [word for word in tokens(text) if word.lower() not in FUNCTION_WORDS]
