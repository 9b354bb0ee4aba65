"""From a marker to the sentence in its article: one glance, one click."""

import dataclasses
import re
from pathlib import Path

import pytest
from actions import ask_to_the_end, cards, finished
from playwright.sync_api import BrowserContext, Page, expect
from scripted_engine import BURNED, CREW, LAUNCH, MIR, SALYUT, SCRIPTS, Script, ScriptedEngine, cite, document, passage

from rag.chat.page import EXAMPLES
from rag.documents import read_documents
from rag.question_sets import read_question_set
from rag.records import AnswerSentence, Document

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]
QUESTION = EXAMPLES[0]


def test_a_marker_shows_its_quote_while_it_is_pointed_at(page: Page) -> None:
    ask_to_the_end(page, QUESTION)
    marker = page.locator('#rag-live .marker[data-cite="2"]').first
    marker.hover()
    peek = page.get_by_role("tooltip")
    expect(peek).to_contain_text(f"“{CREW}”")
    expect(peek).to_contain_text("Half a century of space stations")
    expect(peek).to_contain_text("Orbit Review")
    expect(peek).to_contain_text("18 June 2021")
    page.locator("#rag-live .question").hover()
    expect(peek).to_be_hidden()


def test_a_marker_shows_its_quote_when_it_has_the_focus(page: Page) -> None:
    ask_to_the_end(page, QUESTION)
    marker = page.locator("#rag-live .marker").first
    marker.focus()
    expect(page.get_by_role("tooltip")).to_contain_text(LAUNCH)
    expect(marker).to_have_accessible_description(re.compile(re.escape(LAUNCH)))
    page.keyboard.press("Escape")
    expect(page.get_by_role("tooltip")).to_be_hidden()


def test_a_marker_opens_the_article_at_its_sentence(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 420})
    ask_to_the_end(page, QUESTION)
    page.locator('#rag-live .marker[data-cite="2"]').first.click()
    marks = page.locator(".reader mark.active")
    expect(marks).to_have_text(CREW)
    expect(marks).to_be_in_viewport()
    assert "".join(page.locator(".article-text").all_text_contents()) == SALYUT.text
    assert page.locator('.reader mark[data-numbers="1"]').text_content() == LAUNCH, "the other quote is marked too"
    expect(page.locator(".reader-place")).to_have_text("Source 2, 2 of 3")
    link = page.locator(".reader").get_by_role("link")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    assert (link.get_attribute("href") or "").startswith("https://example.org/1#:~:text=The%20Soviet")


def test_a_click_shows_the_sentence_within_150_milliseconds(page: Page) -> None:
    ask_to_the_end(page, QUESTION)
    page.wait_for_timeout(300)  # the articles are fetched while the answer is read
    spent = page.evaluate(
        """async () => {
            const began = performance.now();
            document.querySelector('#rag-live .marker[data-cite="2"]').click();
            while (!document.querySelector('.reader mark.active')) await new Promise(requestAnimationFrame);
            return performance.now() - began;
        }"""
    )
    # Ten times the promise: this must not fail on a busy machine, but a request for each click would be seen.
    assert spent < 1500


def test_previous_and_next_quote(page: Page) -> None:
    ask_to_the_end(page, QUESTION)
    page.locator('#rag-live .marker[data-cite="1"]').first.click()
    expect(page.locator(".reader mark.active")).to_have_text(LAUNCH)
    page.get_by_role("button", name="Next quote").click()
    expect(page.locator(".reader mark.active")).to_have_text(CREW)
    page.get_by_role("button", name="Next quote").click()
    expect(page.locator(".reader h2")).to_have_text(MIR.title)
    expect(page.locator(".reader mark.active")).to_have_text(BURNED)
    page.get_by_role("button", name="Next quote").click()
    expect(page.locator(".reader mark.active")).to_have_text(LAUNCH)
    page.get_by_role("button", name="Previous quote").click()
    expect(page.locator(".reader mark.active")).to_have_text(BURNED)


def test_by_keyboard_there_and_back(page: Page) -> None:
    ask_to_the_end(page, QUESTION)
    marker = page.locator("#rag-live .marker").first
    marker.focus()
    expect(marker).to_have_accessible_name("Source 1: Half a century of space stations")
    page.keyboard.press("Enter")
    expect(page.locator(".reader mark.active")).to_be_focused()
    page.keyboard.press("Escape")
    expect(marker).to_be_focused()


def test_back_and_all_sources(page: Page) -> None:
    ask_to_the_end(page, QUESTION)
    marker = page.locator("#rag-live .marker").first
    marker.click()
    page.get_by_role("button", name="Back to the answer").click()
    expect(marker).to_be_focused()
    page.get_by_role("button", name="All sources").click()
    expect(cards(page)).to_have_count(2)
    cards(page).nth(1).get_by_role("button", name="Read in the article").click()
    expect(page.locator(".reader mark.active")).to_have_text(CREW)
    expect(page.locator('#rag-live .marker[data-cite="2"]').first).to_have_attribute("aria-pressed", "true")


