"""The chat's HTML: everything escaped, the mark exactly on the quote; and the bounds of a conversation."""

import re
from html import unescape

import pytest

from rag.chat import render, views
from rag.chat.conversation import HISTORY_TURNS, PAST_LIMIT, QUESTION_LIMIT, Conversation, Exchange
from rag.chat.engine import EngineStatus, IndexSummary
from rag.records import Answer, AnswerSentence, Citation, Document, Passage

HOSTILE = "<script>x</script> & \"quoted\" 'single' <img src=//evil>"
TEXT = "Алғашқы сөз. Ғарышкер 🚀 жеті күн ұшты — «жақсы» болды. Соңғы сөйлем."
QUOTE = "Ғарышкер 🚀 жеті күн ұшты — «жақсы» болды."


def make_document(text: str = TEXT, **known: object) -> Document:
    values: dict[str, object] = {
        "id": "d1",
        "path": "kk/1.md",
        "text": text,
        "body_start": 0,
        "sha256": "0",
        "title": "Ғарыш",
        "language": "kk",
    }
    return Document(**{**values, **known})  # type: ignore[arg-type]


def make_citation(document: Document, quote: str, number: int = 1) -> Citation:
    start = document.text.index(quote)
    return Citation(
        number,
        document.id,
        document.title,
        document.path,
        document.url,
        document.publisher,
        document.published,
        start,
        start + len(quote),
        quote,
    )


def text_of(html: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html.replace("<br><br>", "\n\n")))


def mark_of(html: str) -> str:
    found = re.findall(r"<mark>(.*?)</mark>", html, re.DOTALL)
    assert len(found) == 1
    return unescape(found[0])


@pytest.mark.parametrize("quote", [QUOTE, "Алғашқы сөз.", "Соңғы сөйлем.", TEXT], ids=["middle", "start", "end", "all"])
def test_mark_is_the_quote_and_nothing_is_lost(quote: str) -> None:
    document = make_document()
    html = render.marked(render.excerpt(make_citation(document, quote), [Passage(1, document, 0, len(TEXT), 0.5)]))
    assert mark_of(html) == quote
    assert text_of(html) == TEXT
    assert 'lang="kk"' in html


def test_quote_that_fills_a_later_chunk_to_its_edges() -> None:
    document = make_document()
    citation = make_citation(document, QUOTE)
    html = render.marked(render.excerpt(citation, [Passage(1, document, citation.start, citation.end, 0.5)]))
    assert mark_of(html) == text_of(html) == QUOTE


def test_passage_of_another_article_or_range_is_not_used() -> None:
    document, other = make_document(), make_document(id="d2", text="x" * 100)
    citation = make_citation(document, QUOTE)
    passages = [Passage(1, other, 0, 100, 0.5), Passage(2, document, citation.start + 1, len(TEXT), 0.5)]
    assert render.excerpt(citation, passages) == render.Excerpt("", QUOTE, "")


def test_quote_that_the_text_does_not_bear_out_is_shown_alone() -> None:
    document = make_document()
    citation = make_citation(document, QUOTE)
    edited = make_document("x" + TEXT)
    excerpt = render.excerpt(citation, [Passage(1, edited, 0, len(TEXT), 0.5)])
    assert (excerpt.before, excerpt.quote, excerpt.after) == ("", QUOTE, "")


def test_surroundings_from_the_article_are_whole_words_behind_the_front_matter() -> None:
    text = "---\ntitle: x\n---\n" + "word " * 200 + QUOTE + " word" * 200
    document = make_document(text, body_start=17)
    excerpt = render.excerpt(make_citation(document, QUOTE), [], document)
    assert excerpt.quote == QUOTE
    assert set(excerpt.before.split()) == set(excerpt.after.split()) == {"word"}
    assert 0 < len(excerpt.before) <= render.CONTEXT
    assert 0 < len(excerpt.after) <= render.CONTEXT
    near = make_document("---\n---\n" + QUOTE + "x" * 900, body_start=8)
    assert render.excerpt(make_citation(near, QUOTE), [], near) == render.Excerpt("", QUOTE, "", "kk")


def test_far_words_are_set_apart_but_kept() -> None:
    text = "far " * 60 + QUOTE + " far" * 60
    document = make_document(text)
    html = render.marked(render.excerpt(make_citation(document, QUOTE), [Passage(1, document, 0, len(text), 0.5)]))
    assert text_of(html) == text
    assert html.count('class="far') == 2
    assert mark_of(html) == QUOTE


