"""What leaves the program is well-formed whatever the articles say: JSON, kept conversations, exports, links and HTML."""

import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from active_content import active_content
from hostile import EFFORT, texts, thorough, unclean
from rag.answer_json import answer_object, passage_object
from rag.chat import article as chat_article
from rag.chat import export, library, render, views
from rag.chat.conversation import Exchange, new_id
from rag.chat.engine import IndexSummary
from rag.chat.history import History
from rag.chat.kept import UNREADABLE, Kept, keep, restore
from rag.chat.timeline import timeline
from rag.citations import number_citations, with_markers
from rag.records import Answer, AnswerSentence, Citation, Document, Evidence, Passage
from rag.store import Listed
from rag.terminal import answer_text, passages_text

SHORT = texts(6)
MAYBE = st.one_of(st.none(), SHORT)
fast = settings(thorough, max_examples=20 * EFFORT)
with_files = settings(thorough, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@st.composite
def documents(draw: st.DrawFn) -> Document:
    text = draw(texts(30)) + "Mir flew."
    return Document(
        id=draw(st.sampled_from(["a-1", "b-2"])),
        path=draw(SHORT),
        text=text,
        body_start=draw(st.integers(0, len(text))),
        sha256="ab",
        title=draw(SHORT),
        publisher=draw(MAYBE),
        author=draw(MAYBE),
        published=draw(st.one_of(MAYBE, st.sampled_from(["2021-06-18", "2021"]))),
        url=draw(st.one_of(MAYBE, SHORT.map("https://example.org/{}".format))),
        language=draw(st.one_of(SHORT, st.just("en"))),
    )


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    evidence = []
    for document in draw(st.lists(documents(), min_size=1, max_size=3, unique_by=lambda item: item.id)):
        start = draw(st.integers(0, len(document.text) - 1))
        end = draw(st.integers(start + 1, len(document.text)))
        evidence.append(Evidence(document, start, end, 0.5))
    citations = number_citations(evidence)
    sentences = tuple(
        AnswerSentence(
            draw(SHORT), draw(st.sampled_from(["quoted", "supported", "weak"])), (citation.number,), draw(MAYBE)
        )
        for citation in citations
    )
    return Answer(
        question=draw(SHORT),
        standalone_question=draw(SHORT),
        short_answer=draw(MAYBE),
        refused=draw(st.booleans()),
        confidence=draw(st.floats(0, 1)),
        text=with_markers(sentences),
        sentences=sentences,
        citations=citations,
        retrieved=tuple(Passage(1, item.document, 0, len(item.document.text), 0.5) for item in evidence),
        unanswered=tuple(draw(st.lists(SHORT, max_size=2))),
        notice=draw(SHORT),
        seconds={"total": draw(st.floats(0, 9))},
        model=draw(SHORT),
        filter=draw(SHORT),
    )


def exchange_of(answer: Answer) -> Exchange:
    return Exchange(
        1,
        answer.question,
        "write",
        waiting=False,
        standalone_question=answer.standalone_question,
        filter=answer.filter,
        short_answer=answer.short_answer or "",
        citations=answer.citations,
        passages=answer.retrieved,
        sentences=list(answer.sentences),
        has_sources=True,
        answer=answer,
        suggestions=(answer.question, "And then?"),
        problem="",
    )


@fast
@given(answers())
def test_an_answer_survives_json_and_its_quotes_are_exact(answer: Answer) -> None:
    found = json.loads(json.dumps(answer_object(answer, "x"), ensure_ascii=False, allow_nan=False).encode())
    assert found["answer"] == answer.text
    assert [item["text"] for item in found["sentences"]] == [item.text for item in answer.sentences]
    by_id = {passage.document.id: passage.document.text for passage in answer.retrieved}
    for citation in found["citations"]:
        assert by_id[citation["document"]][citation["start"] : citation["end"]] == citation["quote"]
    for passage in answer.retrieved:
        assert json.loads(json.dumps(passage_object(passage)))["text"] == passage.text


@fast
@given(answers())
def test_the_terminal_shows_no_control_characters(answer: Answer) -> None:
    shown = answer_text(answer) + passages_text(answer.retrieved)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)


