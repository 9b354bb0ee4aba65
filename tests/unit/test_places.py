"""The page that a quote begins on is shown wherever the quote is."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer_json import answer_object, passage_object
from rag.chat import render, views
from rag.chat.conversation import Exchange
from rag.chat.export import bibtex, html, markdown, ris
from rag.chat.kept import keep, restore
from rag.citations import number_citations, place
from rag.records import Answer, AnswerSentence, Citation, Document, Evidence, Passage
from rag.terminal import answer_text, passages_text

TEXT = "Mir flew for years. It fell in 2001. Nobody was hurt. The sea was calm."
FELL = TEXT.index("It fell")
HURT = TEXT.index("Nobody")
DOCUMENT = Document(
    "mir-1",
    "mir.pdf",
    TEXT,
    0,
    "ab",
    "Mir",
    "Herald",
    None,
    "2001-03-24",
    anchors=((4, "p. 2"), (FELL, "p. 3"), (HURT, "p. <4>")),
)


def cite(*quotes: str) -> tuple[Citation, ...]:
    starts = [TEXT.index(quote) for quote in quotes]
    return number_citations([Evidence(DOCUMENT, s, s + len(q), 1.0) for s, q in zip(starts, quotes, strict=True)])


def test_the_last_page_that_began_before_the_quote() -> None:
    found = cite(
        "Mir flew for years.", "flew for years. It fell", "It fell in 2001.", "in 2001. Nobody", "The sea was calm."
    )
    assert [citation.place for citation in found] == [None, "p. 2", "p. 3", "p. 3", "p. <4>"]
    assert place(dataclasses.replace(DOCUMENT, anchors=()), 30) is None


@given(st.lists(st.integers(0, 50), unique=True).map(sorted), st.integers(0, 60))
def test_any_pages(offsets: list[int], asked: int) -> None:
    document = dataclasses.replace(DOCUMENT, anchors=tuple((offset, str(offset)) for offset in offsets))
    assert place(document, asked) == next((str(offset) for offset in reversed(offsets) if offset <= asked), None)


def exchange(*quotes: str) -> Exchange:
    citations = cite(*quotes)
    sentences = tuple(AnswerSentence(item.quote, "quoted", (item.number,)) for item in citations)
    passages = (Passage(0, DOCUMENT, FELL, len(TEXT), 0.5),)
    answer = Answer("?", "?", None, False, 0.9, "x", sentences, citations, passages)
    return Exchange(1, "?", "quote", citations=citations, passages=passages, answer=answer, has_sources=True)


def test_cards_markers_and_what_is_copied() -> None:
    (citation,) = cite("Nobody was hurt.")
    card = render.source_card(citation, render.Excerpt("", citation.quote, ""))
    assert "<span>p. &lt;4&gt;</span>" in card
    assert 'data-reference="Mir, Herald, 24 March 2001, p. &lt;4&gt;, mir.pdf:' in card
    assert 'aria-label="Source 1: Mir, p. &lt;4&gt;"' in render.marker(citation)
    assert 'aria-label="Source 1: Mir"' in render.marker(dataclasses.replace(citation, place=None))
    assert "<span>p. 3</span>" in render.passage_card(Passage(0, DOCUMENT, FELL, HURT, 0.5))
    assert "<span>p. 3</span>" in views.exchange_view(exchange("It fell in 2001."))


def test_the_terminal_and_its_json() -> None:
    answer = exchange("It fell in 2001.").answer
    assert answer is not None
    assert "[1] Mir — Herald, 2001-03-24, p. 3\n" in answer_text(answer)
    assert answer_object(answer)["citations"][0]["place"] == "p. 3"
    assert passage_object(answer.retrieved[0])["place"] == "p. 3"
    assert f"(mir.pdf:{FELL}-{len(TEXT)}, p. 3, score 0.50)" in passages_text(answer.retrieved)


def test_exports() -> None:
    asked = exchange("It fell in 2001.", "Nobody was hurt.", "in 2001. Nobody")
    assert "[^1]: Mir — Herald, 24 March 2001, p\\. 3, mir.pdf:" in markdown([asked], "x")
    assert "[^2]: Mir — Herald, 24 March 2001, p\\. &lt;4&gt;, mir.pdf:" in markdown([asked], "x")
    assert "<bdi>p. &lt;4&gt;</bdi>" in html([asked], "x")


@pytest.mark.parametrize(
    ("places", "pages"),
    [((None,), ""), (("p. 3",), "3"), (("p. 3", "p. xii", "p. 3"), "3, xii"), (("Chapter 2", "p. 1}{"), "")],
)
def test_pages_of_reference_managers(places: tuple[str | None, ...], pages: str) -> None:
    (citation,) = cite("It fell in 2001.")
    cited = [dataclasses.replace(citation, place=where) for where in places]
    assert (f"  pages = {{{pages}}},\n" in bibtex(cited)) is bool(pages)
    assert (f"SP  - {pages}\r\n" in ris(cited)) is bool(pages)
    assert bibtex(cited).count("@misc") == ris(cited).count("TY  -") == 1


def test_conversations_kept_before_there_were_pages() -> None:
    kept = keep(exchange("It fell in 2001."))
    earlier = [{name: value for name, value in item.items() if name != "place"} for item in kept.data["citations"]]
    restored = restore(dataclasses.replace(kept, data={**kept.data, "citations": earlier}), 1, lambda name: DOCUMENT)
    assert restored.problem == ""
    assert [item.place for item in restored.citations] == [None]
    assert [item.place for item in restore(kept, 1, lambda name: DOCUMENT).citations] == ["p. 3"]


def test_a_notice_stands_also_beside_a_refusal() -> None:
    refused = Answer("?", "?", None, True, 0.1, "The articles do not say.", (), (), (), notice="In <German>.")
    asked = Exchange(1, "?", "quote", answer=refused, has_sources=True)
    assert '<p class="fallback" role="status">In &lt;German&gt;.</p>' in views.exchange_view(asked)
    assert answer_text(refused).endswith("\n\nIn <German>.")


def test_copies_are_named() -> None:
    (citation,) = cite("It fell in 2001.")
    part = render.Excerpt("", citation.quote, "")
    assert "also-in" not in render.source_card(citation, part)
    copies = ("a<b>.txt", *(f"{number}.txt" for number in range(6)))
    shown = render.source_card(dataclasses.replace(citation, also_in=copies), part)
    assert 'Also in: <span class="path" dir="ltr">a&lt;b&gt;.txt</span>, ' in shown
    assert "3.txt</span> and 2 more</p>" in shown
