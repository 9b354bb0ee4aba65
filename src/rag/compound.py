"""Compound questions → their parts: "When did Salyut 6 fall, and when did Mir?" asks two things.

Each part is looked up by itself, since no single sentence answers both.
"""

import re

from rag.followups import topics
from rag.wording import MONTHS, content_stems, names, tokens

MAX_PARTS = 3

_ASKS = r"(?:who|whom|whose|what|which|when|where|why|how)\b"
_BEFORE = r"(?:(?:in|on|at|by|from|to|up to|for|since|until|with|of|under|about)\s+)?"
_JOINT = re.compile(rf"(?:[,;]?\s+and|\s*[;?])\s+(?={_BEFORE}{_ASKS})", re.IGNORECASE)
_OPENS = re.compile(
    rf"^\W*(?:and|so|but)?\s*(?:{_BEFORE}{_ASKS}|(?:did|does|do|was|were|is|are|has|have|had|can|could|will)\b"
    rf"|[^,]{{0,30}}\bhow (?:many|much)\b)",
    re.IGNORECASE,
)
_SMALLEST = 2
"""Content words of a first part that asks something by itself: "When and where was he born?" is one question."""

_NAME_ALONE = re.compile(
    rf"{_BEFORE}({_ASKS})\s+(?:did|does|do|was|were|is|are|has|have|had|can|could|will|about)"
    r"\s+((?:the\s+)?[A-Z0-9][\w'’-]*(?:\s+[A-Z0-9][\w'’-]*)*)\?$"
)
"""All that a part asks about: "when did India?"."""
_OPENING = re.compile(rf"\W*{_BEFORE}({_ASKS})", re.IGNORECASE)


def parts(question: str) -> tuple[str, ...]:
    """The questions asked in one sentence, in order; just the question where it asks one thing.

    What does not open as a question keeps its relative clauses: "Name the man who flew, and who paid" is not split.
    """
    if not _OPENS.match(question):
        return (question,)
    found: list[str] = []
    for piece in _JOINT.split(question.strip(), maxsplit=MAX_PARTS - 1):
        if len(found) == 1 and len(content_stems(found[0])) < _SMALLEST:
            return (question,)
        found.append(piece.strip(" ,;?") + "?")
    if found[-1].endswith("each?"):  # asks about what the parts before it are about together
        return (question,)
    return tuple(found) if len(found) > 1 else (question,)


def readings(part: str, first: str) -> list[str]:
    """How a later part can be meant, likeliest first: by itself, or with what the first one said.

    "When did India?" after "When did Canada launch its first satellite?" asks the first question of India. A part that
    names nothing ("how many by 2025?") is about what the first one named.
    """
    found = [part]
    alike, opening = _NAME_ALONE.match(part), _OPENING.match(first)
    if alike and opening and alike.group(1).lower() == opening.group(1).lower():
        body = first[opening.end() :]
        found = [first[: opening.end()] + body.replace(name, alike.group(2), 1) for name in topics(body)[:1]] or found
    dateless = [name for name in names(part) if not name.isdigit() and name.lower() not in MONTHS]
    named = {word.lower() for word in names(first)} if dateless else set()
    known = named | {word.lower() for word in tokens(part)}
    left = [word for word in tokens(first) if word.lower() not in known and content_stems(word)]
    return [*found, f"{part} ({' '.join(left)})"] if left else found