@fast
@given(answers())
def test_an_exchange_that_was_kept_comes_back_the_same(answer: Answer) -> None:
    exchange = exchange_of(answer)
    kept = keep(exchange)
    data = json.loads(json.dumps(kept.data, ensure_ascii=False))
    by_id = {passage.document.id: passage.document for passage in answer.retrieved}
    again = restore(Kept(kept.id, kept.asked, kept.question, data), 1, by_id.get)
    assert again.problem == ""
    assert (again.citations, tuple(again.sentences)) == (exchange.citations, answer.sentences)
    assert again.answer is not None
    assert again.answer.text == answer.text


JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), unclean(3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(unclean(2), inner, max_size=3),
    max_leaves=6,
)


@fast
@given(answers(), st.sampled_from(["mode", "sentences", "citations", "answer", "passages", "format", "new"]), JUNK)
def test_a_damaged_exchange_is_restored_or_said_to_be_unreadable(answer: Answer, name: str, junk: object) -> None:
    kept = keep(exchange_of(answer))
    again = restore(Kept(kept.id, kept.asked, kept.question, {**kept.data, name: junk}), 1, lambda _: None)
    assert again.problem in ("", UNREADABLE)
    assert again.question == answer.question
    assert active_content(views.exchange_view(again)) == []


@with_files
@given(st.lists(st.tuples(unclean(6), JUNK), min_size=1, max_size=3))
def test_a_conversation_of_any_words_is_kept_and_listed(tmp_path: Path, said: list[tuple[str, object]]) -> None:
    history = History(tmp_path / "history.sqlite")
    visitor, conversation = new_id(), new_id()
    for question, junk in said:
        data = json.loads(json.dumps({"x": junk}, allow_nan=True))
        history.save(visitor, conversation, Kept(new_id(), "2026-01-01", question, data))
    (listed,) = history.conversations(visitor)
    assert listed.exchanges == len(history.load(visitor, conversation)) == len(said)
    assert "\n" not in listed.title
    assert active_content(views.history([listed], "")) == []
    history.delete_all(visitor)
    history.close()


@fast
@given(answers(), SHORT)
def test_every_export_is_well_formed(answer: Answer, title: str) -> None:
    exchange = exchange_of(answer)
    for name, format in export.FORMATS.items():
        text = format.write([exchange], title)
        assert text.encode()
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text)
        assert re.fullmatch(rf"[a-z0-9-]+\.{name}", export.file_name(title, name))
    assert active_content(export.html([exchange], title), document=True) == []


@fast
@given(answers())
def test_a_title_opens_no_second_reference(answer: Answer) -> None:
    assert_references(answer.citations)


@pytest.mark.parametrize(
    "title",
    [
        "{",
        "}",
        "\\{",
        "A}, note = {x}, } @misc{b, title = {C",
        "x\r\nER  - \r\nTY  - GEN",
        "x\u2028ER  - ",
        "\\",
        "@misc{",
    ],
)
def test_a_title_made_for_it_opens_none_either(title: str) -> None:
    document = Document("a-1", title, "Mir flew.", 0, "ab", title, publisher=title, published=title)
    assert_references(number_citations([Evidence(document, 0, 9, 0.5)]))


def assert_references(citations: Sequence[Citation]) -> None:
    """As many entries as articles, each closed."""
    number = len({citation.document for citation in citations})
    ris = export.ris(citations)
    lines = ris.split("\r\n")
    assert sum(line == "ER  - " for line in lines) == sum(line.startswith("TY  - ") for line in lines) == number
    assert all(re.match(r"[A-Z][A-Z0-9]  - ", line) for line in lines if line)
    bibtex = export.bibtex(citations)
    depth, entries = 0, 0
    for char in bibtex:  # as BibTeX counts: braces alone, whatever stands before them
        entries += char == "@" and depth == 0
        depth += {"{": 1, "}": -1}.get(char, 0)
        assert depth >= 0
    assert (depth, entries) == (0, number)


