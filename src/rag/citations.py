"""Evidence → numbered citations, and markers in text. Numbers are given by us, never by a model."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from rag.records import AnswerSentence, Citation, Document, Evidence

_LIKE_A_MARKER = re.compile(r"\[(\d[\d\s,;–-]*)\]")


def number_citations(
    evidence: Sequence[Evidence], copies: Callable[[str], Sequence[Document]] = lambda id: ()
) -> tuple[Citation, ...]:
    """Number the evidence from 1 in the order given; each quote is cut from the document here and only here.

    Args:
        evidence: what is cited.
        copies: gives the other copies of the document with this id.
    """
    return tuple(
        Citation(
            number=number,
            document=item.document.id,
            title=item.document.title,
            path=item.document.path,
            url=item.document.url,
            publisher=item.document.publisher,
            published=item.document.published,
            start=item.start,
            end=item.end,
            quote=item.text,
            place=place(item.document, item.start),
            also_in=tuple(
                copy.path
                for copy in copies(item.document.id)
                if " ".join(item.text.split()) in " ".join(copy.text.split())
            ),
        )
        for number, item in enumerate(evidence, 1)
    )


def place(document: Document, offset: int) -> str | None:
    """Label of the page or other part that an offset lies in; ``None`` where the document has none before it."""
    before = bisect_right(document.anchors, offset, key=lambda anchor: anchor[0])
    return document.anchors[before - 1][1] if before else None


def with_markers(sentences: Iterable[AnswerSentence]) -> str:
    """The answer as one text: each sentence with its markers before its final punctuation, and its date if it has one.

    An ellipsis stands for what a quote leaves out of its sentence. What an article wrote like a marker of ours stands in
    parentheses: "[7]" in a quote would name a source that did not say it.
    """
    return " ".join(_marked(sentence) for sentence in sentences)


def _marked(sentence: AnswerSentence) -> str:
    markers = "".join(f" [{number}]" for number in sentence.citations)
    text = _LIKE_A_MARKER.sub(r"(\1)", sentence.shown.rstrip())
    body = f"As of {sentence.as_of}: {text}" if sentence.as_of else text
    if body.endswith(" …"):
        return f"{body[:-2]}{markers} …"
    if body.endswith((".", "!", "?", "…")):
        return f"{body[:-1]}{markers}{body[-1]}"
    return f"{body}{markers}"
