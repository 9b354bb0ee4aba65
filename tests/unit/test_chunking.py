"""Chunks hold whole sentences, in order, up to the limit, and a section begins a new one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.chunking import pack_chunks
from rag.records import Chunk, Sentence
from rag.sentences import split_sentences


def lines(*quotes: str) -> tuple[str, list[Sentence]]:
    """A text of one sentence a line, and its sentences."""
    sentences = []
    start = 0
    for quote in quotes:
        sentences.append(Sentence(start, start + len(quote), True))
        start += len(quote) + 1
    return "\n".join(quotes), sentences


def packed(quotes: list[str], tokens: list[int], limit: int) -> list[list[str]]:
    text, sentences = lines(*quotes)
    chunks = pack_chunks(text, sentences, tokens, limit)
    return [text[chunk.start : chunk.end].split("\n") for chunk in chunks]


@pytest.mark.parametrize(
    ("tokens", "limit", "expected"),
    [
        ([3, 3, 3, 3], 6, [["A.", "B."], ["C.", "D."]]),
        ([3, 3, 3, 3], 5, [["A."], ["B."], ["C."], ["D."]]),
        ([3, 3, 3, 3], 12, [["A.", "B.", "C.", "D."]]),
        ([1, 9, 1, 1], 6, [["A."], ["B."], ["C.", "D."]]),
    ],
    ids=["exactly full", "one short", "all in one", "a sentence beyond the limit stands alone"],
)
def test_chunks_are_filled_up_to_the_limit(tokens: list[int], limit: int, expected: list[list[str]]) -> None:
    assert packed(["A.", "B.", "C.", "D."], tokens, limit) == expected


def test_a_heading_opens_a_chunk() -> None:
    quotes = ["Before.", "# Mir", "It flew.", "## Crew", "They flew."]
    assert packed(quotes, [1] * 5, 100) == [["Before."], ["# Mir", "It flew."], ["## Crew", "They flew."]]


def test_headings_in_a_row_stay_with_the_text_below_them() -> None:
    assert packed(["# Mir", "## Crew", "They flew."], [1] * 3, 100) == [["# Mir", "## Crew", "They flew."]]


def test_a_heading_is_not_parted_from_its_first_sentence() -> None:
    assert packed(["# Mir", "It flew.", "It fell."], [2, 9, 2], 10) == [["# Mir", "It flew."], ["It fell."]]


def test_a_text_without_sentences_has_no_chunks() -> None:
    assert pack_chunks("", [], [], 10) == []


def test_each_sentence_needs_its_length() -> None:
    text, sentences = lines("A.", "B.")
    with pytest.raises(ValueError, match="shorter"):
        pack_chunks(text, sentences, [1], 10)


def test_offsets_are_those_of_the_document() -> None:
    text = "---\ntitle: Mir\n---\n\n# Mir\n\nMir flew in 1986. It fell in 2001.\n"
    sentences = split_sentences(text, text.index("# Mir"))
    (chunk,) = pack_chunks(text, sentences, [1] * len(sentences), 10)
    assert text[chunk.start : chunk.end] == "# Mir\n\nMir flew in 1986. It fell in 2001."
    assert chunk.sentences == tuple(sentences)


@given(st.lists(st.integers(0, 12), max_size=40), st.integers(1, 20))
def test_no_sentence_is_lost_and_no_room_wasted(tokens: list[int], limit: int) -> None:
    text, sentences = lines(*(f"Sentence {number}." for number in range(len(tokens))))
    chunks: list[Chunk] = pack_chunks(text, sentences, tokens, limit)
    assert [sentence for chunk in chunks for sentence in chunk.sentences] == sentences
    length = dict(zip(sentences, tokens, strict=True))
    sizes = [sum(length[sentence] for sentence in chunk.sentences) for chunk in chunks]
    for position, (chunk, size) in enumerate(zip(chunks, sizes, strict=True)):
        assert (chunk.start, chunk.end) == (chunk.sentences[0].start, chunk.sentences[-1].end)
        assert size <= limit or len(chunk.sentences) == 1
        if position:
            assert sizes[position - 1] + length[chunk.sentences[0]] > limit
