"""Numbers are given by us, quotes are cut from the document, and markers stand where a reader expects them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.citations import number_citations, with_markers
from rag.records import AnswerSentence, Citation, Document, Evidence

MIR = Document(
    id="mir-1",
    path="sub/mir.md",
    text="\ufeff# Mir\r\n\r\nMir flew – from “1986”. It fell [7].",
    body_start=0,
    sha256="ab",
    title="Mir",
    publisher="CGTN",
    published="2021-06-18",
    url="https://example.org/mir",
)
BARE = Document(id="x-2", path="x.txt", text="Nothing is known.", body_start=0, sha256="cd", title="x")


def evidence(document: Document, quote: str) -> Evidence:
    start = document.text.index(quote)
    return Evidence(document, start, start + len(quote), 0.9)


def test_evidence_is_numbered_in_order_with_all_that_is_known() -> None:
    citations = number_citations([evidence(MIR, "It fell [7]."), evidence(BARE, "Nothing is known.")])
    assert citations == (
        Citation(
            number=1,
            document="mir-1",
            title="Mir",
            path="sub/mir.md",
            url="https://example.org/mir",
            publisher="CGTN",
            published="2021-06-18",
            start=MIR.text.index("It fell"),
            end=len(MIR.text),
            quote="It fell [7].",
        ),
        Citation(2, "x-2", "x", "x.txt", None, None, None, 0, 17, "Nothing is known."),
    )


def test_no_evidence_has_no_citations() -> None:
    assert number_citations([]) == ()


@given(st.text(min_size=1, max_size=40), st.data())
def test_a_quote_is_the_text_at_its_offsets(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    document = Document("id", "a.md", text, 0, "ab", "A")
    (citation,) = number_citations([Evidence(document, start, end, 1.0)])
    assert document.text[citation.start : citation.end] == citation.quote == text[start:end]


@pytest.mark.parametrize(
    ("text", "numbers", "shown"),
    [
        ("It flew.", (1,), "It flew [1]."),
        ("It flew.", (1, 3), "It flew [1] [3]."),
        ("Did it fly?", (2,), "Did it fly [2]?"),
        ("It flew …", (1,), "It flew [1] …"),
        ("“It flew.”", (1,), "“It flew.” [1]"),
        ("- Launch: 1986", (1,), "- Launch: 1986 [1]"),
        ("It flew. ", (12,), "It flew [12]."),
        ("It flew.", (), "It flew."),
    ],
    ids=["one", "two", "question", "ellipsis", "quotation", "item", "space", "none"],
)
def test_markers_stand_before_the_final_mark(text: str, numbers: tuple[int, ...], shown: str) -> None:
    assert with_markers([AnswerSentence(text, "quoted", numbers)]) == shown


@pytest.mark.parametrize(
    ("cut", "shown"),
    [
        ((False, False), "on 19 April 1971 [1]"),
        ((True, False), "… on 19 April 1971 [1]"),
        ((False, True), "on 19 April 1971 [1] …"),
        ((True, True), "… on 19 April 1971 [1] …"),
    ],
)
def test_an_ellipsis_stands_for_what_is_left_out(cut: tuple[bool, bool], shown: str) -> None:
    assert with_markers([AnswerSentence("on 19 April 1971", "quoted", (1,), cut=cut)]) == shown


def test_sentences_become_one_text() -> None:
    sentences = [AnswerSentence("It flew.", "supported", (2,)), AnswerSentence("It fell.", "weak", (1,))]
    assert with_markers(sentences) == "It flew [2]. It fell [1]."
    assert with_markers([]) == ""
