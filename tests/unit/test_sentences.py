"""Sentence splitting: right on what news text is made of, exact in its offsets, linear in time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.sentences import MAX_SENTENCE, is_heading, split_sentences


def quotes(text: str, start: int = 0) -> list[str]:
    return [text[sentence.start : sentence.end] for sentence in split_sentences(text, start)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He met Dr. Smith. They left.", ["He met Dr. Smith.", "They left."]),
        ("Crews of the U.S. and Russia met. All was well.", ["Crews of the U.S. and Russia met.", "All was well."]),
        ("It landed on June 18. Nobody was hurt.", ["It landed on June 18.", "Nobody was hurt."]),
        ("J. R. Smith flew at 5 p.m. on Monday. He slept.", ["J. R. Smith flew at 5 p.m. on Monday.", "He slept."]),
        (
            "It rose at 5 p.m. Indian time. Then, at 6 p.m. EST, it fell.",
            ["It rose at 5 p.m. Indian time.", "Then, at 6 p.m. EST, it fell."],
        ),
        ("It landed at 5 p.m. The crew was well.", ["It landed at 5 p.m.", "The crew was well."]),
        ("The launch cost $1.5 billion. It worked.", ["The launch cost $1.5 billion.", "It worked."]),
        ("See Approx. 5 crews. Then stop.", ["See Approx. 5 crews.", "Then stop."]),
        ('"We go now," he said. "All of us."', ['"We go now," he said.', '"All of us."']),
    ],
    ids=[
        "title",
        "country",
        "date",
        "initials",
        "time of a place",
        "time of day",
        "money",
        "open abbreviation",
        "quotation",
    ],
)
def test_splits_as_a_reader_would(text: str, expected: list[str]) -> None:
    assert quotes(text) == expected


def test_a_long_quotation_is_taken_apart() -> None:
    said = "“" + " ".join(f"This is the long sentence number {n} of a speech without an end." for n in range(8)) + "”"
    assert len(quotes(said)) == 8


def test_lines_end_paragraphs_unless_the_text_is_hard_wrapped() -> None:
    long_line = (
        "The first paragraph is one long line that nobody has wrapped, so that its line end means what it says " * 2
    )
    assert len(quotes(f"A headline without a stop\n{long_line.strip()}.\nAnother one.")) == 3
    wrapped = "The crew of the station had to\nwait for the next ship to come\nbecause of the storm."
    assert quotes(wrapped) == [wrapped]


@pytest.mark.parametrize(
    ("text", "citable"),
    [
        ("Salyut 1 was launched in 1971.", True),
        ("Search Trends", False),
        ("By Julia Chapman", False),
        ("What is the significance of this cooperation?", False),
        ("- Launch of the first module: 1998", True),
        ("## The years on the station.", False),
        ("It flew.", False),
    ],
)
def test_fragments_and_questions_are_no_evidence(text: str, citable: bool) -> None:
    (sentence,) = split_sentences(text)
    assert sentence.citable is citable


def test_a_word_that_is_parted_by_a_line_end_goes_on() -> None:
    assert quotes("Mir was the first mo-\ndular station.\nIt fell.") == [
        "Mir was the first mo-\ndular station.",
        "It fell.",
    ]
    assert len(quotes("A list of what was brought-\n- Water\n- Air")) == 3


@pytest.mark.parametrize("space", ["\u3000", "\u2003", "\x1c", "\u2028"])
def test_a_line_of_any_white_space_is_blank(space: str) -> None:
    assert quotes(f"The crew came home.\n{space}\n{space}Nobody was hurt.") == [
        "The crew came home.",
        "Nobody was hurt.",
    ]


def test_headings_are_known() -> None:
    assert is_heading("## Mir")
    assert not is_heading("#1 in space")


def test_text_without_punctuation_is_cut_to_fit() -> None:
    assert all(len(quote) <= MAX_SENTENCE for quote in quotes("word " * 2000))


@given(st.text(alphabet=st.sampled_from(list("aB .!?\"'“”\n\t-#[]1\u00a0\ufeffé漢")), max_size=400), st.integers(0, 20))
def test_nothing_is_lost_or_doubled(text: str, start: int) -> None:
    sentences = split_sentences(text, start)
    at = min(start, len(text))
    for sentence in sentences:
        assert at <= sentence.start < sentence.end <= len(text)
        assert not text[at : sentence.start].strip(" \t\r\n\f\v\ufeff\u00a0\u200b")
        at = sentence.end
    assert not text[at:].strip(" \t\r\n\f\v\ufeff\u00a0\u200b")


@pytest.mark.parametrize("text", ["a", ". ", '" ', "[111 ", " ", "\n", "(", '"a. ', "a. ", "\n \n"])
def test_hostile_repetition_ends(text: str) -> None:
    # Quadratic splitters need minutes for this; the suite would stop being usable, which is the alarm.
    assert isinstance(split_sentences(text * (300_000 // len(text))), list)


def test_boilerplate_is_in_no_sentence() -> None:
    text = "OSLO (AP) — It rained all day in Oslo. Share this page\nIt stopped at night, people said. Follow"
    cuts = [(text.index(part), text.index(part) + len(part)) for part in ("OSLO (AP) —", "Share this page", "Follow")]
    found = [text[sentence.start : sentence.end] for sentence in split_sentences(text, boilerplate=cuts)]
    assert found == ["It rained all day in Oslo.", "It stopped at night, people said."]


def test_a_running_head_cuts_a_sentence() -> None:
    text = "The crew of the station had to\nwait for the next ship, which\nAnnual report\ncame because of the storm only\non a Monday in late March."
    begin = text.index("Annual report")
    spans = split_sentences(text, boilerplate=[(begin, begin + 13)])
    assert [text[sentence.start : sentence.end].split()[-1] for sentence in spans] == ["which", "March."]


@given(
    st.text(alphabet=st.sampled_from(list('aB .!?"“”\n-#1é')), max_size=200),
    st.lists(st.integers(0, 200), max_size=8, unique=True),
    st.integers(0, 20),
)
def test_nothing_but_boilerplate_is_left_out(text: str, cuts: list[int], start: int) -> None:
    cuts = sorted(min(cut, len(text)) for cut in cuts)
    spans = [(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False) if a < b]
    at = min(start, len(text))
    for sentence in split_sentences(text, start, boilerplate=spans):
        assert at <= sentence.start < sentence.end <= len(text)
        assert not any(a < sentence.end and sentence.start < b for a, b in spans)
        between = [
            char
            for offset, char in enumerate(text[at : sentence.start], at)
            if not any(a <= offset < b for a, b in spans)
        ]
        assert not "".join(between).strip()
        at = sentence.end
