"""Faults that property tests and attack articles found, each in its smallest form."""

import pytest

from rag.chat.render import prose
from rag.checking import check_clauses, without_markers
from rag.citations import with_markers
from rag.filters import parse
from rag.records import Answer, AnswerSentence, Citation, Document, Passage
from rag.sentences import split_sentences
from rag.terminal import answer_text, passages_text


def test_a_sentence_without_words_has_markers_all_the_same() -> None:
    assert with_markers([AnswerSentence("", "quoted", (1,))]) == " [1]"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("It fell in 2001 [7].", "It fell in 2001 (7) [1]."),
        ("It fell [1][2, 3], they say.", "It fell (1)(2, 3), they say [1]."),
        ("It [[1]7] fell [1–3].", "It [(1)7] fell (1–3) [1]."),
        ("It [sic] fell in [the year] 2001.", "It [sic] fell in [the year] 2001 [1]."),
    ],
)
def test_a_marker_that_an_article_wrote_is_none_of_ours(text: str, shown: str) -> None:
    assert with_markers([AnswerSentence(text, "quoted", (1,))]) == shown


@pytest.mark.parametrize("hidden", ["\U000e0041\U000e007f", "\u202e", "\u202d", "\x1b[8m", "\x08", "\x9b"])
def test_a_sentence_that_hides_something_is_no_evidence(hidden: str) -> None:
    hiding, open = split_sentences(f"The crew came {hidden}home in June. The crew came home in June.")
    assert (hiding.citable, open.citable) == (False, True)


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخواهم به خانه بروم و بمانم.",
        "The crew 👩\u200d🚀 came home.",
        "The 🏴\U000e0067\U000e0062\U000e007f flag went up.",
    ],
)
def test_joiners_and_flags_hide_nothing(text: str) -> None:
    assert [sentence.citable for sentence in split_sentences(text)] == [True]


def test_a_publisher_called_only_leaves_typed_filters_alone() -> None:
    rest, found = parse("Who flew? (only CGTN)", ("CGTN", "Only", "The Source"))
    assert (rest, found.publishers) == ("Who flew?", ("CGTN",))


def test_blank_lines_stay_visible_whatever_stands_around_them() -> None:
    assert prose("a \n\t\n b") == "a<br><br>b"
    assert prose("a \n b   c") == "a \n b   c"
    assert prose(" \n \n ") == "<br><br>"


def test_a_block_longer_than_a_window_is_cut_between_sentences() -> None:
    one = "The crew of the station met the others there. "
    text = one * 2_000
    sentences = split_sentences(text)
    assert {text[sentence.start : sentence.end] for sentence in sentences} == {one.strip()}
    assert len(sentences) == 2_000


@pytest.mark.parametrize("space", ["\u3000", "\u2003", "\x1c", "\x85", "\u2028", "\u200b\u3000"])
def test_a_line_of_unusual_spaces_is_blank(space: str) -> None:
    text = f"It fell in June 2001.\n{space}\nIt was seen by many."
    assert [text[found.start : found.end] for found in split_sentences(text)] == [
        "It fell in June 2001.",
        "It was seen by many.",
    ]


def test_a_block_without_an_end_of_a_sentence_loses_no_character() -> None:
    text = "“" + "x" * 50_000
    sentences = split_sentences(text)
    assert "".join(text[sentence.start : sentence.end] for sentence in sentences) == text


def test_clauses_end_at_their_markers() -> None:
    evidence, titles = ["Salyut fell in 1971.", "Mir fell in 2001."], ["A", "B"]
    written = "Salyut fell in 1971   [1],  Mir fell in 2001 [2]."
    checks = check_clauses(written, evidence, titles, "When?")
    assert checks is not None
    assert [check.evidence for check in checks] == [0, 1]
    assert check_clauses(f"[1] {written}", evidence, titles, "When?") == checks
    assert check_clauses(f"{written} It was red.", evidence, titles, "When?") is None
    assert without_markers("It [1]  fell   [2, 3].") == "It fell."


def test_no_escape_sequence_of_an_article_reaches_the_terminal() -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eMir"
    document = Document("a", f"{evil}.md", f"{evil} fell.", 0, "", evil, publisher=evil)
    citation = Citation(1, "a", evil, f"{evil}.md", None, evil, evil, 0, 9, f"{evil} fell.")
    said = (AnswerSentence(evil, "quoted", (1,)),)
    answer = Answer(evil, "Q", None, False, 0.5, with_markers(said), said, (citation,), ())
    shown = answer_text(answer) + passages_text([Passage(0, document, 0, 9, 0.5)])
    assert "Mir" in shown
    assert not set("\x1b\x07\x9b\u202e") & set(shown)
