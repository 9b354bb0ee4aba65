"""Sentences → chunks: consecutive sentences that together fit the embedding model."""

from collections.abc import Sequence

from rag.records import Chunk, Sentence
from rag.sentences import is_heading


def pack_chunks(text: str, sentences: Sequence[Sentence], tokens: Sequence[int], limit: int) -> list[Chunk]:
    """Fill chunks in order up to ``limit`` tokens; a heading opens a new chunk, no sentence is split.

    Args:
        text: the document's text, which the sentences point into.
        sentences: in order.
        tokens: length of each sentence in tokens of the embedding model, without special tokens.
        limit: most tokens of a chunk. A single longer sentence becomes a chunk of its own.
    """
    chunks: list[Chunk] = []
    pending: list[Sentence] = []
    used = 0
    only_headings = True
    for sentence, length in zip(sentences, tokens, strict=True):
        heading = is_heading(text[sentence.start : sentence.end])
        full = used + length > limit
        # Headings stay with the sentence below them, unless they alone fill the chunk.
        if pending and ((heading and full) if only_headings else (heading or full)):
            chunks.append(_chunk(pending))
            pending, used, only_headings = [], 0, True
        pending.append(sentence)
        used += length
        only_headings = only_headings and heading
    if pending:
        chunks.append(_chunk(pending))
    return chunks


def _chunk(sentences: Sequence[Sentence]) -> Chunk:
    return Chunk(sentences[0].start, sentences[-1].end, tuple(sentences))
