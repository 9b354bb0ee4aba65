"""Prose reads as it should, and every range of it leads back to the exact range of the document."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.prose import plain, prose
from rag.records import Document

HARD = [*list("ab -\n\t\r\xa0\xad\u200b\u200c\u200d\u202eﬁﬃ️é漢م🚀\U000e0067."), "-\n", "tion", "\r\n", " and "]


def document(text: str, boilerplate: tuple[tuple[int, int], ...] = ()) -> Document:
    return Document("d", "d.txt", text, 0, "", "Title", boilerplate=boilerplate)


def marked(labelled: str) -> Document:
    """A document with the boilerplate that stands between ⟦ and ⟧."""
    text, spans = "", []
    for piece in labelled.split("⟦"):
        inside, closed, rest = piece.partition("⟧")
        if closed:
            spans.append((len(text), len(text) + len(inside)))
        text += inside + rest
    return document(text, tuple(spans))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The coopera-\ntion went on.", "The cooperation went on."),
        ("The coopera-\r\n  tion went on.", "The cooperation went on."),
        ("A long-\nterm plan.", "A long-term plan."),
        ("A plan for the work-\nshop. The workshop opened.", "A plan for the workshop. The workshop opened."),
        ("The air-\nlock. An air-lock closed.", "The air-lock. An air-lock closed."),
        ("The salt was in sea-\nwater, sea and water.", "The salt was in sea-water, sea and water."),
        ("A self-\nish act.", "A selfish act."),
        ("two-\nand three-stage rockets", "two- and three-stage rockets"),
        ("pre- and post-war", "pre- and post-war"),
        ("Apollo-\nSoyuz flew T-\n11 days in 1975-\n76.", "Apollo-Soyuz flew T-11 days in 1975-76."),
        ("high- level talks of China- Russia on Mir- 2", "high-level talks of China-Russia on Mir-2"),
        ("coopera- tion was coopera- tive", "cooperation was cooperative"),
        ("It ended-\n\nAnother began", "It ended- Another began"),
        ("a - b", "a - b"),
    ],
    ids=[
        "parted word", "with indent", "compound", "written together elsewhere", "written apart elsewhere",
        "two words of the text", "ending", "hanging hyphen", "hanging hyphen in a line", "names and numbers",
        "space behind a hyphen", "parted word in a line", "paragraph end", "dash",
    ],
)  # fmt: skip
def test_hyphens_at_line_ends(text: str, expected: str) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the o\ufb03ce \ufb01led \ufb02at \ufb00 \ufb06", "the office filed flat ff st"),
        ("co\u00adoperation and coopera\u00ad\ntion", "cooperation and cooperation"),
        ("zero\u200bwidth \u200b space\ufeff", "zerowidth space"),
        ("user\u202etxt.exe\u202c \u2066here\u2069\u200f", "usertxt.exe here"),
        ("hid\U000e0068\U000e0069den", "hidden"),
        ("a\ufe0f\ufe01\ufe02b \U000e0101c", "a\ufe0fb c"),
        ("bell\x07 \x1b[31mred\x00", "bell [31mred"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क्\u200dष", "क्\u200dष"),
        ("👨\u200d👩\u200d👧 ❤\ufe0f\u200d🔥", "👨\u200d👩\u200d👧 ❤\ufe0f\u200d🔥"),
        ("Latin\u200cjoiner\u200d", "Latinjoiner"),
        ("  a\n\n b\t\u00a0c\u2028d ", "a b c d"),
    ],
    ids=[
        "ligatures", "soft hyphens", "zero width", "bidi", "tags", "variation selectors", "control", "Persian", "Hindi", "emoji",
        "joiners in Latin", "white space",
    ],
)  # fmt: skip
def test_what_nobody_sees_is_mended(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_boilerplate_is_left_out() -> None:
    source = marked("⟦OSLO (AP) —⟧ It rained.\n⟦Share⟧\n\nIt stopped. ⟦Advertisement⟧")
    found = prose(source, 0, len(source.text))
    assert found.text == "It rained. It stopped."
    begin = found.text.index("It stopped.")
    assert source.text[slice(*found.original(begin, len(found.text)))] == "It stopped."
    assert prose(source, 0, 8).text == ""
    assert prose(source, 3, 16).text == "It r"


def test_a_word_parted_by_a_running_head_is_joined() -> None:
    source = marked("Their coopera-\n\n⟦Annual Report 7⟧\n\ntion went on.")
    found = prose(source, 0, len(source.text))
    assert found.text == "Their cooperation went on."
    assert source.text[slice(*found.original(6, 17))].startswith("coopera-")
    assert found.original(6, 17)[1] == source.text.index(" went")


def test_a_repaired_character_counts_as_a_whole() -> None:
    source = document("An o\ufb03ce in\nspace")
    found = prose(source, 0, len(source.text))
    assert found.text == "An office in space"
    assert found.original(5, 6) == (4, 5)
    assert found.original(3, 9) == (3, 7)
    assert found.within(3, 7) == (3, 9)
    assert found.within(4, 5) == (4, 7)


def test_untouched_text_is_itself() -> None:
    source = document("One sentence. Another one.")
    found = prose(source, 4, 13)
    assert (found.text, found.original(0, 9), found.original(2, 4)) == ("sentence.", (4, 13), (6, 8))


def test_a_range_outside_the_prose_is_refused() -> None:
    found = prose(document("abc"), 0, 3)
    for start, end in [(-1, 2), (2, 1), (0, 4)]:
        with pytest.raises(ValueError, match="no range"):
            found.original(start, end)


@st.composite
def documents(draw: st.DrawFn) -> tuple[Document, int, int]:
    text = "".join(draw(st.lists(st.sampled_from(HARD), max_size=80)))
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6, unique=True)))
    spans = tuple((a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False))
    start = draw(st.integers(0, len(text)))
    return document(text, spans), start, draw(st.integers(start, len(text)))


@given(documents(), st.data())
def test_every_range_leads_back(drawn: tuple[Document, int, int], data: st.DataObject) -> None:
    source, start, end = drawn
    found = prose(source, start, end)
    assert found.text == found.text.strip()
    assert "  " not in found.text
    assert not any(char in found.text for char in "\n\t\r\u00a0\u00ad\u200b\u202e\ufb01\U000e0067")
    a = data.draw(st.integers(0, len(found.text)))
    b = data.draw(st.integers(a, len(found.text)))
    low, high = found.original(a, b)
    assert start <= low <= high <= max(end, start)
    assert (low < high) == (a < b)
    if a < b:
        first, last = found.within(low, high)
        assert first <= a
        assert b <= last
        for begin, stop in source.boilerplate:  # a space may stand for what was left out, a letter never does
            assert found.text[a] == " " or not begin <= low < stop
            assert found.text[b - 1] == " " or not begin < high <= stop
    for at, char in enumerate(found.text):
        one = found.original(at, at + 1)
        if one[1] - one[0] == 1 and not char.isspace() and source.text[one[0]].isascii():
            assert source.text[one[0]] == char


@given(documents())
def test_neighbours_do_not_overlap(drawn: tuple[Document, int, int]) -> None:
    source, start, end = drawn
    found = prose(source, start, end)
    spans = [found.original(at, at + 1) for at in range(len(found.text))]
    assert spans == sorted(spans)
    for (low, high), (next_low, next_high) in itertools.pairwise(spans):
        assert high <= next_low or (low, high) == (next_low, next_high)


@pytest.mark.parametrize(
    "piece", ["a-\nb", " \u200b", "\ufb01", "-\n", "\u00ad\n", "a- b ", "\u200d", "\ufe0f", "a" * 50 + "-\nb"]
)
def test_hostile_repetition_ends(piece: str) -> None:
    text = piece * (500_000 // len(piece))
    assert isinstance(plain(text), str)
