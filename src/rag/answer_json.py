"""Answers and passages as the JSON objects that the command line promises."""

from typing import Any

from rag.citations import place
from rag.records import Answer, Citation, Passage


def answer_object(answer: Answer, id: object = None) -> dict[str, Any]:
    """One answer object; ``id`` is handed through from a batch."""
    return {
        "id": id,
        "question": answer.question,
        "standalone_question": answer.standalone_question,
        "filter": answer.filter,
        "short_answer": answer.short_answer,
        "answer": answer.text,
        "refused": answer.refused,
        "confidence": round(answer.confidence, 4),
        "sentences": [
            {
                "text": sentence.text,
                "verdict": sentence.verdict,
                "citations": list(sentence.citations),
                "as_of": sentence.as_of,
            }
            for sentence in answer.sentences
        ],
        "unanswered": list(answer.unanswered),
        "citations": [_citation_object(citation) for citation in answer.citations],
        "retrieved": [
            {
                "document": passage.document.id,
                "start": passage.start,
                "end": passage.end,
                "score": round(passage.score, 4),
            }
            for passage in answer.retrieved
        ],
        "seconds": {name: round(value, 4) for name, value in answer.seconds.items()},
        "model": answer.model,
        "generation": answer.generation,
        "written": answer.written,
        "carried": answer.carried,
        "notice": answer.notice,
    }


def passage_object(passage: Passage) -> dict[str, Any]:
    """One search result."""
    document = passage.document
    return {
        "document": document.id,
        "title": document.title,
        "path": document.path,
        "url": document.url,
        "publisher": document.publisher,
        "published": document.published,
        "place": place(document, passage.start),
        "start": passage.start,
        "end": passage.end,
        "score": round(passage.score, 4),
        "text": passage.text,
    }


def _citation_object(citation: Citation) -> dict[str, Any]:
    return {
        "number": citation.number,
        "document": citation.document,
        "title": citation.title,
        "path": citation.path,
        "url": citation.url,
        "published": citation.published,
        "start": citation.start,
        "end": citation.end,
        "quote": citation.quote,
        "place": citation.place,
        "also_in": list(citation.also_in),
    }
