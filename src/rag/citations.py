"""Evidence → numbered citations, and markers in text. Numbers are given by us, never by a model."""

from collections.abc import Iterable, Sequence

from rag.records import AnswerSentence, Citation, Evidence


def number_citations(evidence: Sequence[Evidence]) -> tuple[Citation, ...]:
    """Number the evidence from 1 in the order given; each quote is cut from the document here and only here."""
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
        )
        for number, item in enumerate(evidence, 1)
    )


def with_markers(sentences: Iterable[AnswerSentence]) -> str:
    """The answer as one text: each sentence with its markers before its final punctuation, and its date if it has one."""
    return " ".join(_marked(sentence) for sentence in sentences)


def _marked(sentence: AnswerSentence) -> str:
    markers = "".join(f" [{number}]" for number in sentence.citations)
    body = f"As of {sentence.as_of}: {sentence.text}".rstrip() if sentence.as_of else sentence.text.rstrip()
    if body[-1:] in ".!?…":
        return f"{body[:-1]}{markers}{body[-1]}"
    return f"{body}{markers}"
