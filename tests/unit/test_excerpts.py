"""A long sentence is cut to an exact part of itself: whole clauses where they fit, and always the answer."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag.excerpts import excerpt

LONG = (
    "After nine years of talks, the two agencies agreed in Paris (without a treaty) to build a station: "
    "Russia gave the core, the others paid; it flew in 1998 – later than planned."
)


def cut(text: str, words: int, answer: str = "") -> str:
    """The excerpt of a whole text, around the first place where the answer stands."""
    start = text.index(answer)
    low, high = excerpt(text, 0, len(text), words, (start, start + len(answer)) if answer else None)
    return text[low:high]


@pytest.mark.parametrize(
    ("words", "answer", "expected"),
    [
        (5, "", "After nine years of talks,"),
        (12, "", "After nine years of talks, the two agencies agreed in Paris"),
        (7, "Russia", "Russia gave the core, the others paid;"),
        (4, "Russia", "Russia gave the core,"),
        (12, "others", "to build a station: Russia gave the core, the others paid;"),
        (3, "others", "the others paid;"),
        (4, "1998", "it flew in 1998"),
        (3, "treaty", "(without a treaty)"),
        (8, "treaty", "(without a treaty) to build a station:"),
        (5, "planned", "– later than planned."),
        (1, "planned", "planned."),
        (2, "agencies agreed", "agencies agreed"),
        (8, "gave the core, the others", "Russia gave the core, the others paid;"),
    ],
)
def test_whole_clauses_around_the_answer_are_kept(words: int, answer: str, expected: str) -> None:
    assert cut(LONG, words, answer) == expected


def test_of_equally_long_runs_the_first_is_kept() -> None:
    assert cut("One two, three four, five six.", 4, "three") == "One two, three four,"


PLAIN = "a b c d e f g h i j"


@pytest.mark.parametrize(
    ("words", "answer", "expected"),
    [
        (3, "", "a b c"),
        (3, "a", "a b c"),
        (3, "e", "d e f"),
        (4, "e f", "d e f g"),
        (3, "j", "h i j"),
        (1, "e", "e"),
        (10, "e", PLAIN),
        (99, "", PLAIN),
    ],
)
def test_without_a_boundary_words_around_the_answer_are_kept(words: int, answer: str, expected: str) -> None:
    assert cut(PLAIN, words, answer) == expected


@pytest.mark.parametrize("answer", ["c d e f g h", "a b c d", "f g h i j", PLAIN])
def test_an_answer_longer_than_allowed_is_kept_whole(answer: str) -> None:
    assert cut(PLAIN, 3, answer) == answer


def test_offsets_are_those_of_the_document() -> None:
    text = f"Before it, all was quiet. {LONG} And after, too."
    start = text.index(LONG)
    answer = text.index("1998")
    low, high = excerpt(text, start, start + len(LONG), 4, (answer, answer + 4))
    assert text[low:high] == "it flew in 1998"
    assert excerpt(text, start, start + len(LONG), 99) == (start, start + len(LONG))


@pytest.mark.parametrize("answer", ["Before it", "And after", "quiet. After"])
def test_an_answer_outside_the_sentence_is_none(answer: str) -> None:
    text = f"Before it, all was quiet. {LONG} And after, too."
    start, place = text.index(LONG), text.index(answer)
    low, high = excerpt(text, start, start + len(LONG), 5, (place, place + len(answer)))
    assert text[low:high] == "After nine years of talks,"


WORD = st.text("abé1,;:–—()“.", min_size=1, max_size=6)


@st.composite
def sentences(draw: st.DrawFn) -> tuple[str, int, int, tuple[int, int] | None]:
    """A text, the place of a sentence in it, and some characters of the sentence from one word to another."""
    words = draw(st.lists(WORD, min_size=1, max_size=25))
    gaps = draw(
        st.lists(st.sampled_from([" ", "  ", "\n", "\u00a0", "\r\n"]), min_size=len(words), max_size=len(words))
    )
    sentence = "".join(map("".join, zip(words, gaps, strict=True))).strip()
    before = draw(st.sampled_from(["", "Some (words, before. "]))
    spots = [place for place, char in enumerate(sentence) if not char.isspace()]
    first, last = sorted((draw(st.sampled_from(spots)), draw(st.sampled_from(spots))))
    answer = (len(before) + first, len(before) + last + 1) if draw(st.booleans()) else None
    return f"{before}{sentence} And after.", len(before), len(before) + len(sentence), answer


@given(sentences(), st.integers(1, 30))
@example(("a b c d e", 0, 9, (0, 9)), 2)
@example(("a b, c d e", 0, 10, (0, 6)), 2)
def test_an_excerpt_is_exact_short_and_holds_the_answer(
    place: tuple[str, int, int, tuple[int, int] | None], words: int
) -> None:
    text, start, end, answer = place
    low, high = excerpt(text, start, end, words, answer)
    assert start <= low < high <= end
    kept, sentence = text[low:high], text[start:end]
    assert kept == kept.strip()
    assert low == start or text[low - 1].isspace(), "it begins in the middle of a word"
    assert high == end or text[high].isspace(), "it ends in the middle of a word"
    needed = 0
    if answer:
        assert low <= answer[0]
        assert answer[1] <= high
        needed = len(text[answer[0] : answer[1]].split())
    assert len(kept.split()) <= max(words, needed)
    if len(sentence.split()) <= words:
        assert kept == sentence
