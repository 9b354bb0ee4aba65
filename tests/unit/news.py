"""News-like texts with their boilerplate labelled by hand, between ⟦ and ⟧; see ``news_texts.txt``."""

import itertools
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class NewsText:
    """One labelled text."""

    name: str
    text: str
    boilerplate: tuple[tuple[int, int], ...]
    title: str | None
    author: str | None
    publisher: str | None
    published: str | None


@cache
def news_texts() -> tuple[NewsText, ...]:
    """All labelled texts in order."""
    parts = Path(__file__).with_name("news_texts.txt").read_text("utf-8").split("=== ")[1:]
    return tuple(_parsed(part) for part in parts)


def _parsed(part: str) -> NewsText:
    head, _, body = part.partition("---\n")
    name, *fields = head.strip().split("\n")
    values = {key: None if value == "None" else value for key, _, value in (field.partition(": ") for field in fields)}
    text, spans = "", []
    for piece in body.rstrip("\n").split("⟦"):
        marked, closed, rest = piece.partition("⟧")
        if closed:
            begin, end = len(text), len(text) + len(marked.rstrip())
            spans.append((begin, end))
            text += marked + rest
        else:
            text += piece
    return NewsText(
        name, text, tuple(spans), values["title"], values["author"], values["publisher"], values["published"]
    )


def line_counts(item: NewsText, marked: tuple[tuple[int, int], ...]) -> tuple[int, int, int]:
    """How many pieces of lines are rightly marked, wrongly marked, and missed.

    A piece is a line, or a part of one with a label of its own; it counts as marked if more than half of it is.
    """
    right = wrong = missed = 0
    at = 0
    for line in item.text.split("\n"):
        cuts = sorted(
            {at, at + len(line), *(cut for span in item.boilerplate for cut in span if at < cut < at + len(line))}
        )
        for begin, end in itertools.pairwise(cuts):
            if not item.text[begin:end].strip():
                continue
            labelled = any(a <= begin and end <= b for a, b in item.boilerplate)
            covered = sum(max(0, min(end, b) - max(begin, a)) for a, b in marked)
            found = 2 * covered > len(item.text[begin:end].strip())
            right += labelled and found
            wrong += found and not labelled
            missed += labelled and not found
        at += len(line) + 1
    return right, wrong, missed