def test_a_quote_is_copied_with_its_reference(page: Page, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    ask_to_the_end(page, QUESTION)
    page.locator("#rag-live .marker").first.click()
    page.get_by_role("button", name="Copy quote").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == (
        f"“{LAUNCH}” (Half a century of space stations, Orbit Review, 18 June 2021, https://example.org/1)"
    )


def test_an_article_that_has_changed_says_so(page: Page, engine: ScriptedEngine) -> None:
    ask_to_the_end(page, QUESTION)
    moved = dataclasses.replace(MIR, text="A new first line. " + MIR.text)
    gone = dataclasses.replace(SALYUT, text=SALYUT.text.replace("Soyuz 11", "Soyuz 12"))
    engine.articles = [moved, gone]
    page.reload()
    finished(page)
    page.locator('#rag-live .marker[data-cite="2"]').first.click()
    expect(page.locator(".changed")).to_have_text(
        "This article has changed since the answer: quote [2] has gone from it."
    )
    assert page.locator(".reader mark").text_content() == LAUNCH
    page.get_by_role("button", name="Next quote").click()
    expect(page.locator(".reader mark.active")).to_have_text(BURNED)
    expect(page.locator(".changed")).to_have_text(
        "This article has changed since the answer: quote [3] has moved within it."
    )


def test_an_article_that_is_gone_leaves_its_quote(page: Page, engine: ScriptedEngine) -> None:
    ask_to_the_end(page, QUESTION)
    engine.articles = []
    # Articles are fetched as soon as their sources are shown.
    with page.expect_response(re.compile("/rag/article")) as reply:
        page.reload()
    page.locator("#rag-live .marker").first.click()
    assert reply.value.status == 200, "a missing article is no error of the page"
    expect(page.locator(".reader .problem")).to_contain_text("No article doc-1")
    page.get_by_role("button", name="All sources").click()
    assert cards(page).first.locator("mark").text_content() == LAUNCH


def test_dates_and_outlets_stand_at_the_markers(page: Page) -> None:
    ask_to_the_end(page, QUESTION)
    expect(page.locator("#rag-live .origin")).to_have_text(["Orbit Review, June 2021"] * 3)
    expect(page.locator("#rag-live .age")).to_have_text("The newest of these sources is from 18 June 2021.")
    assert page.locator("#rag-panel .timeline .cited").count() == 3


def test_articles_that_disagree_stand_side_by_side(page: Page) -> None:
    ask_to_the_end(page, "How many work at the mine?")
    columns = page.locator("#rag-live .differing section")
    expect(columns.locator("h3")).to_have_text(["As of 2014", "As of 2023"])
    left, right = (columns.nth(n).bounding_box() for n in range(2))
    assert left
    assert right
    assert left["y"] == right["y"]
    assert left["x"] < right["x"]
    expect(page.locator("#rag-live .fallback")).to_contain_text("The sources are quoted instead.")
    expect(page.locator("#rag-live .searched")).to_have_text("Searched only articles since 2014")


ROOT = Path(__file__).parents[2]
AT_ONCE = 12
"""Quotes in one answer."""


def gold_citations() -> list[tuple[Document, str]]:
    """Every piece of evidence of the gold questions with its article."""
    documents = {item.path: item for item in read_documents(ROOT / "corpus", 10**7) if isinstance(item, Document)}
    gold = read_question_set(ROOT / "tests" / "gold" / "questions.jsonl")
    return [
        (documents[passage.document], passage.text)
        for question in gold.questions
        for passage in question.passages
        if passage.text
    ]


def test_every_gold_quote_is_highlighted_exactly(
    page: Page, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    gold = gold_citations()
    assert len(gold) > 100
    engine.articles = list({source.id: source for source, _ in gold}.values())
    for first in range(0, len(gold), AT_ONCE):
        part = gold[first : first + AT_ONCE]
        citations = tuple(cite(number, *item) for number, item in enumerate(part, 1))
        script = Script(
            sentences=tuple(AnswerSentence(item.quote, "quoted", (item.number,)) for item in citations),
            citations=citations,
            passages=tuple(passage(source, chunk=n) for n, (source, _) in enumerate(part)),
        )
        question = f"Gold questions from number {first}"
        monkeypatch.setitem(SCRIPTS, question, script)
        ask_to_the_end(page, question)
        for citation, (source, quote) in zip(citations, part, strict=True):
            page.locator(f'#rag-live .marker[data-cite="{citation.number}"]').click()
            marks = page.locator(f'.reader mark.active[data-numbers~="{citation.number}"]')
            marks.first.wait_for()
            assert "".join(marks.all_text_contents()) == quote == source.text[citation.start : citation.end]


def test_invisible_characters_and_fake_markers_stay_text(
    page: Page, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    quote = "The \u202estation\u202c fell\u200b [1] [99] as the\u2066 sign\u2069 said " + "x" * 3000 + "."
    article = document(8, "Signs \u202eand wonders", f"Before. {quote} After.")
    engine.articles.append(article)
    script = Script(
        sentences=(AnswerSentence(quote, "quoted", (1,)),),
        citations=(cite(1, article, quote),),
        passages=(passage(article),),
    )
    monkeypatch.setitem(SCRIPTS, "What fell?", script)
    ask_to_the_end(page, "What fell?")
    assert page.locator("#rag-live .sentence bdi").text_content() == quote
    expect(page.locator("#rag-live .marker")).to_have_count(1)
    page.locator("#rag-live .marker").click()
    marks = page.locator(".reader mark.active")
    marks.first.wait_for()
    assert "".join(marks.all_text_contents()) == quote
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
