"""Compound questions → their parts: "When did Salyut 6 fall, and when did Mir?" asks two things.

Each part is looked up by itself, since no single sentence answers both.
"""

import re

from rag.wording import content_stems, names, tokens

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
    """How a later part can be meant: by itself, or with what the first one said of its own subject.

    "When did India?" after "When did Canada launch its first satellite?" asks for a launch of a first satellite.
    """
    named = {word.lower() for word in names(first)} | {word.lower() for word in tokens(part)}
    left = [word for word in tokens(first) if word.lower() not in named and content_stems(word)]
    return [part, f"{part} ({' '.join(left)})"] if left else [part]