def test_blank_lines_stay_visible() -> None:
    assert render.prose("a\n \nb\nc") == "a<br><br>b\nc"


def test_headings_are_shown_without_their_marks() -> None:
    assert render.prose("## The crew\n\nThey came in #2.") == "The crew<br><br>They came in #2."
    assert render.prose("Before.\n\n  ### After") == "Before.<br><br>After"


def test_card_escapes_every_field() -> None:
    document = make_document(f"Before. {HOSTILE} After.", title=HOSTILE, publisher=HOSTILE, path=HOSTILE)
    citation = make_citation(document, HOSTILE)
    passage = Passage(1, document, 0, len(document.text), 0.5)
    for html in (
        render.source_card(citation, render.excerpt(citation, [passage])),
        render.passage_card(passage),
        render.marker(citation),
        render.sentence(AnswerSentence(HOSTILE, "quoted", (1,)), {1: citation}, HOSTILE, ""),
        views.notice(HOSTILE),
        views.banner(EngineStatus("failed", HOSTILE)),
        views.masthead(IndexSummary(1, 2, 3, HOSTILE, HOSTILE)),
        views.live_region(Exchange(1, HOSTILE, "write", standalone_question=HOSTILE * 2, problem=HOSTILE)),
    ):
        assert not re.search(r"<(script|img)", html)
        assert HOSTILE not in html
        assert "&lt;script&gt;" in html


def test_markers_follow_the_sentence_and_skip_unknown_numbers() -> None:
    citation = make_citation(make_document(), QUOTE)
    html = render.sentence(AnswerSentence("Seven days.", "supported", (1, 7)), {1: citation}, "", "")
    assert re.findall(r">(\[\d+\])<", html) == ["[1]"]
    assert 'aria-label="Source 1: Ғарыш"' in html
    assert 'aria-label="Supported: ' in html


@pytest.mark.parametrize(
    ("cut", "expected"),
    [
        ((True, False), "<bdi>… for <strong>seven</strong> days.</bdi>"),
        ((False, True), "<bdi>for <strong>seven</strong> days. …</bdi>"),
    ],
)
def test_a_cut_quote_has_an_ellipsis_where_words_are_left_out(cut: tuple[bool, bool], expected: str) -> None:
    item = AnswerSentence("for seven days.", "quoted", (), cut=cut)
    assert expected in render.sentence(item, {}, "", "seven")


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("In 1971 & later", "1971", "In <strong>1971</strong> &amp; later"),
        ("In 1971", "19", "In 1971"),
        ("R&D & amp", "amp", "R&amp;D &amp; <strong>amp</strong>"),
        ("a (b) a (b)", "(b)", "a <strong>(b)</strong> a (b)"),
        ("plain", "", "plain"),
        ("a <b> c", "<b>", "a <strong>&lt;b&gt;</strong> c"),
    ],
)
def test_short_answer_stands_out_once_and_whole(text: str, words: str, expected: str) -> None:
    assert render.emphasised(text, words) == expected


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//example.org",
        "http://",
        "https://user:word@example.org/",
        "https://exa mple.org",
        'https://example.org/"onclick="x',
        "https://[bad",
    ],
)
def test_only_plain_web_addresses_become_links(url: str | None) -> None:
    assert render.original_link(url, "words") == ""


@pytest.mark.parametrize(
    ("url", "words", "target"),
    [
        ("https://example.org/a?b=1&c=2", "Two words", "https://example.org/a?b=1&c=2#:~:text=Two%20words"),
        ("https://example.org/#part", "well-known, yes", "https://example.org/#part:~:text=well%2Dknown%2C%20yes"),
        (
            "https://example.org/",
            "a b c d e f g h i j k l m",
            "https://example.org/#:~:text=a%20b%20c%20d%20e%20f,h%20i%20j%20k%20l%20m",
        ),
        ("https://example.org/", "", "https://example.org/"),
    ],
)
def test_link_points_at_the_words(url: str, words: str, target: str) -> None:
    html = render.original_link(url, words)
    found = re.search(r'href="([^"]*)"', html)
    assert found is not None
    assert unescape(found[1]) == target
    assert 'rel="noopener noreferrer"' in html