@fast
@given(answers())
def test_markdown_holds_no_markup_of_the_articles(answer: Answer) -> None:
    text = export.markdown([exchange_of(answer)], answer.question)
    bare = re.sub(r"\\.|<https?://[^\s<>]+>", "", text)
    assert "<" not in bare
    assert "![" not in bare
    assert "](" not in bare
    assert "`" not in bare


@fast
@given(SHORT, texts(20))
def test_a_link_leads_to_the_web_and_nowhere_else(url: str, words: str) -> None:
    for given_url in (url, f"https://example.org/{url}", f"javascript:{url}", f"//e.example/{url}"):
        link = render.original_link(given_url, words)
        if not link:
            continue
        found = Links(link).found
        assert len(found) == 1
        parts = urlsplit(found[0])
        assert parts.scheme.lower() in ("http", "https")
        assert found[0].startswith(given_url)
        said = found[0].rpartition(":~:text=")[2] if words.split() else ""
        shown = words.split()
        assert not said or unquote(said).replace(",", " ").split()[:1] == " ".join(shown).replace(",", " ").split()[:1]


class Links(HTMLParser):
    """The addresses of all links of an HTML fragment."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name == "href"]


@fast
@given(answers(), st.data())
def test_the_page_has_no_active_content(answer: Answer, data: st.DataObject) -> None:
    exchange = exchange_of(answer)
    assert active_content(views.exchange_view(exchange)) == []
    for passage in answer.retrieved:
        document = passage.document
        start = data.draw(st.integers(0, len(document.text) - 1))
        mark = chat_article.Mark(1, start, len(document.text), document.text[start:])
        shown = chat_article.article(document, [mark])
        assert active_content(shown) == []
        body = Body(shown)
        assert body.marked == document.text[start:] or start < document.body_start
    row = Listed("a-1", answer.question, answer.text, answer.filter, answer.notice, answer.model, "en", 1, 1, 1)
    summary = IndexSummary(
        1, 1, 1, answer.model, answer.notice, publishers=(answer.filter, "CGTN"), problems=(("a", answer.text),)
    )
    wanted = library.Wanted.of({"words": answer.question, "publisher": answer.filter})
    assert active_content(library.page([row], summary, wanted, manage=True)) == []
    assert active_content(timeline([answer.filter, "2021-06-18"], {1: answer.notice}, answer.question)) == []


class Body(HTMLParser):
    """The text of all ``<mark>`` elements."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.marked = ""
        self._inside = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside += tag == "mark"

    def handle_endtag(self, tag: str) -> None:
        self._inside -= tag == "mark"

    def handle_data(self, data: str) -> None:
        self.marked += data if self._inside else ""


@fast
@given(SHORT, st.text("<>&\"' \n", max_size=8))
def test_no_word_leaves_its_place_in_the_page(title: str, words: str) -> None:
    document = Document(
        "a-1", words, f"{words}Mir flew.", 0, "ab", title, publisher=words, published=title, language=words
    )
    (citation,) = number_citations([Evidence(document, 0, len(document.text), 0.5)])
    card = render.source_card(citation, render.excerpt(citation, [], document))
    assert active_content(card) == []
    assert Body(card).marked == document.text


@pytest.mark.parametrize(
    "html",
    [
        "<script>a</script>",
        '<img src="x">',
        '<a href="javascript:a">',
        '<a href="data:text/html,a">',
        '<p onclick="a">',
        '<p style="background:url(//e)">',
        "<form action='//e'>",
        "<!-- a -->",
        "<iframe>",
        "<p><meta http-equiv=refresh></p>",
        "<svg><use href='//e'></svg>",
        "<button formaction=x>",
    ],
)
def test_active_content_is_seen(html: str) -> None:
    assert active_content(html)