@pytest.mark.parametrize(
    ("published", "words"),
    [("2021-06-08", "8 June 2021"), ("2021", "2021"), (None, ""), ("<b>", "<b>")],
)
def test_dates_in_words(published: str | None, words: str) -> None:
    assert render.day(published) == words


def make_exchange(sentences: tuple[AnswerSentence, ...], refused: bool = False) -> Exchange:
    document = make_document()
    citations = (make_citation(document, QUOTE), make_citation(document, "Соңғы сөйлем.", 2))
    passages = tuple(Passage(n, document, 0, len(TEXT), 0.5) for n in range(5))
    answer = Answer("q", "q", None, refused, 0.5, "The articles do not say.", sentences, citations, passages)
    return Exchange(
        1, "q", "write", citations=citations, passages=passages, has_sources=True, answer=answer, waiting=False
    )


def test_uncited_sources_are_folded_with_their_numbers() -> None:
    html = views.sources(make_exchange((AnswerSentence("x", "quoted", (2,)),)))
    open_part, folded = html.split("<details")
    assert re.findall(r'data-number="(\d)"', open_part) == ["2"]
    assert re.findall(r'data-number="(\d)"', folded) == ["1"]


def test_refusal_shows_nearest_passages_and_no_numbers() -> None:
    exchange = make_exchange((), refused=True)
    open_part, folded = views.sources(exchange).split("<details")
    assert "Nearest passages" in open_part
    assert open_part.count("<blockquote") == render.NEAREST
    assert "Also read (2)" in folded
    assert "data-number" not in open_part + folded
    assert "The articles do not say." in views.exchange_view(exchange)


def test_progress_is_bounded_and_unknown_totals_have_no_value() -> None:
    assert 'value="3" max="3"' in views.banner(EngineStatus("preparing", "x", 5, 3))
    assert "value=" not in views.banner(EngineStatus("preparing", "x", 5, 0))
    assert views.banner(EngineStatus("ready")) == ""


def answered(conversation: Conversation, question: str, text: str) -> None:
    conversation.begin(question, "quote", "")
    assert conversation.live is not None
    conversation.live.answer = Answer(question, question, None, False, 0.5, text, (), (), ())


def test_history_is_bounded_and_skips_unanswered_questions() -> None:
    conversation = Conversation()
    for number in range(PAST_LIMIT + 10):
        answered(conversation, f"q{number}", "a" * (QUESTION_LIMIT + 1))
    conversation.begin("stopped", "quote", "")
    conversation.stop()
    conversation.begin("latest", "quote", "")
    history = conversation.history()
    assert len(conversation.past) == PAST_LIMIT
    assert len(history) == HISTORY_TURNS
    assert [turn.role for turn in history] == ["user", "assistant"] * (HISTORY_TURNS // 2)
    assert history[-2].content == f"q{PAST_LIMIT + 9}"
    assert max(len(turn.content) for turn in history) == QUESTION_LIMIT


def test_retry_replaces_and_clear_forgets() -> None:
    conversation = Conversation()
    answered(conversation, "one", "1")
    answered(conversation, "two", "2")
    conversation.retry("two", "write")
    assert conversation.live is not None
    assert (conversation.live.question, conversation.live.mode, conversation.live.answer) == ("two", "write", None)
    assert [past.exchange.question for past in conversation.past] == ["one"]
    running = conversation.live
    conversation.clear()
    assert running.stopped
    assert not conversation.past
    assert conversation.history() == []
    answered(conversation, "three", "3")
    assert conversation.asked > running.number


@pytest.mark.parametrize(
    ("short", "text", "alone"),
    [
        ("19 April 1971", "Salyut 1 was launched on 19 April 1971 from Baikonur.", True),
        ("2030", "It stays until about 2030 and then sinks.", True),
        ("St. Petersburg", "He spoke in St. Petersburg, where he had come for a fair.", True),
        ("Patsayev", "Dobrovolsky, Volkov and Patsayev lived there.", False),
        ("Volkov", "Dobrovolsky, Volkov and Patsayev lived there.", False),
        ("Dobrovolsky", "Dobrovolsky, Volkov and Patsayev lived there.", False),
    ],
)
def test_one_of_several_is_not_shown_as_the_answer(short: str, text: str, alone: bool) -> None:
    exchange = Exchange(1, "Who?", "quote", short_answer=short, sentences=[AnswerSentence(text, "quoted", (1,))])
    assert ('class="short"' in views.exchange_view(exchange)) is alone
